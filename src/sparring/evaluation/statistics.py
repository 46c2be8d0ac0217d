"""Figures with their uncertainty, and what differences of them say.

The chance in a figure has up to three sources, and each is measured on its own:

- the data (which reals were held out, which noises were drawn): a jackknife. One fixed partition
  cuts originals and noises into groups, the same for all models; the figure is computed again
  without each group, judges trained anew included (Efron & Tibshirani 1993, chapter 11);
- the instrument (random features, a judge's initialisation and folds): its seeds, as far as they
  differ by more than what each of them overfits, which the jackknife has counted;
- training: runs with different seeds.

The standard error adds the three up, and each is known as well as its number of repeats allows:
quantiles of Student's t, whose degrees of freedom are the parts' own, weighed by their shares.
bench/calibration.py counts how often all this is wrong.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import stdtr, stdtrit  # scipy.stats takes a second to import

from ..errors import UserError
from ..randomness import numpy_generator

Array = np.ndarray

GROUPS = 10
"""Groups that a jackknife leaves out, one at a time."""
_FEWEST = 4
"""Originals: with fewer, a fold of a judge could be left without any."""


def partition(names: Array, seed: int, what: str) -> Array:
    """The group of every row, from 0, `[N]`: `GROUPS` of them, or as many as there are names if
    these are fewer. Rows of one name share a group.

    The same names give the same groups, so figures of different models leave out the same data,
    which is what makes their differences paired. Raises UserError where there are too few names.
    """
    unique, numbers = np.unique(names, return_inverse=True)
    if len(unique) < _FEWEST:
        raise UserError(
            f"evaluation: {len(unique)} originals are held out (or noises sampled), expected at "
            f"least {_FEWEST}; hold out more layouts or raise evaluation.num_samples"
        )
    order = numpy_generator(seed, "evaluation", "partition", what).permutation(len(unique))
    return (order % GROUPS)[numbers]


@dataclass(frozen=True)
class Parts:
    """The groups that a jackknife leaves out: of samples `[N]` and of reals `[M]`.

    Group g of both is left out together. Where one side has fewer originals than the other has
    groups, its last groups are empty.
    """

    samples: Array
    reals: Array

    @classmethod
    def of(cls, samples: Array, reals: Array, seed: int) -> "Parts":
        """From the originals (noises) that rows belong to."""
        return cls(partition(samples, seed, "samples"), partition(reals, seed, "held_out"))

    @property
    def count(self) -> int:
        """The number of groups, G."""
        return int(max(self.samples.max(), self.reals.max())) + 1


@dataclass(frozen=True)
class Figure:
    """A figure: its value with each seed of the instrument, and how parts of the data change it.

    `values` is `[S]`; S is 1 where the instrument draws nothing. Every array of `deviations` is
    `[S,n]`: the value without one of n independent parts of the data, minus the value with all.
    """

    values: Array
    deviations: tuple[Array, ...]

    @classmethod
    def of(cls, value: float, *left_out: Array) -> "Figure":
        """Of an instrument without seeds; `left_out` are values `[n]` without each part."""
        return cls(np.array([value]), tuple(np.asarray(v)[None] - value for v in left_out))

    @property
    def value(self) -> float:
        """The mean over the instrument's seeds."""
        return float(self.values.mean())

    def minus(self, other: "Figure") -> "Figure":
        """The paired difference: seed by seed, part by part.

        Parts that are not as many are not shared (the noises of a model, and the training reals in
        their place): each then counts on its own.
        """
        if self.values.shape != other.values.shape:
            raise ValueError(
                f"figures of {len(self.values)} and {len(other.values)} seeds cannot be paired"
            )
        parts: list[Array] = []
        for ours, theirs in zip(self.deviations, other.deviations, strict=True):
            parts += [ours - theirs] if ours.shape == theirs.shape else [ours, -theirs]
        return Figure(self.values - other.values, tuple(parts))

    def to_json(self) -> dict[str, Any]:
        """Value, standard error, 95 % interval and what a paired difference needs, as JSON."""
        return estimate_of([self]).to_json() | {
            "values": [_rounded(v, 8) for v in self.values],
            "deviations": [
                [[_rounded(v, 5) for v in row] for row in part] for part in self.deviations
            ],
        }

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> "Figure":
        """What `to_json` wrote."""
        parts = tuple(np.array(part) for part in content["deviations"])
        return cls(np.array(content["values"]), parts)


def jackknife(
    compute: Callable[[Array, Array], dict[str, float]], parts: Parts
) -> dict[str, Figure]:
    """Figures by name from `compute(samples, reals)`, which gets the rows to use as bool arrays:
    all, then without group g of both."""
    everything = compute(np.ones(len(parts.samples), bool), np.ones(len(parts.reals), bool))
    without = [compute(parts.samples != g, parts.reals != g) for g in range(parts.count)]
    return {
        name: Figure.of(value, np.array([part[name] for part in without]))
        for name, value in everything.items()
    }


