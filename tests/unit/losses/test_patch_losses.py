"""Adversarial losses on maps of logits."""

from math import log

import pytest
import torch

from sparring.losses.patches import (
    discriminator_loss,
    feature_matching_loss,
    generator_loss,
    told_right,
)


def maps(*values):
    return torch.tensor(values, dtype=torch.float32).view(len(values), 1, 1, 1).expand(-1, 1, 3, 3)


def test_the_hinge_has_a_margin():
    """Once both classes are beyond it, nothing is left to learn."""
    real, fake = maps(1.0, 5.0, 0.0), maps(-1.0, -9.0, 0.0)
    assert discriminator_loss(real, fake, "hinge").tolist() == [0, 0, 1]


def test_vanilla_is_cross_entropy_on_logits():
    undecided = discriminator_loss(maps(0.0), maps(0.0), "vanilla")
    assert undecided.item() == pytest.approx(log(2))
    extreme = discriminator_loss(maps(-1e4), maps(1e4), "vanilla")
    assert extreme.item() == pytest.approx(1e4)


@pytest.mark.parametrize("kind", ["hinge", "vanilla"])
def test_generator_and_discriminator_pull_against_each_other(kind):
    fake = maps(0.3).clone().requires_grad_()
    (down,) = torch.autograd.grad(discriminator_loss(maps(0.0), fake, kind).sum(), fake)
    (up,) = torch.autograd.grad(generator_loss(fake, kind).sum(), fake)
    assert (down > 0).all()
    assert (up < 0).all()


@pytest.mark.parametrize("kind", ["hinge", "vanilla"])
def test_one_value_per_sample(kind):
    real, fake = torch.randn(4, 1, 3, 3), torch.randn(4, 1, 3, 3)
    for loss in (discriminator_loss(real, fake, kind), generator_loss(fake, kind)):
        assert loss.shape == (4,)
    assert told_right(real, fake).shape == (4,)


def test_feature_matching_is_zero_for_equal_features_and_reals_get_no_gradient():
    real = [torch.randn(2, 3, 4, 4, requires_grad=True), torch.randn(2, 5, 2, 2)]
    assert feature_matching_loss(real, real).tolist() == [0, 0]
    fake = [(r + 0.5).detach().requires_grad_() for r in real]
    loss = feature_matching_loss(real, fake)
    assert torch.allclose(loss, torch.full((2,), 0.5))
    loss.sum().backward()
    assert real[0].grad is None
    assert fake[0].grad is not None


def test_told_right_counts_both_classes():
    assert told_right(maps(1.0, 1.0, -1.0), maps(-1.0, 1.0, 1.0)).tolist() == [1, 0.5, 0]
