"""Segmentation and perceptual distance: values known by hand, per sample, finite gradients."""

import math

import pytest
import torch

from sparring.losses.semantic import perceptual_loss, pixel_accuracy, segmentation_loss


def test_even_logits_cost_log_of_the_number_of_classes():
    ids = torch.randint(5, (3, 4, 4), generator=torch.Generator().manual_seed(0))
    expected = torch.full((3,), math.log(5))
    torch.testing.assert_close(segmentation_loss(torch.zeros(3, 5, 4, 4), ids), expected)


def test_segmentation_is_per_sample_and_falls_to_zero_when_sure_and_right():
    ids = torch.tensor([[[0, 1]], [[2, 2]]])
    right = torch.nn.functional.one_hot(ids, 3).permute(0, 3, 1, 2) * 50.0
    wrong = right.roll(1, dims=1)
    mixed = torch.stack([right[0], wrong[1]])
    losses = segmentation_loss(mixed, ids)
    assert losses[0] < 1e-6
    torch.testing.assert_close(losses[1], torch.tensor(50.0))
    assert pixel_accuracy(mixed, ids).tolist() == [1.0, 0.0]


def test_segmentation_survives_logits_that_overflow_half_precision():
    logits = torch.tensor([[1e5, -1e5]]).reshape(1, 2, 1, 1).requires_grad_()
    loss = segmentation_loss(logits, torch.ones(1, 1, 1, dtype=torch.int64))
    loss.sum().backward()
    assert torch.isfinite(loss).all()
    assert torch.isfinite(logits.grad).all()


def maps(seed, count=2):
    generator = torch.Generator().manual_seed(seed)
    shapes = ((count, 8, 6, 6), (count, 16, 3, 3))
    return [torch.randn(shape, generator=generator) for shape in shapes]


def test_perceptual_distance_is_zero_only_for_equal_directions():
    a, b = maps(0), maps(1)
    assert perceptual_loss(a, a).abs().max() < 1e-6
    assert perceptual_loss(a, [3 * m for m in a]).abs().max() < 1e-6  # scale means nothing
    assert (perceptual_loss(a, b) > 0.5).all()


def test_opposite_features_have_the_largest_distance():
    """Unit vectors: |u - (-u)|^2 = 4."""
    a = maps(0)
    torch.testing.assert_close(perceptual_loss(a, [-m for m in a]), torch.full((2,), 4.0))


def test_perceptual_distance_is_per_sample():
    a, b = maps(0), maps(1)
    half = [torch.stack([x[0], y[1]]) for x, y in zip(a, b, strict=True)]
    losses = perceptual_loss(half, a)
    assert losses[0] < 1e-6 < losses[1]


def test_features_of_a_flat_picture_give_finite_gradients():
    zero = torch.zeros(1, 4, 2, 2, requires_grad=True)
    perceptual_loss([zero], [torch.ones(1, 4, 2, 2)]).sum().backward()
    assert torch.isfinite(zero.grad).all()


def test_layers_must_pair_up():
    with pytest.raises(ValueError, match="zip"):
        perceptual_loss(maps(0), maps(0)[:1])