def mean_figure(values: Array, parts: Parts) -> Figure:
    """The mean over samples of one value each, `[N]`."""
    return jackknife(lambda samples, _: {"": float(values[samples].mean())}, parts)[""]


def gap_of_means(x: Array, y: Array, parts: Parts, scale: float) -> Figure:
    """scale * sum |mean x - mean y| over columns of samples `[N,F]` and reals `[M,F]`.

    What leaving out a group changes is taken of the signed differences, whose signs are kept: near
    0 an absolute value would fold them over, and hide how uncertain they are.
    """
    x, y = x.astype(float), y.astype(float)
    gap = x.mean(0) - y.mean(0)
    without = [
        scale * (x[parts.samples != g].mean(0) - y[parts.reals != g].mean(0)) @ np.sign(gap)
        for g in range(parts.count)
    ]
    return Figure.of(float(scale * np.abs(gap).sum()), np.array(without))


@dataclass(frozen=True)
class Estimate:
    """A figure or a difference, its standard error and that error's degrees of freedom."""

    value: float
    se: float
    freedom: float

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval."""
        reach = float(stdtrit(self.freedom, 0.975)) * self.se if self.se else 0.0
        return self.value - reach, self.value + reach

    def p_below(self, bound: float = 0.0) -> float:
        """The one-sided p of "is below `bound`": small where chance alone hardly gives it."""
        if not self.se:
            return 0.0 if self.value < bound else 1.0
        return float(stdtr(self.freedom, (self.value - bound) / self.se))

    def p_above(self, bound: float = 0.0) -> float:
        """The one-sided p of "is above `bound`"."""
        return Estimate(-self.value, self.se, self.freedom).p_below(-bound)

    def to_json(self) -> dict[str, Any]:
        """Value, standard error, degrees of freedom (null: infinitely many) and interval."""
        low, high = self.interval
        freedom = _rounded(self.freedom, 6) if np.isfinite(self.freedom) else None
        return {"value": self.value, "se": self.se, "df": freedom, "low": low, "high": high}


def estimate_of(runs: list[Figure]) -> Estimate:
    """The mean of a figure (or difference) over training runs.

    SE^2 = V_J + max(0, V_S - V_I) + V_R: the jackknife of the mean over runs and seeds (all runs
    share the reals, so more runs do not average their chance away), variance between the
    instrument's seeds / S, variance between runs / R. V_I is the part of V_S that V_J holds
    already: seeds differ because each overfits the data in its own way, and then they also differ
    in what leaving out a group changes. Of one run V_R is unknown: the estimate is of that run
    alone.

    The degrees of freedom are the harmonic mean of the parts', weighed by their variances, which
    gives about the quantile of Cochran & Cox 1957, "Experimental Designs". Satterthwaite's are
    more, and too many where few runs or seeds are most of the variance and by chance seem not to
    be.
    """
    values = np.array([run.values for run in runs])  # [R,S]
    count, seeds = values.shape
    parts: list[tuple[float, float]] = []
    counted = 0.0
    for block in zip(*(run.deviations for run in runs), strict=True):
        left_out = np.mean(block, axis=0)  # [S,n]
        n = left_out.shape[1]
        parts.append((float((n - 1) * left_out.mean(0).var()), n - 1))
        if seeds > 1:
            centred = left_out - left_out.mean(1, keepdims=True)
            counted += (n - 1) * float(centred.var(0, ddof=1).mean()) / seeds
    if seeds > 1:
        between = float(values.mean(0).var(ddof=1) / seeds)
        parts.append((max(0.0, between - counted), seeds - 1))
    if count > 1:
        parts.append((float(values.mean(1).var(ddof=1) / count), count - 1))
    variance = sum(v for v, _ in parts)
    spread = sum(v / freedom for v, freedom in parts)
    freedom = variance / spread if spread > 0 else float("inf")
    return Estimate(float(values.mean()), float(np.sqrt(variance)), freedom)


def holm(p: dict[str, float]) -> dict[str, float]:
    """Adjusted p-values by name (Holm 1979): of all claims below alpha, the chance that any is
    false is at most alpha."""
    adjusted, largest = {}, 0.0
    for rank, name in enumerate(sorted(p, key=lambda name: p[name])):
        largest = max(largest, min(1.0, (len(p) - rank) * p[name]))
        adjusted[name] = largest
    return adjusted


def _rounded(value: float, digits: int) -> float:
    """So many significant digits, so that files stay small."""
    return float(f"{value:.{digits}g}")
