"""The figures of one model: its samples against held-out reals."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import UserError
from ..randomness import key_seed
from ..settings.parts import EvaluationSettings
from .distances import frechet_figure, kernel_figure
from .features import RandomConvolutions
from .judges import JUDGES
from .neighbours import Projected, manifold_figures, memorisation_figure
from .statistics import Draws, Figure
from .two_sample import Rows, auc_figure, train_panel

KERNEL_FEATURES = 64
"""The kernel distance takes no more: at 5,000 rows it says little in more dimensions."""


@dataclass(frozen=True)
class Judged:
    """Everything that one model's figures are made from.

    `samples` are the model's, or training reals for the null; `reference` fixes the scale of
    features; `samples_at`, `train_at` and `held_out_at` are the same, and all training latents,
    projected.
    """

    samples: Rows
    held_out: Rows
    reference: np.ndarray
    samples_at: Projected
    train_at: Projected
    held_out_at: Projected

    def draws(self, settings: EvaluationSettings) -> tuple[Draws, Draws]:
        """Of samples and of held-out reals, the same for every model."""
        return draws_of(self.samples.groups, self.held_out.groups, settings)


def draws_of(
    samples: np.ndarray, held_out: np.ndarray, settings: EvaluationSettings
) -> tuple[Draws, Draws]:
    """Resamples of groups of samples `[N]` and of held-out reals `[M]`."""
    return (
        Draws.of(samples, settings.bootstrap, settings.seed, "samples"),
        Draws.of(held_out, settings.bootstrap, settings.seed, "held_out"),
    )


def judge(judged: Judged, settings: EvaluationSettings) -> dict[str, Figure]:
    """All figures by name; design and meaning in docs/evaluation.md."""
    _require_held_out(judged.held_out, settings)
    sample_draws, real_draws = judged.draws(settings)
    figures = {}
    for name, family in JUDGES.items():
        panel = train_panel(
            family, judged.held_out, judged.samples, settings.judge_seeds, settings.seed
        )
        scored = panel.scores(judged.held_out), panel.scores(judged.samples)
        figures[f"auc_{name}"] = auc_figure(*scored, real_draws, sample_draws)
    samples, reals = _features(judged, settings)
    figures["frechet"] = frechet_figure(samples, reals, sample_draws, real_draws)
    few = slice(0, KERNEL_FEATURES)
    figures["kernel"] = kernel_figure(samples[:, few], reals[:, few], sample_draws, real_draws)
    figures |= manifold_figures(samples, reals, sample_draws, real_draws)
    seeds = [key_seed(settings.seed, "evaluation", "train", n) for n in range(settings.judge_seeds)]
    figures["memorisation"] = memorisation_figure(
        judged.samples_at, judged.train_at, judged.held_out_at, sample_draws, seeds
    )
    return figures


def figures_json(figures: dict[str, Figure]) -> dict[str, Any]:
    """Figures as JSON, by name."""
    return {name: figure.to_json() for name, figure in figures.items()}


def _features(judged: Judged, settings: EvaluationSettings) -> tuple[np.ndarray, np.ndarray]:
    """Of samples and held-out reals, standardised by the reference: the scale of a random
    projection means nothing."""
    features = RandomConvolutions.like(judged.reference, settings.feature_dim, settings.seed)
    scale = features(judged.reference)
    mean, std = scale.mean(0), scale.std(0) + 1e-12
    samples, reals = features(judged.samples.latents), features(judged.held_out.latents)
    return (samples - mean) / std, (reals - mean) / std


def _require_held_out(held_out: Rows, settings: EvaluationSettings) -> None:
    of_volumes = held_out.latents.ndim == 5  # patches count each, though patients are drawn whole
    originals = len(held_out) if of_volumes else len(np.unique(held_out.groups))
    if originals < 2 * settings.feature_dim:
        raise UserError(
            f"evaluation.feature_dim: {settings.feature_dim} features need at least "
            f"{2 * settings.feature_dim} held-out reals, found {originals}; set at most "
            f"{originals // 2}"
        )
