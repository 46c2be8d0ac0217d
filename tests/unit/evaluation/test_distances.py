"""Fréchet and kernel distances against their formulas, and intervals that mean 95 %."""

import numpy as np
import pytest

from sparring.evaluation.distances import (
    frechet_distance,
    frechet_figure,
    kernel_distance,
    kernel_figure,
    polynomial_kernel,
)
from sparring.evaluation.statistics import Draws, Estimate, estimate_of


def estimated(figure):
    """Samples, reals and their groups to an estimate with its interval."""

    def estimate(x, y, y_groups, resamples, seed):
        x_draws = Draws.of(np.arange(len(x)), resamples, seed, "samples")
        y_draws = Draws.of(y_groups, resamples, seed, "held_out")
        return estimate_of([figure(x, y, x_draws, y_draws)])

    return estimate


frechet_estimate, kernel_estimate = estimated(frechet_figure), estimated(kernel_figure)
ESTIMATES = [frechet_estimate, kernel_estimate]


def rows_with(mean, covariance, count=200, seed=0):
    """Features whose sample mean and covariance are exactly these."""
    raw = np.random.default_rng(seed).normal(size=(count, len(mean)))
    raw -= raw.mean(0)
    white = raw @ np.linalg.inv(np.linalg.cholesky(np.cov(raw, rowvar=False))).T
    return white @ np.linalg.cholesky(covariance).T + mean


def random_covariance(dim, seed):
    root = np.random.default_rng(seed).normal(size=(dim, dim))
    return root @ root.T / dim + 0.1 * np.eye(dim)


def test_frechet_distance_of_diagonal_gaussians():
    """|m|^2 + sum (s_x - s_y)^2 where the covariances commute."""
    m_x, m_y, s_x, s_y = np.array([[0, 1, 2], [3, 1, 0], [1, 2, 0.5], [2, 2, 1]], dtype=float)
    x, y = rows_with(m_x, np.diag(s_x**2)), rows_with(m_y, np.diag(s_y**2), seed=1)
    expected = ((m_x - m_y) ** 2).sum() + ((s_x - s_y) ** 2).sum()
    assert frechet_distance(x, y) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("seed", range(3))
def test_frechet_distance_of_any_gaussians(seed):
    """Dowson & Landau's formula: tr (S_x S_y)^(1/2) is the sum of the roots of the eigenvalues."""
    s_x, s_y = random_covariance(5, 2 * seed), random_covariance(5, 2 * seed + 1)
    mean = np.random.default_rng(seed).normal(size=5)
    x, y = rows_with(mean, s_x), rows_with(np.zeros(5), s_y, 300, seed + 9)
    cross = np.sqrt(np.linalg.eigvals(s_x @ s_y).real).sum()
    expected = mean @ mean + np.trace(s_x + s_y) - 2 * cross
    assert frechet_distance(x, y) == pytest.approx(expected, rel=1e-6)
    assert frechet_distance(y, x) == pytest.approx(expected, rel=1e-6)


def test_equal_sets_are_at_frechet_distance_zero():
    x = np.random.default_rng(0).normal(size=(50, 6))
    assert frechet_distance(x, x[::-1]) == pytest.approx(0, abs=1e-6)


def test_frechet_distance_survives_fewer_rows_than_features():
    x, y = np.random.default_rng(0).normal(size=(2, 5, 8))
    assert np.isfinite(frechet_distance(x, y))
    assert frechet_distance(x, x) == pytest.approx(0, abs=1e-6)


def test_kernel_is_the_cubic_polynomial():
    x, y = np.array([[1.0, 2.0]]), np.array([[3.0, -1.0], [0.0, 0.0]])
    assert polynomial_kernel(x, y).tolist() == [[(1 / 2 + 1) ** 3, 1.0]]


def test_kernel_distance_is_the_unbiased_estimate():
    """Gretton et al. 2012, eq. 3, with plain loops."""
    draw = np.random.default_rng(0)
    x, y = draw.normal(size=(5, 3)), draw.normal(size=(7, 3))

    def k(a, b):
        return (a @ b / 3 + 1) ** 3

    within_x = np.mean([k(x[i], x[j]) for i in range(5) for j in range(5) if i != j])
    within_y = np.mean([k(y[i], y[j]) for i in range(7) for j in range(7) if i != j])
    across = np.mean([k(a, b) for a in x for b in y])
    assert kernel_distance(x, y) == pytest.approx(within_x + within_y - 2 * across, rel=1e-9)


def test_kernel_distance_of_equal_distributions_is_zero_on_average():
    draw = np.random.default_rng(1)
    values = [kernel_distance(*draw.normal(size=(2, 60, 8))) for _ in range(30)]
    assert abs(np.mean(values)) < 3 * np.std(values, ddof=1) / 30**0.5
    assert min(values) < 0 < max(values)


