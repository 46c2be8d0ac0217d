"""Figures with repeats and resamples, and what differences of them say."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from scipy.stats import t as student_t

from ..randomness import numpy_generator

Array = np.ndarray
_LEAST_QUANTILE = 2.0  # the protocol speaks of 2 standard errors


@dataclass(frozen=True)
class Draws:
    """Resamples of rows, the same for every model: how often each row is drawn.

    Copies of one original are no independent evidence, so rows of one group are drawn together.
    The same seed and groups give the same draws: figures of different models are then resampled
    together, which is what makes their differences paired.
    """

    groups: Array
    """The number of each row's group, `[N]`."""
    counts: Array
    """How often each group is drawn, float64 `[B,G]`."""

    @classmethod
    def of(cls, groups: Array, resamples: int, seed: int, what: str) -> "Draws":
        """`resamples` bootstrap draws of the groups that name rows `[N]`; keyed by `what`."""
        names, numbers = np.unique(groups, return_inverse=True)
        counts = np.empty((resamples, len(names)))
        for b in range(resamples):
            draw = numpy_generator(seed, "evaluation", "resample", what, b)
            chosen = draw.integers(len(names), size=len(names))
            while len(names) > 1 and (chosen == chosen[0]).all():  # one alone has no distances
                chosen = draw.integers(len(names), size=len(names))
            counts[b] = np.bincount(chosen, minlength=len(names))
        return cls(numbers, counts)

    @property
    def size(self) -> int:
        """The number of resamples, B."""
        return len(self.counts)

    @cached_property
    def weights(self) -> Array:
        """How often each row is drawn, float64 `[B,N]`."""
        return self.counts[:, self.groups]

    def means(self, values: Array) -> Array:
        """The mean of one value per row, `[N]`, in every resample, `[B]`."""
        return self.weights @ values / self.weights.sum(1)


@dataclass(frozen=True)
class Figure:
    """A figure: its value in each repeat with another seed of the instrument, and in resamples.

    `values` is `[S]` and `resamples` `[S,B]`; S is 1 where the instrument draws nothing.
    """

    values: Array
    resamples: Array

    @classmethod
    def of(cls, value: float, resamples: Array) -> "Figure":
        """Of an instrument without repeats; `resamples` is `[B]`."""
        return cls(np.array([value]), np.asarray(resamples)[None])

    @classmethod
    def mean_of(cls, values: Array, draws: Draws) -> "Figure":
        """The mean over rows of one value each, `[N]`."""
        return cls.of(float(values.mean()), draws.means(values))

    @property
    def value(self) -> float:
        """The mean of the repeats."""
        return float(self.values.mean())

    @property
    def standard_error(self) -> float:
        """sqrt(v + s^2/S): v from resampled rows, s^2 between the repeats.

        v is the mean of the repeats' own variances and not that of their mean: all repeats train
        on parts of the same rows, so averaging them does not average the rows' chance away.
        """
        between = self.values.var(ddof=1) / len(self.values) if len(self.values) > 1 else 0.0
        return float(np.sqrt(self.resamples.var(axis=1, ddof=1).mean() + between))

    def minus(self, other: "Figure") -> "Figure":
        """The paired difference: repeat by repeat, resample by resample."""
        if self.resamples.shape != other.resamples.shape:
            raise ValueError(
                f"figures of {self.resamples.shape} and {other.resamples.shape} repeats and "
                "resamples cannot be paired"
            )
        return Figure(self.values - other.values, self.resamples - other.resamples)

    def to_json(self) -> dict[str, Any]:
        """Value, standard error, 95 % interval and what a paired difference needs, as JSON."""
        estimate = estimate_of([self])
        return {
            "value": self.value,
            "se": self.standard_error,
            "low": estimate.low,
            "high": estimate.high,
            "values": [_rounded(v) for v in self.values],
            "resamples": [[_rounded(v) for v in row] for row in self.resamples],
        }

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> "Figure":
        """What `to_json` wrote."""
        return cls(np.array(content["values"]), np.array(content["resamples"]))


@dataclass(frozen=True)
class Estimate:
    """A figure or a difference, its standard error and its 95 % interval."""

    value: float
    se: float
    low: float
    high: float

    @property
    def below_zero(self) -> bool:
        """Whether the whole interval lies below 0."""
        return self.high < 0

    @property
    def above_zero(self) -> bool:
        """Whether the whole interval lies above 0."""
        return self.low > 0


def estimate_of(runs: list[Figure]) -> Estimate:
    """The mean of a figure (or difference) over training runs with different seeds.

    With R runs the standard error is sqrt(v + u^2/R): u^2 is the variance between the runs, v that
    of resampled rows, which all runs share. The interval is the mean +- q standard errors, q at
    least 2 and more where few runs say little of u (Student's t with Welch and Satterthwaite's
    degrees of freedom).
    """
    mean = Figure(
        np.mean([run.values for run in runs], axis=0),
        np.mean([run.resamples for run in runs], axis=0),
    )
    rows, count = mean.standard_error**2, len(runs)
    between = float(np.var([run.value for run in runs], ddof=1) / count) if count > 1 else 0.0
    quantile = _LEAST_QUANTILE
    if between > 0:
        freedom = (count - 1) * ((rows + between) / between) ** 2
        quantile = max(quantile, float(student_t.ppf(0.975, freedom)))
    se = float(np.sqrt(rows + between))
    return Estimate(mean.value, se, mean.value - quantile * se, mean.value + quantile * se)


def gap_of_means(x: Array, y: Array, x_draws: Draws, y_draws: Draws, scale: float) -> Figure:
    """scale * sum |mean x - mean y| over columns of `[N,F]`, `[M,F]`.

    Resamples are laid around the signed differences of the columns, whose signs are kept: near 0
    an absolute value would fold them over, and hide how uncertain they are.
    """
    difference = x.mean(0) - y.mean(0)
    drawn = _means(x, x_draws) - _means(y, y_draws)
    sign = np.sign(difference)
    return Figure.of(float(scale * np.abs(difference).sum()), scale * (drawn * sign).sum(1))


def _means(values: Array, draws: Draws) -> Array:
    return draws.weights @ values.astype(float) / draws.weights.sum(1)[:, None]


def _rounded(value: float) -> float:
    """Six digits: files stay small, and differences of figures near 1 keep four."""
    return float(f"{value:.6g}")
