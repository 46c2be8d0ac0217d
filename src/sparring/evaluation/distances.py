"""Fréchet and kernel distance between two feature sets, with bootstrap intervals."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Array = np.ndarray


def frechet_distance(x: Array, y: Array) -> float:
    """|m_x - m_y|^2 + tr(S_x + S_y - 2 (S_x S_y)^(1/2)) of features `[N,d]`, `[M,d]`.

    Dowson & Landau 1982; Heusel et al. 2017, eq. 6. Biased upwards by about d (d + 3) / 4 (1/N +
    1/M) mean variances, so compare only at equal N and M and beside a real-against-real figure.
    """
    mean = x.mean(0) - y.mean(0)
    s_x, s_y = np.cov(x, rowvar=False), np.cov(y, rowvar=False)
    root = _sqrt(s_x)
    eigenvalues = np.linalg.eigvalsh(root @ s_y @ root)
    cross = np.sqrt(np.clip(eigenvalues, 0, None)).sum()
    return float(mean @ mean + np.trace(s_x) + np.trace(s_y) - 2 * cross)


def polynomial_kernel(x: Array, y: Array) -> Array:
    """k(a, b) = (a b / d + 1)^3, `[N,M]`. Bińkowski et al. 2018, section 4."""
    return (x @ y.T / x.shape[1] + 1) ** 3


def kernel_distance(x: Array, y: Array) -> float:
    """Unbiased squared MMD with the polynomial kernel. Gretton et al. 2012, eq. 3.

    Zero in expectation for equal distributions, so it may be negative.
    """
    return _KernelDistance(x, y, np.arange(len(y)))(np.arange(len(x)), np.arange(len(y)))


@dataclass(frozen=True)
class Estimate:
    """A figure and its 95 % interval."""

    value: float
    low: float
    high: float


def frechet_estimate(x: Array, y: Array, y_groups: Array, resamples: int, seed: int) -> Estimate:
    """Fréchet distance of samples x to reals y with a bootstrap interval."""
    value = frechet_distance(x, y)
    return _interval(
        value, lambda i, j: frechet_distance(x[i], y[j]), len(x), y_groups, resamples, seed
    )


def kernel_estimate(x: Array, y: Array, y_groups: Array, resamples: int, seed: int) -> Estimate:
    """Kernel distance of samples x to reals y with a bootstrap interval."""
    distance = _KernelDistance(x, y, y_groups)
    value = distance(np.arange(len(x)), np.arange(len(y)))
    return _interval(value, distance, len(x), y_groups, resamples, seed)


class _KernelDistance:
    """The kernel matrices once; resamples only weight them."""

    def __init__(self, x: Array, y: Array, y_groups: Array) -> None:
        self._xx, self._yy = polynomial_kernel(x, x), polynomial_kernel(y, y)
        self._xy = polynomial_kernel(x, y)
        # Pairs of a row with itself, its bootstrap copy or another copy of its original are not
        # independent and would bias the estimate.
        np.fill_diagonal(self._xx, 0)
        _, self._groups = np.unique(y_groups, return_inverse=True)
        self._yy[self._groups[:, None] == self._groups[None]] = 0

    def __call__(self, i: Array, j: Array) -> float:
        w = np.bincount(i, minlength=len(self._xx)).astype(float)
        v = np.bincount(j, minlength=len(self._yy)).astype(float)
        pairs_x = w.sum() ** 2 - (w**2).sum()
        pairs_y = v.sum() ** 2 - (np.bincount(self._groups, v) ** 2).sum()
        within = w @ self._xx @ w / pairs_x + v @ self._yy @ v / pairs_y
        return float(within - 2 * w @ self._xy @ v / (w.sum() * v.sum()))


def _interval(
    value: float,
    distance: Callable[[Array, Array], float],
    count: int,
    groups: Array,
    resamples: int,
    seed: int,
) -> Estimate:
    """The 95 % interval from resampling samples by row and reals by group.

    Copies of one original are no independent evidence, hence by group. A resample holds rows
    twice, which raises distances, so the resamples' spread is laid around the estimate instead of
    around their own mean.
    """
    draw = np.random.default_rng(seed)
    members = [np.flatnonzero(groups == name) for name in np.unique(groups)]
    values = np.empty(resamples)
    for index in range(resamples):
        rows = draw.integers(count, size=count)
        chosen = draw.integers(len(members), size=len(members))
        values[index] = distance(rows, np.concatenate([members[c] for c in chosen]))
    low, high = np.quantile(values - values.mean(), (0.025, 0.975))
    return Estimate(value, value + float(low), value + float(high))


def _sqrt(matrix: Array) -> Array:
    values, vectors = np.linalg.eigh(matrix)
    return (vectors * np.sqrt(np.clip(values, 0, None))) @ vectors.T
