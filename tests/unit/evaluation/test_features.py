"""Random convolution features: the same for every model, and not blind."""

import numpy as np
import pytest
import torch

from sparring.evaluation.features import RandomConvolutions, plane_moments


def latents(count=6, seed=0, channels=4, side=8):
    return np.random.default_rng(seed).normal(size=(count, channels, side, side))


@pytest.mark.parametrize("dim", [2, 8, 128])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_dimension_and_type(dim, dtype):
    features = RandomConvolutions(4, dim, 0)(latents().astype(dtype))
    assert features.shape == (6, dim)
    assert features.dtype == np.float64
    assert np.isfinite(features).all()


def test_same_seed_same_features():
    x = latents()
    assert (RandomConvolutions(4, 8, 1)(x) == RandomConvolutions(4, 8, 1)(x)).all()
    assert not np.allclose(RandomConvolutions(4, 8, 1)(x), RandomConvolutions(4, 8, 2)(x))


def test_features_of_a_latent_do_not_depend_on_the_others():
    x, features = latents(300), RandomConvolutions(4, 8, 0)
    together = features(x)
    alone = np.concatenate([features(row[None]) for row in x[[0, 255, 256, 299]]])
    np.testing.assert_allclose(together[[0, 255, 256, 299]], alone, rtol=1e-4, atol=1e-5)


def test_structure_is_seen_where_pixel_statistics_are_equal():
    """The same values in another order: only neighbourhoods differ."""
    smooth = np.cumsum(np.cumsum(latents(200), -1), -2)
    smooth = (smooth - smooth.mean((-2, -1), keepdims=True)) / smooth.std()
    draw = np.random.default_rng(1)
    shuffled = draw.permuted(smooth.reshape(200, 4, 64), axis=-1).reshape(smooth.shape)
    features = RandomConvolutions(4, 16, 0)
    a, b = features(smooth), features(shuffled)
    assert (np.abs(a.mean(0) - b.mean(0)) / a.std(0)).max() > 1


@pytest.mark.parametrize("shape", [(3, 2, 5, 7), (3, 2, 4, 5, 3)])
def test_moments_are_those_of_each_plane_also_far_from_zero(shape):
    x = 100 + np.random.default_rng(0).normal(size=shape)
    plane = x.reshape(3, 2, -1)
    mean, std = plane_moments(torch.from_numpy(x).float(), eps=1e-3)
    np.testing.assert_allclose(mean, plane.mean(-1), rtol=1e-5)
    np.testing.assert_allclose(std, (plane.var(-1) + 1e-3) ** 0.5, rtol=1e-4)


def test_a_plane_of_one_value_has_a_finite_gradient():
    """A judge may well be given one; what divides by its deviation would be NaN."""
    x = torch.ones(1, 1, 4, 4, requires_grad=True)
    mean, std = plane_moments(x, eps=1e-6)
    (mean + std).sum().backward()
    assert torch.isfinite(x.grad).all()
