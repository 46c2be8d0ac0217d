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
from sparring.evaluation.statistics import Parts, estimate_of


def frechet(x, y, y_groups):
    return frechet_figure(x, y, Parts.of(np.arange(len(x)), y_groups, 0))


def kernel(x, y, y_groups):
    return kernel_figure(x, y, np.arange(len(x)), y_groups)


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


@pytest.mark.parametrize("shift", [0.0, 0.5], ids=["equal", "shifted"])
def test_kernel_interval_covers_the_truth(shift):
    """About 95 of 100 intervals; the truth is 0, or that of two very large samples."""
    draw = np.random.default_rng(5)
    truth = 0.0
    if shift:
        large = [draw.normal(size=(2, 1500, 4)) for _ in range(4)]
        truth = np.mean([kernel_distance(x + shift, y) for x, y in large])
    pairs = draw.normal(size=(80, 2, 80, 4))
    found = [estimate_of([kernel(x + shift, y, np.arange(80))]).interval for x, y in pairs]
    assert sum(low <= truth <= high for low, high in found) >= 0.86 * 80


def test_frechet_interval_covers_the_mean_of_repeated_measurements():
    """Its bias at this N is part of what is measured, so the truth is the mean at equal N."""
    draw = np.random.default_rng(6)

    def pair():
        x, y = draw.normal(size=(2, 100, 4))
        return x + 0.5, y

    truth = np.mean([frechet_distance(*pair()) for _ in range(400)])
    found = [estimate_of([frechet(*pair(), np.arange(100))]).interval for _ in range(60)]
    assert np.mean([low <= truth <= high for low, high in found]) >= 0.84


def grouped(*sizes):
    return np.repeat(np.arange(len(sizes)), sizes)


@pytest.mark.parametrize(
    "groups",
    [(np.arange(9), np.arange(7)), (grouped(3, 1, 2, 3), grouped(1, 4, 2, 2))],
    ids=["rows", "copies"],
)
@pytest.mark.parametrize("twins", [False, True])
def test_kernel_closed_form_is_what_deleting_each_original_gives(groups, twins):
    draw = np.random.default_rng(9)
    sets = [draw.normal(size=(len(names), 3)) for names in groups]
    found = kernel_figure(*sets, *groups, twins=twins)
    for side, names in enumerate(groups):
        without = []
        for name in np.unique(names):
            kept = [np.ones(len(g), bool) for g in groups]
            kept[side] = names != name
            rest = [part[k] for part, k in zip((*sets, *groups), kept * 2, strict=True)]
            without.append(kernel_figure(*rest, twins=twins).value - found.value)
        np.testing.assert_allclose(found.deviations[side][0], without, rtol=1e-9)


def test_reals_in_the_place_of_samples_are_at_no_distance_if_twins_are_not_counted():
    x, names = np.random.default_rng(3).normal(size=(60, 4)), grouped(*[2] * 30)
    assert kernel_figure(x, x, names, names, twins=True).value == pytest.approx(0, abs=1e-12)
    assert kernel_figure(x, x, names, names).value < -0.01


@pytest.mark.parametrize("figure", [frechet, kernel])
def test_copies_are_no_independent_evidence(figure):
    """Eight copies of every held-out original must not narrow the interval; new rows do."""
    draw = np.random.default_rng(7)
    known = np.repeat(np.arange(40), 8)
    errors = []
    for _ in range(6):  # ten groups give an error to within a quarter
        x, many = draw.normal(size=(400, 4)) + 0.5, draw.normal(size=(320, 4))
        copies = many[known]
        found = (
            figure(x, many[:40], np.arange(40)),
            figure(x, copies, known),
            figure(x, copies, np.arange(320)),  # what ignoring the groups would claim
            figure(x, many, np.arange(320)),
        )
        errors.append([estimate_of([f]).se for f in found])
    alone, grouped, ignored, more = np.sqrt(np.square(errors).mean(0))
    assert grouped > 0.75 * alone
    assert ignored < 0.65 * alone
    assert more < 0.65 * alone


def test_kernel_distance_counts_no_pair_of_copies_of_one_original():
    """Copies resemble each other: counted as independent pairs they would raise the distance."""
    draw = np.random.default_rng(5)
    values, naive = [], []
    for _ in range(40):
        x, originals = draw.normal(size=(2, 40, 4))
        copies = np.repeat(originals, 4, axis=0)
        values.append(kernel(x, copies, np.repeat(np.arange(40), 4)).value)
        naive.append(kernel_distance(x, copies))
    assert abs(np.mean(values)) < 3 * np.std(values) / np.sqrt(40)
    assert np.mean(naive) > 3 * np.std(naive) / np.sqrt(40)  # what the groups are for


def test_kernel_distance_does_not_depend_on_the_blocks_it_is_computed_in(monkeypatch):
    x, y = np.random.default_rng(8).normal(size=(2, 50, 4))
    whole = kernel(x, y, np.arange(50))
    monkeypatch.setattr("sparring.evaluation.distances._BLOCK", 7)
    parts = kernel(x, y, np.arange(50))
    assert parts.value == pytest.approx(whole.value)
    np.testing.assert_allclose(parts.deviations[1], whole.deviations[1], rtol=1e-6)
