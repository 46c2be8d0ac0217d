"""Judges: fresh networks that learn to tell reals from samples. No training of ours uses them.

Two families, so that what fools one need not fool the other: a shrunk linear discriminant on
random convolution features, and a small convolutional network. bench/judge_power.py measures the
power per CPU second of these and of others.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import pairwise

import numpy as np
import torch
import torch.nn.functional as F
from scipy.linalg import cho_factor, cho_solve
from torch import Tensor, nn

from ..interrupts import check_interrupts
from ..randomness import generator, key_seed, seeded_initialisation
from .features import WIDTHS, RandomConvolutions, plane_moments

Array = np.ndarray
Scorer = Callable[[Array], Array]
"""Latents `[N,C,...]` to scores `[N]`: the greater, the more real they look to it."""

FOLDS = 2
_BATCH = 128
_FEW = 64


@dataclass(frozen=True)
class Cells:
    """Latents `[N,C,...]`, the fold of each row in P splits `[P,N]`, and the group `[N]` that a
    jackknife leaves out."""

    latents: Array
    folds: Array
    part: Array

    @property
    def parts(self) -> int:
        """The number of groups, G."""
        return int(self.part.max()) + 1


Learner = Callable[[Sequence[Array]], Sequence[Array]]
"""Masks `[N]`, `[M]` of the reals and samples to learn from, to scores `[n,1+G]`, `[m,1+G]` of all
others: having learnt from all of these rows, and from them without each group. `[n,1]` where
leaving out a group changes nothing."""


class Judge(ABC):
    """Learns from reals and samples; the seed says how it begins."""

    splits: int
    """How many splits into two folds a figure is averaged over."""

    @abstractmethod
    def learner(self, reals: Cells, samples: Cells, seed: int) -> Learner:
        """What learns from some of the rows and scores the rest."""

    def __call__(self, reals: Cells, samples: Cells, seed: int) -> Iterator[tuple[Array, ...]]:
        """Of every split, scores of reals `[N,1+G]` and of samples `[M,1+G]`, every row by what has
        not seen its fold."""
        learn, groups = self.learner(reals, samples, seed), max(reals.parts, samples.parts)
        for both_folds in zip(reals.folds, samples.folds, strict=True):
            scores = tuple(np.empty((len(fold), 1 + groups)) for fold in both_folds)
            for unseen in range(FOLDS):
                of_unseen = learn([fold != unseen for fold in both_folds])
                for found, fold, those in zip(scores, both_folds, of_unseen, strict=True):
                    found[fold == unseen] = those
            yield scores


@dataclass(frozen=True)
class LinearJudge(Judge):
    """Linear discriminant analysis on random convolution features, drawn anew for every seed.

    The covariance within classes is shrunk towards a multiple of the identity (Chen et al. 2010,
    "OAS"), so that few rows do as well. All that it learns from is a set's count, sum and Gram
    matrix, which add up over groups: leaving one out costs a solution of 320 equations, not a pass
    over the data.
    """

    widths: tuple[int, ...] = WIDTHS
    splits: int = 4
    """Features are what costs, and serve them all. Half of a judge's own chance is the split's."""

    def learner(self, reals: Cells, samples: Cells, seed: int) -> Learner:
        """Takes features once; a fit is seconds for thousands of latents."""
        convolutions = RandomConvolutions.like(
            reals.latents, None, key_seed(seed, "linear_judge"), self.widths
        )
        sides, groups = (reals, samples), max(reals.parts, samples.parts)
        features = [convolutions(cells.latents) for cells in sides]
        # Differences of squares lose digits far from 0.
        centre = np.concatenate([x[:_FEW] for x in features]).mean(0)
        features = [x - centre for x in features]

        def learn(seen: Sequence[Array]) -> list[Array]:
            sums = (
                _leaving_out(x[rows], cells.part[rows], groups)
                for x, rows, cells in zip(features, seen, sides, strict=True)
            )
            directions = np.stack([_direction(*pair) for pair in zip(*sums, strict=True)], 1)
            return [x[~rows] @ directions for x, rows in zip(features, seen, strict=True)]

        return learn


@dataclass(frozen=True)
class _Sums:
    """The count, the sum `[d]` and the Gram matrix `[d,d]` of some rows of features."""

    count: int
    total: Array
    gram: Array

    @classmethod
    def of(cls, x: Array) -> "_Sums":
        return cls(len(x), x.sum(0), x.T @ x)

    def __add__(self, other: "_Sums") -> "_Sums":
        return _Sums(self.count + other.count, self.total + other.total, self.gram + other.gram)

    def __sub__(self, other: "_Sums") -> "_Sums":
        return _Sums(self.count - other.count, self.total - other.total, self.gram - other.gram)


def _leaving_out(x: Array, part: Array, parts: int) -> Iterator[_Sums]:
    """Of all rows, then without each group."""
    of_parts = [_Sums.of(x[part == g]) for g in range(parts)]
    total = reduce(_Sums.__add__, of_parts)
    yield total
    yield from (total - part for part in of_parts)


def _direction(reals: _Sums, samples: _Sums) -> Array:
    """The discriminant `[d]` between two classes that count alike, whatever their numbers."""
    means = np.stack([side.total / max(side.count, 1) for side in (reals, samples)])
    within = reals.gram / (2 * max(reals.count, 1))
    within += samples.gram / (2 * max(samples.count, 1))
    within -= means.T @ means / 2
    gap = means[0] - means[1]
    # Features differ in scale by far: shrink what is standardised.
    std = np.sqrt(np.maximum(within.diagonal() + gap**2 / 4, 0)) + 1e-6
    within /= std[:, None]
    within /= std
    d, count = len(std), reals.count + samples.count
    trace, square = float(within.trace()), float(np.vdot(within, within))
    bound = (count + 1) * (square - trace**2 / d)
    shrinkage = min(1.0, (square + trace**2) / bound) if bound > 0 else 1.0
    within *= 1 - shrinkage
    within[np.diag_indices(d)] += shrinkage * trace / d + 1e-9
    return cho_solve(cho_factor(within, check_finite=False), gap / std, check_finite=False) / std


@dataclass(frozen=True)
class CnnJudge(Judge):
    """A convolutional network trained by binary cross-entropy on batches of half reals.

    Its statistics (mean and standard deviation over the plane of every level) begin as random
    convolution features do, and are then learnt. No normalisation within a latent: it would hide
    its scale. Training has `epochs` passes over the larger set, and at least `min_steps` steps.
    """

    widths: tuple[int, ...] = (16, 32)
    first_stride: int = 2
    epochs: int = 8
    min_steps: int = 60
    learning_rate: float = 3e-3
    weight_decay: float = 0.02
    splits: int = 1

    def learner(self, reals: Cells, samples: Cells, seed: int) -> Learner:
        """Trains a network per fold. None is trained anew without a group, which would take ten
        times as long: its intervals are too narrow by the chance of the rows that it learns from,
        so that no claim may rest on it."""
        both = (reals.latents, samples.latents)

        def learn(seen: Sequence[Array]) -> list[Array]:
            ours, theirs = (x[rows] for x, rows in zip(both, seen, strict=True))
            scorer = self.train(ours, theirs, seed)
            return [scorer(x[~rows])[:, None] for x, rows in zip(both, seen, strict=True)]

        return learn

    def train(self, reals: Array, samples: Array, seed: int) -> Scorer:
        """One network on reals and samples, both `[N,C,...]`."""
        key = key_seed(seed, "cnn_judge")
        with seeded_initialisation(key, "network"):
            network = _Network(reals.shape[1], reals.ndim - 2, self.widths, self.first_stride)
        network.standardise(_first(reals, samples))
        steps = max(self.min_steps, self.epochs * max(len(reals), len(samples)) // (_BATCH // 2))
        optimizer = torch.optim.AdamW(
            network.parameters(), self.learning_rate, weight_decay=self.weight_decay
        )
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
        orders = (_rows(len(x), steps, key, which) for which, x in enumerate((reals, samples)))
        for real_rows, sample_rows in zip(*orders, strict=True):
            loss = F.softplus(-network(_tensor(reals[real_rows]))).mean()
            loss = loss + F.softplus(network(_tensor(samples[sample_rows]))).mean()
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            schedule.step()
            check_interrupts()
        return network.scores


JUDGES: dict[str, Judge] = {"linear": LinearJudge(), "cnn": CnnJudge()}
"""The families, by the name that their figures have."""


class _Network(nn.Module):
    """Latents `[B,C,...]` to logits `[B]`."""

    mean: Tensor
    std: Tensor

    def __init__(self, channels: int, axes: int, widths: tuple[int, ...], stride: int) -> None:
        super().__init__()
        conv = {2: nn.Conv2d, 3: nn.Conv3d}[axes]
        pairs = list(pairwise((channels, *widths)))
        self.levels = nn.ModuleList(
            conv(w_in, w_out, 3, stride=stride if level == 0 else 2, padding=1)
            for level, (w_in, w_out) in enumerate(pairs)
        )
        for weight in (p for p in self.levels.parameters() if p.ndim > 1):
            nn.init.kaiming_normal_(weight, a=0.2)
        self.head = nn.Linear(2 * sum(widths), 1)
        self.register_buffer("mean", torch.zeros(2 * sum(widths)))
        self.register_buffer("std", torch.ones(2 * sum(widths)))
        nn.init.zeros_(self.head.weight)

    def statistics(self, x: Tensor) -> Tensor:
        """[B,C,...] -> [B,F]."""
        found: list[Tensor] = []
        for level in self.levels:
            x = F.leaky_relu(level(x), 0.2)
            found += plane_moments(x, eps=1e-6)
        return torch.cat(found, 1)

    def forward(self, x: Tensor) -> Tensor:
        """[B,C,...] -> [B]."""
        return self.head((self.statistics(x) - self.mean) / self.std).squeeze(-1)

    @torch.no_grad()
    def standardise(self, x: Tensor) -> None:
        """Let the statistics of these latents have mean 0 and variance 1 when training begins."""
        found = self.statistics(x)
        self.mean.copy_(found.mean(0))
        self.std.copy_(found.std(0) + 1e-3)

    @torch.no_grad()
    def scores(self, latents: Array) -> Array:
        """Logits, float64 `[N]`."""
        batches = (latents[start : start + 256] for start in range(0, len(latents), 256))
        return torch.cat([self(_tensor(batch)) for batch in batches]).double().numpy()


def _rows(count: int, steps: int, key: int, which: int) -> list[Array]:
    """Half a batch of row numbers per step: permutations one after another."""
    half = min(_BATCH // 2, count)
    passes = -(-steps * half // count)
    orders = [
        torch.randperm(count, generator=generator(key, "order", which, n)) for n in range(passes)
    ]
    rows = torch.cat(orders)[: steps * half].numpy()
    return [rows[step * half : (step + 1) * half] for step in range(steps)]


def _first(reals: Array, samples: Array) -> Tensor:
    half = 4 * _FEW
    return torch.cat([_tensor(reals[:half]), _tensor(samples[:half])])


def _tensor(latents: Array) -> Tensor:
    return torch.from_numpy(latents).float()
