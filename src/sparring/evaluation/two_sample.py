"""The two-sample test: can a fresh judge tell samples from held-out reals? AUC 0.5 says it cannot.

Lopez-Paz & Oquab 2017, with AUC for accuracy and 2-fold cross-fitting: every row is scored by a
judge that has not seen it, nor a copy of its original, nor another model's sample of its noise.
"""

from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

from ..errors import UserError
from ..randomness import key_seed, numpy_generator
from .judges import Judge, Scorer
from .statistics import Draws, Figure

Array = np.ndarray
FOLDS = 2


@dataclass(frozen=True)
class Rows:
    """Latents `[N,C,...]`, and the group of each: copies of one original, or one noise."""

    latents: Array
    groups: Array

    def __len__(self) -> int:
        return len(self.latents)


def folds(groups: Array, seed: int) -> Array:
    """0 or 1 per row, `[N]`: groups stay whole, and half of them go to either fold."""
    names, numbers = np.unique(groups, return_inverse=True)
    order = numpy_generator(seed, "evaluation", "folds").permutation(len(names))
    return (order % FOLDS)[numbers]


@dataclass(frozen=True)
class Panel:
    """Judges of one family, trained with several seeds on either fold."""

    scorers: list[list[Scorer]]
    """By seed, then by the fold that they have *not* seen."""
    seeds: list[int]

    def scores(self, rows: Rows) -> "Scores":
        """Every row by the judges that have not seen its fold."""
        scored = [np.empty(len(rows)) for _ in self.seeds]
        fold_of = [folds(rows.groups, seed) for seed in self.seeds]
        for values, own, scorers in zip(scored, fold_of, self.scorers, strict=True):
            for fold, scorer in enumerate(scorers):
                values[own == fold] = scorer(rows.latents[own == fold])
        return Scores(scored, fold_of)


@dataclass(frozen=True)
class Scores:
    """Scores `[N]` and folds `[N]` of rows, by seed."""

    values: list[Array]
    folds: list[Array]


def train_panel(judge: Judge, reals: Rows, samples: Rows, count: int, seed: int) -> Panel:
    """`count` judges of one family per fold, each with a seed and folds of its own."""
    seeds = [key_seed(seed, "evaluation", "judge", n) for n in range(count)]
    panel = []
    for own in seeds:
        sides = [(rows, folds(rows.groups, own)) for rows in (reals, samples)]
        for (_, fold), what in zip(sides, ("held-out reals", "samples"), strict=True):
            _require_both_folds(fold, what)
        scorers = []
        for unseen in range(FOLDS):
            seen = [rows.latents[fold != unseen] for rows, fold in sides]
            scorers.append(judge(seen[0], seen[1], own))
        panel.append(scorers)
    return Panel(panel, seeds)


def auc_figure(reals: Scores, samples: Scores, real_draws: Draws, sample_draws: Draws) -> Figure:
    """P(a real scores above a sample), the mean over folds, per seed, resampled.

    Scores of different judges do not compare, so pairs are counted within folds. Resamples weight
    the placements of rows (DeLong et al. 1988), which agrees with resampling pairs to first order.
    """
    values, resamples = [], []
    per_seed = zip(reals.values, reals.folds, samples.values, samples.folds, strict=True)
    for real, real_fold, fake, fake_fold in per_seed:
        placed_reals, placed_fakes = np.empty(len(real)), np.empty(len(fake))
        aucs = np.empty(FOLDS)
        for fold in range(FOLDS):
            own, other = real_fold == fold, fake_fold == fold
            above, below = placements(real[own], fake[other])
            aucs[fold] = above.mean()
            placed_reals[own], placed_fakes[other] = above - aucs[fold], below - aucs[fold]
        values.append(aucs.mean())
        resamples.append(
            aucs.mean() + real_draws.means(placed_reals) + sample_draws.means(placed_fakes)
        )
    return Figure(np.array(values), np.array(resamples))


def placements(reals: Array, samples: Array) -> tuple[Array, Array]:
    """The share of samples below each real `[N]`, and of reals above each sample `[M]`; ties half.

    Raises UserError where one class is missing: an AUC of one class alone means nothing.
    """
    if not len(reals) or not len(samples):
        raise UserError(
            f"evaluation: a fold holds {len(reals)} held-out reals and {len(samples)} samples, but "
            "an AUC needs both classes; hold out more layouts or raise evaluation.num_samples"
        )
    ranks = rankdata(np.concatenate([reals, samples]))
    n, m = len(reals), len(samples)
    above = (ranks[:n] - rankdata(reals)) / m
    below = (ranks[n:] - rankdata(samples)) / n
    return above, 1 - below


def turns(models: int, count: int, per_noise: int = 2) -> list[Array]:
    """Rows of each model that fixed scorers train on, ascending: of every noise (row) the samples
    of `per_noise` models in turn.

    All models have equal shares, and there are as many rows whatever the number of models.
    """
    numbers, taken = np.arange(count), min(per_noise, models)
    turn = [(numbers + step * max(1, models // taken)) % models for step in range(taken)]
    return [np.flatnonzero(np.any([t == m for t in turn], axis=0)) for m in range(models)]


def _require_both_folds(fold: Array, what: str) -> None:
    smallest = min(int((fold == f).sum()) for f in range(FOLDS))
    if smallest < 2:
        raise UserError(
            f"evaluation: a fold has {smallest} of {len(fold)} {what}, expected at least 2; hold "
            "out more layouts or raise evaluation.num_samples"
        )
