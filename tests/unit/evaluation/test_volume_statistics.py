"""Figures of decoded volumes."""

import numpy as np
import pytest

from sparring.evaluation.statistics import Parts, estimate_of
from sparring.evaluation.volume_statistics import TISSUES, volume_figures, volume_statistics

WINDOW = (-1000.0, 1000.0)


def chests(seed, count=24, noise=20.0, shift=0.0):
    """Soft tissue in air, with grain."""
    draw = np.random.default_rng(seed)
    hu = np.full((count, 8, 8, 8), -1000.0)
    hu[:, 2:6, 2:6, 2:6] = 40.0
    return (hu + shift + draw.normal(0, noise, hu.shape)).astype(np.int16)


def figures(samples, reals):
    statistics = [volume_statistics(hu, WINDOW) for hu in (samples, reals)]
    parts = Parts.of(np.arange(len(samples)), np.arange(len(reals)), 0)
    return volume_figures(*statistics, WINDOW, parts)


def test_shares_add_up_and_name_the_ranges():
    found = volume_statistics(chests(0), WINDOW)
    assert np.allclose(found["hu_histogram"].sum(1), 1)
    assert np.allclose(found["tissue_shares"].sum(1), 1)
    soft = list(TISSUES).index("soft")
    assert found["tissue_shares"][:, soft].mean() == pytest.approx(4**3 / 8**3, rel=0.05)
    beyond = np.array([-2000, 3000] * 4, dtype=np.int16).reshape(1, 2, 2, 2)
    assert volume_statistics(beyond, WINDOW)["hu_histogram"].sum() == 1


def test_a_constant_has_no_gradient_and_a_step_what_can_be_counted():
    flat = np.zeros((1, 4, 4, 4), dtype=np.int16)
    assert volume_statistics(flat, WINDOW)["gradient_energy"] == [0]
    step = flat.copy()
    step[:, 2:] = 30  # one of three pairs along one axis
    assert volume_statistics(step, WINDOW)["gradient_energy"] == pytest.approx(30**2 / 3)


def test_volumes_of_the_same_kind_are_within_their_error():
    found = figures(chests(1), chests(2))
    assert found["gradient_ratio"].value == pytest.approx(1, abs=0.02)
    for name in ("gradient_gap", "hu_distance", "tissue_distance"):
        assert estimate_of([found[name]]).p_above(1e-3) > 0.005


def test_blur_and_noise_show_in_the_gradient_on_their_own_sides():
    sharp, noisy = chests(2), chests(1, noise=200)
    assert figures(noisy, sharp)["gradient_ratio"].value > 1.05
    assert figures(sharp, noisy)["gradient_ratio"].value < 0.95
    gaps = [figures(*pair)["gradient_gap"] for pair in ((noisy, sharp), (sharp, noisy))]
    assert gaps[0].value == pytest.approx(gaps[1].value)
    assert estimate_of([gaps[0]]).p_above() < 0.005


def test_a_shift_of_all_voxels_is_the_distance_of_histograms():
    """In whole bins of 50 HU, and away from the ends of the window."""
    reals = chests(1, noise=1.0, shift=420.0)
    found = figures(reals + 100, reals)
    assert found["hu_distance"].value == pytest.approx(100, abs=1)
    assert found["gradient_ratio"].value == pytest.approx(1)


def test_nothing_but_constants_is_no_division_by_zero():
    flat = np.zeros((4, 4, 4, 4), dtype=np.int16)
    found = figures(flat, chests(1, 4))
    assert np.isfinite(found["gradient_gap"].value)
    assert found["gradient_gap"].value > 10
