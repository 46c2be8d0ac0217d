"""Fréchet and kernel distance between two feature sets, with jackknives."""

from dataclasses import dataclass

import numpy as np

from .statistics import Figure, Parts, jackknife

Array = np.ndarray
_BLOCK = 512


def frechet_distance(x: Array, y: Array) -> float:
    """|m_x - m_y|^2 + tr(S_x + S_y - 2 (S_x S_y)^(1/2)) of features `[N,d]`, `[M,d]`.

    Dowson & Landau 1982; Heusel et al. 2017, eq. 6. Biased upwards by about d (d + 3) / 4 (1/N +
    1/M) mean variances, so compare only at equal N and M and beside a real-against-real figure.
    """
    m_x, m_y = x.mean(0), y.mean(0)
    s_x, s_y = (np.cov(z, rowvar=False).reshape(z.shape[1], -1) for z in (x, y))
    root = _sqrt(s_x)
    eigenvalues = np.linalg.eigvalsh(root @ s_y @ root)
    cross = np.sqrt(np.clip(eigenvalues, 0, None)).sum()
    mean = m_x - m_y
    return float(mean @ mean + np.trace(s_x) + np.trace(s_y) - 2 * cross)


def frechet_figure(x: Array, y: Array, parts: Parts) -> Figure:
    """Fréchet distance of samples x `[N,d]` to reals y `[M,d]`."""
    figures = jackknife(lambda ours, theirs: {"": frechet_distance(x[ours], y[theirs])}, parts)
    return figures[""]


def polynomial_kernel(x: Array, y: Array) -> Array:
    """k(a, b) = (a b / d + 1)^3, `[N,M]`. Bińkowski et al. 2018, section 4."""
    return (x @ y.T / x.shape[1] + 1) ** 3


def kernel_distance(x: Array, y: Array) -> float:
    """Unbiased squared MMD with the polynomial kernel. Gretton et al. 2012, eq. 3.

    Zero in expectation for equal distributions, so it may be negative.
    """
    return kernel_figure(x, y, np.arange(len(x)), np.arange(len(y))).value


def kernel_figure(
    x: Array, y: Array, x_groups: Array, y_groups: Array, *, twins: bool = False
) -> Figure:
    """Kernel distance of samples x `[N,d]` to reals y `[M,d]`, with a delete-one jackknife.

    Every original and every noise is left out on its own: sums of kernels over its rows give the
    distance without it in closed form. The difference of two such figures is the relative test of
    Bounliphone et al. 2016. Pairs of rows of one original are not independent and are not counted;
    with `twins`, rows of x and y whose groups are equal are such pairs too.
    """
    within_x, within_y = _within(x, x_groups), _within(y, y_groups)
    rows, row_pairs = np.empty(len(x)), np.empty(len(x))
    columns, column_pairs = np.zeros(len(y)), np.zeros(len(y))
    for block in _blocks(len(x)):
        kernel = polynomial_kernel(x[block], y)
        counts = np.ones_like(kernel)
        if twins:
            counts[x_groups[block][:, None] == y_groups[None]] = 0
            kernel *= counts
        rows[block], row_pairs[block] = kernel.sum(1), counts.sum(1)
        columns += kernel.sum(0)
        column_pairs += counts.sum(0)
    total, pairs = rows.sum(), row_pairs.sum()
    across_x, across_y = (
        (total - _per_group(sums, groups)) / (pairs - _per_group(counts, groups))
        for sums, counts, groups in (
            (rows, row_pairs, x_groups), (columns, column_pairs, y_groups)
        )
    )  # fmt: skip
    value = within_x.mean + within_y.mean - 2 * total / pairs
    return Figure.of(
        float(value),
        within_x.without + within_y.mean - 2 * across_x,
        within_x.mean + within_y.without - 2 * across_y,
    )


@dataclass(frozen=True)
class _Within:
    """The mean kernel over pairs of rows of different groups: of all, and without each group."""

    mean: float
    without: Array


def _within(x: Array, groups: Array) -> _Within:
    rows = np.empty(len(x))
    for block in _blocks(len(x)):
        kernel = polynomial_kernel(x[block], x)
        kernel[groups[block][:, None] == groups[None]] = 0
        rows[block] = kernel.sum(1)
    total, of_group = rows.sum(), _per_group(rows, groups)
    sizes = _per_group(np.ones(len(x)), groups)
    pairs = len(x) ** 2 - (sizes**2).sum()
    # A group is in 2 sizes (N - sizes) ordered pairs: as the first and as the second of them.
    without = (total - 2 * of_group) / (pairs - 2 * sizes * (len(x) - sizes))
    return _Within(float(total / pairs), without)


def _per_group(values: Array, groups: Array) -> Array:
    """The sum of one value per row over each group, in the order of the groups' names."""
    return np.bincount(np.unique(groups, return_inverse=True)[1], values)


def _blocks(count: int) -> list[slice]:
    return [slice(start, start + _BLOCK) for start in range(0, count, _BLOCK)]


def _sqrt(matrix: Array) -> Array:
    values, vectors = np.linalg.eigh(matrix)
    return (vectors * np.sqrt(np.clip(values, 0, None))) @ vectors.T
