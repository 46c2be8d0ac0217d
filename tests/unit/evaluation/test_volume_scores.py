"""Figures of volumes: what each is, and that nothing empty looks good in any."""

import numpy as np
import pytest
import torch

from sparring.data.phantoms import generate_phantom
from sparring.errors import UserError
from sparring.evaluation import volumes as module
from sparring.evaluation.volume_baselines import (
    baselines,
    best_constant,
    samples_at_equal_bits,
    samples_at_equal_factor,
    trilinear,
)
from sparring.evaluation.volumes import compare, perplexity, ssim_map

WINDOW = (-1000.0, 1000.0)


@pytest.fixture(scope="module")
def phantom():
    return generate_phantom(42, 0, 48)


def noisy(hu, sd, seed=0):
    return hu + np.random.default_rng(seed).normal(0, sd, hu.shape).astype(np.float32)


def test_a_volume_is_its_own_perfect_reconstruction(phantom):
    scores = compare(phantom, phantom, WINDOW)
    assert (scores.psnr, scores.mae_hu, scores.gradient_ratio) == (float("inf"), 0, 1)
    assert scores.ssim == pytest.approx(1)


def test_psnr_and_mae_are_those_of_the_window_not_of_the_volume():
    """20 HU of error are 20 log10(2000 / 20) = 40 dB, however flat the volume is."""
    draw = np.random.default_rng(0)
    for spread in (30, 800):
        hu = draw.uniform(-spread, spread, (20, 20, 20)).astype(np.float32)
        scores = compare(hu, hu + np.float32(20), WINDOW)
        assert scores.psnr == pytest.approx(40, abs=1e-3)
        assert scores.mae_hu == pytest.approx(20, abs=1e-3)


def test_what_lies_outside_the_window_does_not_count(phantom):
    outside = np.where(phantom <= -1000, -3000, phantom)
    assert compare(phantom, outside, WINDOW).psnr == float("inf")


@pytest.mark.parametrize("slab", [1, 7, 16, 1000])
def test_comparing_slab_by_slab_does_not_change_the_scores(phantom, monkeypatch, slab):
    other = noisy(phantom, 100)
    expected = compare(phantom, other, WINDOW)
    monkeypatch.setattr(module, "SLAB", slab)
    found = compare(phantom, other, WINDOW)
    for key, value in vars(expected).items():
        assert getattr(found, key) == pytest.approx(value, rel=1e-6)


def test_ssim_is_monais():
    from monai.metrics.regression import compute_ssim_and_cs

    draw = torch.Generator().manual_seed(0)
    x = torch.rand(1, 1, 16, 20, 24, generator=draw)
    y = (x + 0.2 * torch.rand(x.shape, generator=draw)).clamp(0, 1)
    expected, _ = compute_ssim_and_cs(x, y, 3, (11,) * 3, (1.5,) * 3, data_range=1.0)
    torch.testing.assert_close(ssim_map(x, y), expected, atol=2e-5, rtol=1e-4)


def test_more_noise_scores_worse_and_has_more_gradient(phantom):
    scores = [compare(phantom, noisy(phantom, sd), WINDOW) for sd in (10, 40, 160)]
    for key, better in {"psnr": -1, "ssim": -1, "mae_hu": 1, "gradient_ratio": 1}.items():
        values = [better * getattr(s, key) for s in scores]
        assert values == sorted(values), key
    assert scores[0].gradient_ratio > 1


def test_blur_loses_gradient(phantom):
    blurred = trilinear(phantom, WINDOW, (12, 12, 12))
    assert compare(phantom, blurred, WINDOW).gradient_ratio < 0.6


@pytest.mark.parametrize("value", ["mean", -1000, -500, 0, 50, 1000])
def test_no_metric_looks_good_on_a_constant_volume(phantom, value):
    """Cosine similarity, which has passed for SSIM, gives such volumes 0.95."""
    hu = best_constant(phantom, WINDOW) if value == "mean" else np.full_like(phantom, value)
    constant = compare(phantom, hu, WINDOW)
    poor = compare(phantom, trilinear(phantom, WINDOW, (6, 6, 6)), WINDOW)
    assert constant.psnr < min(15, poor.psnr - 4)
    assert constant.ssim < min(0.5, poor.ssim - 0.05)
    assert constant.mae_hu > max(200, 1.5 * poor.mae_hu)
    assert constant.gradient_ratio == 0


def test_no_constant_beats_the_best_constant(phantom):
    best = compare(phantom, best_constant(phantom, WINDOW), WINDOW).psnr
    for value in range(-1000, 1001, 100):
        assert compare(phantom, np.full_like(phantom, value), WINDOW).psnr <= best


def test_what_cannot_be_compared_is_refused(phantom):
    with pytest.raises(UserError, match=r"\(48, 48, 48\) and \(47, 48, 48\) voxels"):
        compare(phantom, phantom[1:], WINDOW)
    with pytest.raises(UserError, match=r"48 x 48 x 10 voxels is too small .* thicker slabs"):
        compare(phantom[..., :10], phantom[..., :10], WINDOW)
    with pytest.raises(UserError, match="the original is constant within the HU window"):
        compare(np.full((12, 12, 12), -2000), phantom[:12, :12, :12], WINDOW)


def test_samples_take_the_bits_that_they_are_given():
    for shape in ((128, 128, 128), (122, 101, 20), (512, 512, 604)):
        for bits in (4, 8, 16):
            samples = samples_at_equal_bits(shape, 9 / 64, bits)
            rate = np.prod(samples) * bits / np.prod(shape)
            assert rate == pytest.approx(9 / 64, rel=0.12)
            assert all(1 <= s <= side for s, side in zip(samples, shape, strict=True))
    assert samples_at_equal_factor((128, 101, 20), (4, 4, 2)) == (32, 26, 10)


def test_interpolation_keeps_what_is_linear():
    line = np.linspace(-600, 600, 32, dtype=np.float32)
    ramp = np.broadcast_to(line[:, None, None], (32, 16, 16))
    decoded = trilinear(np.ascontiguousarray(ramp), WINDOW, (8, 4, 4), bits=16)
    np.testing.assert_allclose(decoded[2:-2], ramp[2:-2], atol=0.5)


def test_fewer_bits_per_sample_are_coarser(phantom):
    values = {bits: len(np.unique(trilinear(phantom, WINDOW, (48,) * 3, bits))) for bits in (3, 5)}
    assert 4 < values[3] <= 8
    assert 16 < values[5] <= 32


def test_baselines_say_what_they_take_and_the_tuned_one_is_the_best(phantom):
    found = baselines(phantom, WINDOW, 9 / 64, (4, 4, 4))
    assert found["constant"].bits_per_voxel == 0
    assert found["trilinear_equal_factor"].bits_per_voxel == 8 / 64
    for name in ("trilinear_equal_bits", "trilinear_tuned"):
        assert found[name].bits_per_voxel == pytest.approx(9 / 64, rel=0.12)
    order = ["constant", "trilinear_equal_bits", "trilinear_tuned"]
    psnr = [found[name].scores.psnr for name in order]
    assert psnr == sorted(psnr)


def test_perplexity_counts_the_codes_in_use():
    assert perplexity(np.array([5, 5, 5, 5, 0, 0])) == pytest.approx(4)
    assert perplexity(torch.tensor([7, 0, 0])) == pytest.approx(1)
    skewed = perplexity(np.array([97, 1, 1, 1]))
    assert 1 < skewed < 1.3
