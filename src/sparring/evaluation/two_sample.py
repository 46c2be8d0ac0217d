"""The two-sample test: can a fresh judge tell samples from held-out reals? AUC 0.5 says it cannot.

Lopez-Paz & Oquab 2017, with AUC for accuracy and 2-fold cross-fitting: every row is scored by a
judge that has not seen it, nor a copy of its original, nor another model's sample of its noise.
"""

from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

from ..errors import UserError
from ..randomness import key_seed, numpy_generator
from .judges import FOLDS, Cells, Judge
from .statistics import Figure, Parts

Array = np.ndarray


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


def own_auc(judge: Judge, reals: Rows, samples: Rows, parts: Parts, seeds: list[int]) -> Figure:
    """P(a held-out real looks more real than a sample) to judges trained on this model alone.

    The mean over both folds of every split, for every seed; each seed begins the judge anew and
    draws other splits.
    """
    values, deviations = [], []
    for seed in seeds:
        own = [key_seed(seed, "split", n) for n in range(judge.splits)]
        cells = [
            Cells(rows.latents, np.stack([folds(rows.groups, split) for split in own]), part)
            for rows, part in ((reals, parts.reals), (samples, parts.samples))
        ]
        scores = judge(cells[0], cells[1], seed)
        aucs = np.mean(
            [_aucs(cells[0], cells[1], n, *of_split) for n, of_split in enumerate(scores)], axis=0
        )
        values.append(aucs[0])
        deviations.append(aucs[1:] - aucs[0])
    return Figure(np.array(values), (np.array(deviations),))


def judge_seeds(seed: int, count: int) -> list[int]:
    """The seeds of `count` judges, the same for every model."""
    return [key_seed(seed, "evaluation", "judge", n) for n in range(count)]


def auc(reals: Array, samples: Array) -> float:
    """P(a real scores above a sample), ties half, from scores `[N]` and `[M]`.

    Raises UserError where one class is missing: an AUC of one class alone means nothing.
    """
    if not len(reals) or not len(samples):
        raise UserError(
            f"evaluation: a fold holds {len(reals)} held-out reals and {len(samples)} samples, but "
            "an AUC needs both classes; hold out more layouts or raise evaluation.num_samples"
        )
    n, m = len(reals), len(samples)
    ranks = rankdata(np.concatenate([reals, samples]))[:n].sum()
    return float((ranks - n * (n + 1) / 2) / (n * m))


def _aucs(
    reals: Cells, samples: Cells, split: int, real_scores: Array, sample_scores: Array
) -> Array:
    """With all rows, then without each group; scores `[N,1+G]` of one split. Scores of different
    judges do not compare, so pairs are counted within folds."""
    sides = ((reals, real_scores), (samples, sample_scores))
    found = np.empty(real_scores.shape[1])
    for column in range(len(found)):
        kept = [cells.part != column - 1 for cells, _ in sides]
        found[column] = np.mean(
            [
                auc(
                    *(
                        scores[left & (cells.folds[split] == fold), column]
                        for left, (cells, scores) in zip(kept, sides, strict=True)
                    )
                )
                for fold in range(FOLDS)
            ]
        )
    return found
