"""Moments per channel of whole sets, and samples that are brought to a reference's."""

import numpy as np
import pytest

from sparring.models.moments import ChannelMoments, matching, moments_of


def draw(count, channels=3, sides=(5, 4), seed=0):
    """Channels of other means and spreads, float32."""
    random = np.random.default_rng(seed)
    shape = (count, channels, *sides)
    along = (-1, *[1] * len(sides))
    mean, std = random.normal(size=channels), random.uniform(0.2, 3, size=channels)
    drawn = random.normal(size=shape) * std.reshape(along) + mean.reshape(along)
    return drawn.astype(np.float32)


def channels_of(latents):
    return np.moveaxis(latents.astype(np.float64), 1, 0).reshape(latents.shape[1], -1)


def batches(latents, size):
    return (latents[start : start + size] for start in range(0, len(latents), size))


@pytest.mark.parametrize("size", [1, 7, 64, 1000])
@pytest.mark.parametrize("sides", [(5, 4), (3, 2, 2)])
def test_moments_are_those_of_all_rows_in_any_batches(size, sides):
    latents = draw(100, sides=sides)
    found = moments_of(batches(latents, size))
    np.testing.assert_allclose(found.mean, channels_of(latents).mean(1), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(found.std, channels_of(latents).std(1), rtol=1e-12)


def test_a_small_spread_about_a_large_mean_is_not_lost():
    latents = 1000 + 1e-3 * draw(50).astype(np.float64)
    found = moments_of(batches(latents, 8))
    np.testing.assert_allclose(found.std, channels_of(latents).std(1), rtol=1e-6)


@pytest.mark.parametrize("sides", [(5, 4), (3, 2, 2)])
def test_matched_samples_have_the_reference_s_moments(sides):
    samples, reference = draw(40, sides=sides), draw(60, sides=sides, seed=1)
    match = matching(*(moments_of([x]) for x in (samples, reference)))
    found = moments_of(match(rows) for rows in batches(samples, 16))
    np.testing.assert_allclose(found.mean, channels_of(reference).mean(1), atol=1e-5)
    np.testing.assert_allclose(found.std, channels_of(reference).std(1), rtol=1e-5)


def test_samples_with_the_moments_already_stay_as_they_are():
    samples = draw(40)
    moments = moments_of([samples])
    np.testing.assert_allclose(matching(moments, moments)(samples), samples, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("value", [0.0, 0.1, -3.7, 1234.0])
def test_a_constant_channel_is_moved_and_not_divided(value):
    """Of half precision and in several batches, so that its computed spread need not be 0."""
    samples, reference = draw(40).astype(np.float16), draw(40, seed=1)
    samples[:, 1] = value
    match = matching(moments_of(batches(samples, 7)), moments_of([reference]))
    made = match(samples)
    assert np.isfinite(made).all()
    np.testing.assert_allclose(made[:, 1], reference[:, 1].mean(), atol=1e-3)
    assert made[:, 0].std() == pytest.approx(reference[:, 0].std(), rel=1e-4)


def test_a_single_number_per_channel_is_no_division_by_zero():
    one = draw(1, sides=(1, 1))
    made = matching(moments_of([one]), moments_of([draw(20)]))(one)
    np.testing.assert_allclose(made[0, :, 0, 0], moments_of([draw(20)]).mean, rtol=1e-5)


def test_a_constant_reference_takes_the_samples_spread_away():
    reference = ChannelMoments(np.array([1.0, 2.0, 3.0]), np.zeros(3))
    made = matching(moments_of([draw(9)]), reference)(draw(9))
    np.testing.assert_allclose(made, np.broadcast_to([[[[1]], [[2]], [[3]]]], made.shape))