@pytest.mark.parametrize("distance", [kernel_distance, frechet_distance])
@pytest.mark.parametrize("change", [lambda x: x + 0.5, lambda x: 1.5 * x], ids=["shift", "scale"])
def test_a_change_is_detected(distance, change):
    draw = np.random.default_rng(2)
    null = [distance(*draw.normal(size=(2, 100, 8))) for _ in range(20)]
    changed = [distance(change(a), b) for a, b in draw.normal(size=(20, 2, 100, 8))]
    assert np.mean(changed) - np.mean(null) > 3 * (np.std(null) + np.std(changed)) / 20**0.5


@pytest.mark.parametrize("estimate", ESTIMATES)
def test_interval_holds_its_estimate_and_follows_from_the_seed(estimate):
    draw = np.random.default_rng(3)
    x, y = draw.normal(size=(2, 40, 4))
    found = estimate(x + 0.3, y, np.arange(40), 50, seed=1)
    assert isinstance(found, Estimate)
    assert found.low < found.value < found.high
    assert estimate(x + 0.3, y, np.arange(40), 50, seed=1) == found
    assert estimate(x + 0.3, y, np.arange(40), 50, seed=2) != found


def test_estimates_are_the_plain_distances():
    x, y = np.random.default_rng(4).normal(size=(2, 40, 4))
    groups = np.arange(40)
    assert frechet_estimate(x, y, groups, 20, 0).value == pytest.approx(frechet_distance(x, y))
    assert kernel_estimate(x, y, groups, 20, 0).value == pytest.approx(kernel_distance(x, y))


@pytest.mark.parametrize("shift", [0.0, 0.5], ids=["equal", "shifted"])
def test_kernel_interval_covers_the_truth(shift):
    """About 95 of 100 intervals; the truth is 0, or that of two very large samples."""
    draw = np.random.default_rng(5)
    truth = 0.0
    if shift:
        large = [draw.normal(size=(2, 1500, 4)) for _ in range(4)]
        truth = np.mean([kernel_distance(x + shift, y) for x, y in large])
    hits = 0
    for trial in range(80):
        x, y = draw.normal(size=(2, 80, 4))
        found = kernel_estimate(x + shift, y, np.arange(80), 100, seed=trial)
        hits += found.low <= truth <= found.high
    assert hits >= 0.86 * 80


def test_frechet_interval_covers_the_mean_of_repeated_measurements():
    """Its bias at this N is part of what is measured, so the truth is the mean at equal N."""
    draw = np.random.default_rng(6)

    def pair():
        x, y = draw.normal(size=(2, 100, 4))
        return x + 0.5, y

    truth = np.mean([frechet_distance(*pair()) for _ in range(400)])
    found = [frechet_estimate(*pair(), np.arange(100), 60, seed) for seed in range(60)]
    assert np.mean([e.low <= truth <= e.high for e in found]) >= 0.84


@pytest.mark.parametrize("estimate", ESTIMATES)
def test_copies_are_no_independent_evidence(estimate):
    """Eight copies of every held-out original must not narrow the interval; new rows do."""
    draw = np.random.default_rng(7)
    x = draw.normal(size=(400, 4)) + 0.5
    originals, many = draw.normal(size=(40, 4)), draw.normal(size=(320, 4))
    copies, groups = np.repeat(originals, 8, axis=0), np.repeat(np.arange(40), 8)

    def width(y, names):
        found = estimate(x, y, names, 200, seed=0)
        return found.high - found.low

    alone = width(originals, np.arange(40))
    assert width(copies, groups) > 0.75 * alone
    assert width(copies, np.arange(320)) < 0.65 * alone  # what ignoring the groups would claim
    assert width(many, np.arange(320)) < 0.65 * alone


def test_kernel_distance_counts_no_pair_of_copies_of_one_original():
    """Copies resemble each other: counted as independent pairs they would raise the distance."""
    draw = np.random.default_rng(5)
    values = []
    for _ in range(40):
        x, originals = draw.normal(size=(2, 40, 4))
        copies = np.repeat(originals, 4, axis=0)
        groups = np.repeat(np.arange(40), 4)
        values.append(kernel_estimate(x, copies, groups, 2, 0).value)
    error = np.std(values) / np.sqrt(len(values))
    assert abs(np.mean(values)) < 3 * error
    naive = [kernel_distance(draw.normal(size=(40, 4)), copies) for _ in range(40)]
    assert np.mean(naive) > 3 * np.std(naive) / np.sqrt(40)  # what the groups are for


def test_kernel_distance_does_not_depend_on_the_blocks_it_is_computed_in(monkeypatch):
    x, y = np.random.default_rng(8).normal(size=(2, 50, 4))
    whole = kernel_estimate(x, y, np.arange(50), 20, 0)
    monkeypatch.setattr("sparring.evaluation.distances._BLOCK", 7)
    parts = kernel_estimate(x, y, np.arange(50), 20, 0)
    assert (parts.value, parts.low) == pytest.approx((whole.value, whole.low))
