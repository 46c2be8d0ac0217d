"""Fréchet and kernel distance between two feature sets, with resamples."""

import numpy as np

from .statistics import Draws, Figure

Array = np.ndarray
_BLOCK = 512


def frechet_distance(x: Array, y: Array) -> float:
    """|m_x - m_y|^2 + tr(S_x + S_y - 2 (S_x S_y)^(1/2)) of features `[N,d]`, `[M,d]`.

    Dowson & Landau 1982; Heusel et al. 2017, eq. 6. Biased upwards by about d (d + 3) / 4 (1/N +
    1/M) mean variances, so compare only at equal N and M and beside a real-against-real figure.
    """
    return _frechet(*_moments(x, np.ones(len(x))), *_moments(y, np.ones(len(y))))


def frechet_figure(x: Array, y: Array, x_draws: Draws, y_draws: Draws) -> Figure:
    """Fréchet distance of samples x `[N,d]` to reals y `[M,d]`, resampled.

    A resample holds rows twice, which raises distances: only the spread of resamples counts.
    """
    resamples = [
        _frechet(*_moments(x, w), *_moments(y, v))
        for w, v in zip(x_draws.weights, y_draws.weights, strict=True)
    ]
    return Figure.of(frechet_distance(x, y), np.array(resamples))


def polynomial_kernel(x: Array, y: Array) -> Array:
    """k(a, b) = (a b / d + 1)^3, `[N,M]`. Bińkowski et al. 2018, section 4."""
    return (x @ y.T / x.shape[1] + 1) ** 3


def kernel_distance(x: Array, y: Array) -> float:
    """Unbiased squared MMD with the polynomial kernel. Gretton et al. 2012, eq. 3.

    Zero in expectation for equal distributions, so it may be negative.
    """
    ones = [np.ones((1, len(rows))) for rows in (x, y)]
    return float(_mmd(x, y, np.arange(len(x)), np.arange(len(y)), *ones)[0])


def kernel_figure(x: Array, y: Array, x_draws: Draws, y_draws: Draws) -> Figure:
    """Kernel distance of samples x `[N,d]` to reals y `[M,d]`, resampled.

    Pairs of a row with itself, its bootstrap copy or another copy of its original are not
    independent and would bias the estimate: they are not counted.
    """
    w = np.concatenate([np.ones((1, len(x))), x_draws.weights])
    v = np.concatenate([np.ones((1, len(y))), y_draws.weights])
    values = _mmd(x, y, x_draws.groups, y_draws.groups, w, v)
    return Figure.of(float(values[0]), values[1:])


def _mmd(x: Array, y: Array, x_groups: Array, y_groups: Array, w: Array, v: Array) -> Array:
    """One value per row of the weights w `[B,N]`, v `[B,M]`; kernels in blocks of rows, so that
    memory does not grow with N squared."""
    within = _within(x, x_groups, w) + _within(y, y_groups, v)
    across = np.zeros(len(w))
    for rows in _blocks(len(x)):
        across += ((polynomial_kernel(x[rows], y) @ v.T) * w[:, rows].T).sum(0)
    return within - 2 * across / (w.sum(1) * v.sum(1))


def _within(x: Array, groups: Array, w: Array) -> Array:
    """The mean kernel over pairs of different groups, per row of the weights `[B,N]`."""
    total = np.zeros(len(w))
    for rows in _blocks(len(x)):
        kernel = polynomial_kernel(x[rows], x)
        kernel[groups[rows][:, None] == groups[None]] = 0
        total += ((kernel @ w.T) * w[:, rows].T).sum(0)
    shares = np.stack([np.bincount(groups, row) for row in w])
    return total / (w.sum(1) ** 2 - (shares**2).sum(1))


def _blocks(count: int) -> list[slice]:
    return [slice(start, start + _BLOCK) for start in range(0, count, _BLOCK)]


def _moments(x: Array, weights: Array) -> tuple[Array, Array]:
    """Mean `[d]` and covariance `[d,d]` of rows that count as often as the weights say."""
    mean = weights @ x / weights.sum()
    centred = x - mean
    return mean, (centred * weights[:, None]).T @ centred / (weights.sum() - 1)


def _frechet(m_x: Array, s_x: Array, m_y: Array, s_y: Array) -> float:
    root = _sqrt(s_x)
    eigenvalues = np.linalg.eigvalsh(root @ s_y @ root)
    cross = np.sqrt(np.clip(eigenvalues, 0, None)).sum()
    mean = m_x - m_y
    return float(mean @ mean + np.trace(s_x) + np.trace(s_y) - 2 * cross)


def _sqrt(matrix: Array) -> Array:
    values, vectors = np.linalg.eigh(matrix)
    return (vectors * np.sqrt(np.clip(values, 0, None))) @ vectors.T
