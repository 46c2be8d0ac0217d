"""Learning-rate schedules in steps, an optimiser's moments, and the average of weights."""

import copy
from math import cos, pi

import pytest
import torch
from torch import nn

from sparring.training.optimisation import WeightAverage, lr_factor, restore_optimizer


def test_cosine_begins_at_the_peak_and_ends_near_zero():
    factors = [lr_factor(step, 100, 0, "cosine") for step in range(100)]
    assert factors[0] == 1
    assert factors[50] == pytest.approx(0.5)
    assert factors[99] == pytest.approx(0.5 * (1 + cos(pi * 0.99)))
    assert 0 < factors[99] < 1e-3
    assert factors == sorted(factors, reverse=True)


def test_cosine_does_not_rise_again_after_its_end():
    """The published defect: a period in epochs, counted in steps, restarts every few minutes."""
    assert [lr_factor(step, 100, 0, "cosine") for step in (100, 150, 200, 1000)] == [0] * 4


@pytest.mark.parametrize("schedule", ["constant", "cosine"])
def test_warm_up_rises_evenly_to_the_peak(schedule):
    factors = [lr_factor(step, 100, 4, schedule) for step in range(5)]
    assert factors == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])


def test_constant_stays():
    assert {lr_factor(step, 100, 0, "constant") for step in range(100)} == {1.0}


def test_cosine_after_warm_up_is_stretched_over_what_is_left():
    assert lr_factor(10, 110, 10, "cosine") == 1
    assert lr_factor(60, 110, 10, "cosine") == pytest.approx(0.5)


@pytest.mark.parametrize("schedule", ["constant", "cosine"])
def test_warm_up_longer_than_the_training_is_no_error(schedule):
    factors = [lr_factor(step, 3, 10, schedule) for step in range(3)]
    assert factors == pytest.approx([1 / 11, 2 / 11, 3 / 11])


LAYOUTS = (torch.contiguous_format, torch.channels_last)


def fused(weights, layout):
    """A convolution's weights in a layout, and their optimiser."""
    parameter = nn.Parameter(weights.clone().to(memory_format=layout))
    return parameter, torch.optim.AdamW([parameter], 1e-2, fused=True)


@pytest.mark.parametrize("saved", LAYOUTS, ids=str)
@pytest.mark.parametrize("restored", LAYOUTS, ids=str)
def test_moments_stay_those_of_their_weights_in_either_layout(saved, restored):
    """Nodes with units for bf16 have the channels last, and others go on from their states."""
    generator = torch.Generator().manual_seed(0)
    weights, *gradients = torch.randn(4, 8, 6, 4, 4, generator=generator)

    def go(parameter, optimizer, gradients):
        for gradient in gradients:
            parameter.grad = torch.empty_like(parameter).copy_(gradient)
            optimizer.step()

    straight = fused(weights, torch.contiguous_format)
    go(*straight, gradients)
    before = fused(weights, saved)
    go(*before, gradients[:2])
    after, optimizer = fused(before[0].detach(), restored)
    restore_optimizer(optimizer, copy.deepcopy(before[1].state_dict()))
    go(after, optimizer, gradients[2:])
    torch.testing.assert_close(after, straight[0], rtol=0, atol=1e-7, check_stride=False)


def value(model):
    return model.weight.item()


def moved(decay, values):
    """The average after each of the values."""
    model = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(model.weight)
    average = WeightAverage(model, decay)
    for new in values:
        nn.init.constant_(model.weight, new)
        average.update(model)
        yield value(average.model)


def test_average_follows_its_decay_schedule():
    """Decay min(decay, (1 + n) / (10 + n)) at update n, by a plain recursion."""
    values, decay, expected = [3.0, -1.0, 5.0, 2.0] * 20, 0.8, 0.0
    for n, (new, found) in enumerate(zip(values, moved(decay, values), strict=True), start=1):
        d = min(decay, (1 + n) / (10 + n))
        expected = d * expected + (1 - d) * new
        assert found == pytest.approx(expected, rel=1e-5)


def test_a_short_training_leaves_its_start_behind():
    """With a fixed decay of 0.999, 30 updates would keep 97 % of the initial weights."""
    final = list(moved(0.999, [1.0] * 30))[-1]
    assert final > 0.95


def test_a_long_training_averages_over_the_asked_span():
    """At update 9,000 and later decay 0.999 holds: a jump is taken in by one part in 1,000."""
    model = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(model.weight)
    average = WeightAverage(model, 0.999)
    average.updates = 9000
    nn.init.ones_(model.weight)
    average.update(model)
    assert value(average.model) == pytest.approx(1e-3, rel=1e-4)


def test_average_is_a_frozen_copy_of_its_own():
    model = nn.Sequential(nn.Linear(2, 2), nn.Dropout()).train()
    average = WeightAverage(model, 0.0)
    before = average.weights()
    with torch.no_grad():
        model[0].weight.add_(1)
    assert torch.equal(average.weights()["0.weight"], before["0.weight"])
    assert not average.model.training
    assert all(not p.requires_grad for p in average.model.parameters())
    average.update(model)
    assert torch.equal(average.weights()["0.weight"], model[0].weight)
    assert torch.equal(before["0.weight"] + 1, model[0].weight)  # copies do not move along
