"""Figures from nearest neighbours: precision, recall, density, coverage, memorisation."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from ..randomness import generator, numpy_generator
from .statistics import Figure, Parts

Array = np.ndarray
K = 5
_BLOCK = 512
_PROJECTED = 256


def manifold_figures(
    samples: Array, reals: Array, groups: tuple[Array, Array], parts: Parts, k: int = K
) -> dict[str, Figure]:
    """Precision and recall (Kynkäänniemi et al. 2019), density and coverage (Naeem et al. 2020).

    Features `[N,d]`, `[M,d]`; `groups` are the originals (noises) of samples and of reals. Balls
    reach to a row's k-th neighbour of another group. All four depend on N and M, so they compare
    only at equal numbers, and beside real against real.
    """
    around_samples = _radii(samples, groups[0], parts.samples, k)
    around_reals = _radii(reals, groups[1], parts.reals, k)
    count = around_reals.shape[1]
    inside, density = np.empty((len(samples), count)), np.empty((len(samples), count))
    covered = np.zeros((len(reals), count), dtype=bool)
    recalled = np.zeros((len(reals), count), dtype=bool)
    for rows in _blocks(len(samples)):
        distances = _squared(samples[rows], reals)
        for column in range(count):
            kept = parts.reals != column - 1
            ours = (parts.samples[rows] != column - 1)[:, None]
            within = (distances < around_reals[:, column]) & kept
            inside[rows, column], density[rows, column] = within.any(1), within.sum(1) / k
            covered[:, column] |= (within & ours).any(0)
            reached = (distances < around_samples[rows, column, None]) & ours
            recalled[:, column] |= reached.any(0)
    return {
        "precision": _mean_of_kept(inside, parts.samples),
        "recall": _mean_of_kept(recalled, parts.reals),
        "density": _mean_of_kept(density, parts.samples),
        "coverage": _mean_of_kept(covered, parts.reals),
    }


def _mean_of_kept(values: Array, part: Array) -> Figure:
    """Of values `[N,1+G]`, with all rows and without each part: the mean over the rows kept."""
    means = [values[part != column - 1, column].mean() for column in range(values.shape[1])]
    return Figure.of(float(means[0]), np.array(means[1:]))


class Projection:
    """Latents `[N,C,...]` to float32 `[N,256]`, fixed by the seed.

    A random projection keeps distances to within some 10 % (Johnson & Lindenstrauss 1984): a copy
    stays the nearest of thousands, at a hundredth of the arithmetic.
    """

    def __init__(self, latent_shape: Sequence[int], seed: int) -> None:
        size = int(np.prod(latent_shape))
        draw = generator(seed, "evaluation", "projection")
        self._matrix = torch.randn(size, _PROJECTED, generator=draw) / _PROJECTED**0.5

    def __call__(self, latents: Array) -> Array:
        """[N,C,...] -> [N,256]."""
        batches = (latents[start : start + _BLOCK] for start in range(0, len(latents), _BLOCK))
        found = [torch.from_numpy(b).float().flatten(1) @ self._matrix for b in batches]
        return torch.cat(found).numpy()


@dataclass(frozen=True)
class Projected:
    """Projected latents `[N,256]` and the number of each one's original, `[N]`."""

    latents: Array
    groups: Array


def memorisation_figure(
    samples: Projected, train: Projected, held_out: Projected, parts: Parts, seeds: Sequence[int]
) -> Figure:
    """Share of samples whose nearest layout lies in train and not in the held-out set.

    For every seed as many training originals are drawn as are held out, so that 0.5 is what
    a model gives that has memorised nothing (Meehan et al. 2020 call it data-copying). A
    sample that is itself a training layout is not compared with its own original. The drawn
    originals are chance too: the jackknife leaves out a group of them with the others.
    """
    count = parts.count
    to_held_out = _nearest(samples, held_out, parts.reals, count)
    names, numbers = np.unique(train.groups, return_inverse=True)
    wanted = len(np.unique(held_out.groups))
    values, deviations = [], []
    for seed in seeds:
        draw = numpy_generator(seed, "evaluation", "memorisation")
        order = draw.permutation(len(names))[:wanted]
        part = np.full(len(names), -1)
        part[order] = np.arange(len(order)) % count
        part_of_row = part[numbers]
        rows = part_of_row >= 0
        drawn = Projected(train.latents[rows], train.groups[rows])
        to_train = _nearest(samples, drawn, part_of_row[rows], count)
        copied = (to_train < to_held_out) + 0.5 * (to_train == to_held_out)
        figure = _mean_of_kept(copied, parts.samples)
        values.append(figure.value)
        deviations.append(figure.deviations[0][0])
    return Figure(np.array(values), (np.array(deviations),))


def nearest_originals(samples: Array, train: Array, k: int = 3) -> tuple[Array, Array]:
    """Rows of the k nearest of `train` `[M,256]` to every sample, `[N,k]`, and how far they are."""
    k = min(k, len(train))
    rows, distances = np.empty((len(samples), k), dtype=np.int64), np.empty((len(samples), k))
    for block in _blocks(len(samples)):
        found = _squared(samples[block], train)
        near = np.argsort(found, axis=1, kind="stable")[:, :k]
        rows[block] = near
        distances[block] = np.sqrt(np.take_along_axis(found, near, 1))
    return rows, distances


def _nearest(x: Projected, y: Projected, part: Array, count: int) -> Array:
    """Squared distance of every row of x to its nearest in y of another group, `[N,1+G]`: with
    all of y, and without each of `count` parts."""
    found = np.empty((len(x.latents), count))
    for rows in _blocks(len(found)):
        distances = _squared(x.latents[rows], y.latents)
        distances[x.groups[rows][:, None] == y.groups[None]] = np.inf
        for p in range(count):
            found[rows, p] = distances[:, part == p].min(1, initial=np.inf)
    others = [np.delete(found, p, axis=1).min(1) for p in range(count)]
    return np.stack([found.min(1), *others], 1)


def _radii(x: Array, groups: Array, part: Array, k: int) -> Array:
    """Squared distance to the k-th neighbour of another group, `[N,1+G]`: among all rows, and
    without each part."""
    count = int(part.max()) + 1
    found = np.empty((len(x), 1 + count))
    for rows in _blocks(len(x)):
        distances = _squared(x[rows], x)
        distances[groups[rows][:, None] == groups[None]] = np.inf
        # The k nearest of every part are all that any k-th neighbour can be.
        near = [_smallest(distances[:, part == p], k) for p in range(count)]
        for column in range(1 + count):
            kept = np.concatenate([near[p] for p in range(count) if p != column - 1], axis=1)
            found[rows, column] = np.partition(kept, k - 1, axis=1)[:, k - 1]
    return found


def _smallest(values: Array, k: int) -> Array:
    """The k smallest of each row, in any order; all where there are fewer."""
    return values if values.shape[1] <= k else np.partition(values, k - 1, axis=1)[:, :k]


def _squared(x: Array, y: Array) -> Array:
    """Squared Euclidean distances `[N,M]`."""
    return np.clip((x**2).sum(1)[:, None] + (y**2).sum(1)[None] - 2 * x @ y.T, 0, None)


def _blocks(count: int) -> list[slice]:
    return [slice(start, start + _BLOCK) for start in range(0, count, _BLOCK)]
