"""Standardising in numpy is what the autoencoder's codec does, and raw latents are noticed."""

from pathlib import Path

import numpy as np
import pytest
from diffusers import AutoencoderKL

from sparring.models.latent_scale import Moments, latent_scale, standardised


def moments(latents, size=10):
    found = Moments()
    for start in range(0, len(latents), size):
        found.add(latents[start : start + size])
    return found


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"latents_mean": [1.0, 2.0], "latents_std": [3.0, 4.0]}, ([1.0, 2.0], [3.0, 4.0])),
        ({"scaling_factor": 0.5}, ([0.0, 0.0], [2.0, 2.0])),
        ({"scaling_factor": 0.5, "shift_factor": 0.3}, ([0.3, 0.3], [2.0, 2.0])),
    ],
)
def test_own_statistics_go_before_one_scale_for_all(config, expected):
    assert latent_scale({"latent_channels": 2} | config) == expected


def test_a_config_that_does_not_say_means_what_diffusers_takes_then():
    model = AutoencoderKL(block_out_channels=(8,), norm_num_groups=4, latent_channels=2)
    assert latent_scale({"latent_channels": 2}) == latent_scale(model.config)


def test_standardising_is_per_channel():
    config = {"latent_channels": 2, "latents_mean": [1.0, -2.0], "latents_std": [0.5, 4.0]}
    raw = np.random.default_rng(0).normal(size=(500, 2, 4, 4)) * [[[[0.5]], [[4]]]]
    raw = (raw + np.array([1, -2]).reshape(1, 2, 1, 1)).astype(np.float32)
    latents = standardised(raw, config)
    assert latents.dtype == np.float32
    assert np.abs(latents.mean((0, 2, 3))).max() < 0.05
    assert np.abs(latents.std((0, 2, 3)) - 1).max() < 0.05


def test_moments_are_those_of_all_numbers():
    latents = np.random.default_rng(0).normal(3, 2, size=(95, 2, 4, 4)).astype(np.float16)
    found = moments(latents)
    assert found.mean == pytest.approx(latents.astype(float).mean())
    assert found.std == pytest.approx(latents.astype(float).std())


@pytest.mark.parametrize(("mean", "std", "warned"), [(0, 1, False), (0, 5, True), (2, 1, True)])
def test_latents_that_hardly_are_standardised_are_warned_of(mean, std, warned):
    latents = np.random.default_rng(0).normal(mean, std, size=(50, 2, 4, 4))
    assert (moments(latents).warning(Path("a.pt")) is not None) == warned
