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
    of_x = _pairs(x, x, x_groups, x_groups, apart=True)
    of_y = _pairs(y, y, y_groups, y_groups, apart=True)
    across = _pairs(x, y, x_groups, y_groups, apart=twins)
    # Within a set a group's rows are the first and the second of its pairs.
    without_x = of_x.without(of_x.rows, of_x.columns) + of_y.mean
    without_y = of_y.without(of_y.rows, of_y.columns) + of_x.mean
    return Figure.of(
        of_x.mean + of_y.mean - 2 * across.mean,
        without_x - 2 * across.without(across.rows),
        without_y - 2 * across.without(across.columns),
    )


@dataclass(frozen=True)
class _Pairs:
    """Sums of a kernel over pairs of rows of x and y, and the numbers of these pairs: those that
    the rows of each group of x are in, `[2,G]`, and of each group of y, `[2,H]`."""

    rows: Array
    columns: Array

    @property
    def mean(self) -> float:
        """Of the kernel over all pairs."""
        total, pairs = self.rows.sum(1)
        return float(total / pairs)

    def without(self, *groups: Array) -> Array:
        """The mean without the pairs of each group, which are `[2,G]`."""
        total, pairs = self.rows.sum(1, keepdims=True) - sum(groups)
        return total / pairs


def _pairs(x: Array, y: Array, x_groups: Array, y_groups: Array, *, apart: bool) -> _Pairs:
    """`apart`: only pairs of rows whose groups differ count."""
    rows = np.stack([np.zeros(len(x)), np.full(len(x), len(y))])
    columns = np.stack([np.zeros(len(y)), np.full(len(y), len(x))])
    for block in _blocks(len(x)):
        kernel = polynomial_kernel(x[block], y)
        if apart:
            same = x_groups[block][:, None] == y_groups[None]
            kernel[same] = 0
            rows[1, block] -= same.sum(1)
            columns[1] -= same.sum(0)
        rows[0, block] = kernel.sum(1)
        columns[0] += kernel.sum(0)
    return _Pairs(
        np.stack([_per_group(values, x_groups) for values in rows]),
        np.stack([_per_group(values, y_groups) for values in columns]),
    )


def _per_group(values: Array, groups: Array) -> Array:
    """The sum of one value per row over each group, in the order of the groups' names."""
    return np.bincount(np.unique(groups, return_inverse=True)[1], values)


def _blocks(count: int) -> list[slice]:
    return [slice(start, start + _BLOCK) for start in range(0, count, _BLOCK)]


def _sqrt(matrix: Array) -> Array:
    values, vectors = np.linalg.eigh(matrix)
    return (vectors * np.sqrt(np.clip(values, 0, None))) @ vectors.T
