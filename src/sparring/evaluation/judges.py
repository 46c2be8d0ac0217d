"""Judges: fresh networks that learn to tell reals from samples. No training of ours uses them.

Two families, so that what fools one need not fool the other: a shrunk linear discriminant on
random convolution features, and a small convolutional network. bench/judge_power.py measures the
power per CPU second of these and of others.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import numpy as np
import torch
import torch.nn.functional as F
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from torch import Tensor, nn

from ..interrupts import check_interrupts
from ..randomness import generator, key_seed, seeded_initialisation
from .features import RandomConvolutions, plane_moments

Array = np.ndarray
Scorer = Callable[[Array], Array]
"""Latents `[N,C,...]` to scores `[N]`: the greater, the more real they look to it."""

_BATCH = 128
_FEW = 64


class Judge(Protocol):
    """Learns from reals and samples, both `[N,C,...]`; the seed says how it begins."""

    def __call__(self, reals: Array, samples: Array, seed: int) -> Scorer:
        """What it has learnt."""
        ...


@dataclass(frozen=True)
class LinearJudge:
    """Linear discriminant analysis on random convolution features, drawn anew for every seed.

    The covariance is shrunk as Ledoit & Wolf 2004 have it, so that few rows do as well.
    """

    def __call__(self, reals: Array, samples: Array, seed: int) -> Scorer:
        """Fit; seconds for thousands of latents."""
        features = RandomConvolutions.like(reals, None, key_seed(seed, "linear_judge"))
        x = np.concatenate([features(reals), features(samples)])
        mean, std = x.mean(0), x.std(0) + 1e-6
        labels = np.repeat([1, 0], [len(reals), len(samples)])
        discriminant = LinearDiscriminantAnalysis(
            solver="lsqr", shrinkage="auto", priors=[0.5, 0.5]
        ).fit((x - mean) / std, labels)
        return lambda latents: discriminant.decision_function((features(latents) - mean) / std)


@dataclass(frozen=True)
class CnnJudge:
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

    def __call__(self, reals: Array, samples: Array, seed: int) -> Scorer:
        """Train."""
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
