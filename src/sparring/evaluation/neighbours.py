"""Figures from nearest neighbours: precision, recall, density, coverage, memorisation."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from ..randomness import generator, numpy_generator
from .statistics import Draws, Figure

Array = np.ndarray
K = 5
_BLOCK = 512
_PROJECTED = 256


def manifold_figures(
    samples: Array, reals: Array, sample_draws: Draws, real_draws: Draws, k: int = K
) -> dict[str, Figure]:
    """Precision and recall (Kynkäänniemi et al. 2019), density and coverage (Naeem et al. 2020).

    Features `[N,d]`, `[M,d]`. Balls reach to a row's k-th neighbour of another group. All four
    depend on N and M, so they compare only at equal numbers, and beside the null's.
    """
    around_reals = _radii(reals, real_draws.groups, k)
    around_samples = _radii(samples, sample_draws.groups, k)
    inside, density = np.empty(len(samples)), np.empty(len(samples))
    covered, recalled = np.zeros(len(reals), dtype=bool), np.zeros(len(reals), dtype=bool)
    for rows in _blocks(len(samples)):
        distances = _squared(samples[rows], reals)
        within = distances < around_reals[None]
        inside[rows], density[rows] = within.any(1), within.sum(1) / k
        covered |= within.any(0)
        recalled |= (distances < around_samples[rows][:, None]).any(0)
    return {
        "precision": Figure.mean_of(inside, sample_draws),
        "recall": Figure.mean_of(recalled.astype(float), real_draws),
        "density": Figure.mean_of(density, sample_draws),
        "coverage": Figure.mean_of(covered.astype(float), real_draws),
    }


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
    samples: Projected, train: Projected, held_out: Projected, draws: Draws, seeds: Sequence[int]
) -> Figure:
    """Share of samples whose nearest layout lies in train and not in the held-out set.

    For every seed as many training originals are drawn as are held out, so that 0.5 is what
    a model gives that has memorised nothing (Meehan et al. 2020 call it data-copying). A
    sample that is itself a training layout is not compared with its own original.
    """
    to_held_out = _nearest(samples, held_out)
    names, numbers = np.unique(train.groups, return_inverse=True)
    wanted = len(np.unique(held_out.groups))
    values, resamples = [], []
    for seed in seeds:
        draw = numpy_generator(seed, "evaluation", "memorisation")
        chosen = draw.permutation(len(names))[:wanted]
        rows = np.isin(numbers, chosen)
        to_train = _nearest(samples, Projected(train.latents[rows], train.groups[rows]))
        copied = (to_train < to_held_out) + 0.5 * (to_train == to_held_out)
        values.append(copied.mean())
        resamples.append(draws.means(copied))
    return Figure(np.array(values), np.array(resamples))


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


def _nearest(x: Projected, y: Projected) -> Array:
    """The squared distance of every row of x to its nearest in y of another group."""
    found = np.empty(len(x.latents))
    for rows in _blocks(len(found)):
        distances = _squared(x.latents[rows], y.latents)
        distances[x.groups[rows][:, None] == y.groups[None]] = np.inf
        found[rows] = distances.min(1)
    return found


def _radii(x: Array, groups: Array, k: int) -> Array:
    """Squared distance to the k-th neighbour of another group, `[N]`."""
    found = np.empty(len(x))
    for rows in _blocks(len(x)):
        distances = _squared(x[rows], x)
        distances[groups[rows][:, None] == groups[None]] = np.inf
        found[rows] = np.partition(distances, k - 1, axis=1)[:, k - 1]
    return found


def _squared(x: Array, y: Array) -> Array:
    """Squared Euclidean distances `[N,M]`."""
    return np.clip((x**2).sum(1)[:, None] + (y**2).sum(1)[None] - 2 * x @ y.T, 0, None)


def _blocks(count: int) -> list[slice]:
    return [slice(start, start + _BLOCK) for start in range(0, count, _BLOCK)]
