"""The reference objective: softplus(-D(x0_pred)), weighted by timestep."""

from dataclasses import replace
from itertools import pairwise
from typing import get_args

import pytest
import torch

from sparring.diffusion.process import ForwardProcess
from sparring.models.denoiser import build_scheduler, forward_process
from sparring.objectives.table import NEEDS
from sparring.objectives.x0_bce import adversarial_loss, timestep_weights, weighted_mean
from sparring.settings.objective import AdversarialLoss, Objective
from sparring.settings.parts import NoiseScheduleSettings


def process() -> ForwardProcess:
    return forward_process(build_scheduler(NoiseScheduleSettings()))


def record(timesteps):
    x = torch.zeros(len(timesteps), 1, 2, 2)
    return process().prediction(x, x, torch.tensor(timesteps), x)


def test_table_says_what_the_objective_needs():
    """Trained on clean latents, hence used on x0_pred and not on x_t; no guided sampling."""
    needs = NEEDS["x0_bce"]
    assert needs.discriminator_input == "clean"
    assert needs.discriminator
    assert needs.fakes
    assert not needs.guided_sampling


def test_every_objective_of_the_settings_is_in_the_table():
    offered = get_args(Objective)
    assert set(offered) == set(NEEDS)


def test_loss_is_minus_log_sigmoid_per_sample():
    logits = torch.linspace(-8, 8, 9, dtype=torch.float64)
    torch.testing.assert_close(adversarial_loss(logits), -torch.sigmoid(logits).log())


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_loss_and_gradient_survive_confident_logits(dtype):
    logits = torch.tensor([-100.0, 100.0], dtype=dtype, requires_grad=True)
    loss = adversarial_loss(logits)
    loss.sum().backward()
    assert loss.tolist() == pytest.approx([100.0, 0.0], abs=1e-40)
    # full gradient exactly where the discriminator is sure of a fake: non-saturating
    assert logits.grad.tolist() == pytest.approx([-1.0, 0.0], abs=1e-40)


def test_mean_of_logs_is_not_log_of_mean():
    """The log of the mean would call a batch good that a single easy sample satisfies."""
    logits = torch.tensor([20.0, -20.0])
    loss = weighted_mean(adversarial_loss(logits), torch.ones(2))
    torch.testing.assert_close(loss, torch.tensor(10.0))
    assert loss > 10 * -torch.sigmoid(logits).mean().log()


@pytest.mark.parametrize(
    ("bounds", "inside"),
    [
        ((0.0, 0.2), [0, 1, 199]),
        ((0.2, 0.5), [200, 499]),
        ((0.5, 1.0), [500, 999]),
        ((0.0, 1.0), [0, 1, 199, 200, 499, 500, 999]),
    ],
)
def test_range_counts_from_inclusive_to_exclusive(bounds, inside):
    timesteps = [0, 1, 199, 200, 499, 500, 999]
    weights = timestep_weights(
        record(timesteps), 1000, AdversarialLoss(objective="x0_bce", timesteps=bounds)
    )
    assert [t for t, w in zip(timesteps, weights.tolist(), strict=True) if w] == inside
    assert set(weights.tolist()) <= {0.0, 1.0}


def test_adjacent_ranges_share_no_timestep_and_miss_none():
    every = record(list(range(1000)))
    cuts = [0.0, 0.13, 0.2, 0.777, 1.0]
    weights = [
        timestep_weights(every, 1000, AdversarialLoss(objective="x0_bce", timesteps=(low, high)))
        for low, high in pairwise(cuts)
    ]
    assert torch.equal(torch.stack(weights).sum(0), torch.ones(1000))


def test_snr_weighting_is_alpha_bar():
    batch = record(list(range(1000)))
    weights = timestep_weights(batch, 1000, AdversarialLoss(objective="x0_bce", weighting="snr"))
    torch.testing.assert_close(weights, batch.snr / (1 + batch.snr))
    assert (weights.diff() < 0).all()


def test_snr_weight_is_zero_at_zero_terminal_snr():
    keys = {"prediction": "v", "zero_terminal_snr": True}
    zero_snr = forward_process(build_scheduler(NoiseScheduleSettings(**keys)))
    x = torch.zeros(1, 1, 2, 2)
    batch = zero_snr.prediction(x, x, torch.tensor([999]), x)
    assert timestep_weights(
        batch, 1000, AdversarialLoss(objective="x0_bce", weighting="snr")
    ).tolist() == [0.0]


def test_weighted_mean_ignores_samples_without_weight():
    values = torch.tensor([1.0, 2.0, 1e6])
    torch.testing.assert_close(
        weighted_mean(values, torch.tensor([1.0, 3.0, 0.0])), torch.tensor(1.75)
    )


def test_batch_without_weight_gives_zero_and_no_gradient():
    """No timestep in range: 0, not NaN from 0 / 0, and nothing pulls at the denoiser."""
    logits = torch.tensor([-100.0, 3.0], requires_grad=True)
    loss = weighted_mean(adversarial_loss(logits), torch.zeros(2))
    loss.backward()
    assert loss.item() == 0
    assert logits.grad.tolist() == [0.0, 0.0]


def test_weights_carry_no_gradient():
    """They depend on the timestep alone, never on what the network made of it."""
    batch = record([0, 500])
    batch = replace(batch, x0_pred=batch.x0_pred.clone().requires_grad_())
    for settings in (
        AdversarialLoss(objective="x0_bce"),
        AdversarialLoss(objective="x0_bce", weighting="snr"),
    ):
        assert not timestep_weights(batch, 1000, settings).requires_grad
