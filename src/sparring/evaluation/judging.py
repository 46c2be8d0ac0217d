"""The figures of one model: its samples against held-out reals."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import UserError
from ..randomness import key_seed
from ..settings.parts import EvaluationSettings
from .distances import frechet_figure, kernel_figure
from .features import RandomConvolutions
from .judges import JUDGES, LinearJudge
from .neighbours import Projected, manifold_figures, memorisation_figure
from .statistics import Figure, Parts, jackknife
from .two_sample import Rows, judge_seeds, own_auc

KERNEL_FEATURES = 64
"""The kernel distance takes no more: at 5,000 rows it says little in more dimensions."""
_BLOCK = 512


@dataclass(frozen=True)
class Judged:
    """Everything that one model's figures are made from.

    `samples` are the model's, or training reals in their place; `reference` fixes the scale of
    features; `samples_at`, `train_at` and `held_out_at` are the same, and all training latents,
    projected.
    """

    samples: Rows
    held_out: Rows
    reference: np.ndarray
    samples_at: Projected
    train_at: Projected
    held_out_at: Projected


def judge(judged: Judged, settings: EvaluationSettings) -> dict[str, Figure]:
    """All figures by name; design and meaning in docs/evaluation.md."""
    samples, held_out = judged.samples, judged.held_out
    _require_held_out(held_out, settings)
    parts = Parts.of(samples.groups, held_out.groups, settings.seed)
    seeds = judge_seeds(settings.seed, settings.judge_seeds)
    figures = {
        f"auc_{name}": own_auc(family, held_out, samples, parts, seeds)
        for name, family in JUDGES.items()
    }
    x, y = _features(judged, settings.feature_dim, settings.seed)
    figures["frechet"] = frechet_figure(x, y, parts)
    few = slice(0, KERNEL_FEATURES)
    figures["kernel"] = kernel_figure(x[:, few], y[:, few], samples.groups, held_out.groups)
    figures |= manifold_figures(x, y, (samples.groups, held_out.groups), parts)
    draws = [key_seed(settings.seed, "evaluation", "train", n) for n in range(len(seeds))]
    figures["memorisation"] = memorisation_figure(
        judged.samples_at, judged.train_at, judged.held_out_at, parts, draws
    )
    return figures | moment_figures(samples.latents, parts)


def judge_maps(
    samples: Rows, held_out: Rows, settings: EvaluationSettings, *, twins: bool = False
) -> dict[str, Figure]:
    """The two figures that decide, of decoded samples against original reals `[N,C,H,W]`.

    `twins`: the samples are the reals themselves, decoded. Rows of one original are then in one
    fold, as their groups have one name, and pairs of them are no part of the kernel distance.
    """
    parts = Parts.of(samples.groups, held_out.groups, settings.seed)
    seeds = judge_seeds(settings.seed, settings.judge_seeds)
    features = RandomConvolutions.like(held_out.latents, KERNEL_FEATURES, settings.seed)
    x, y = features(samples.latents), features(held_out.latents)
    mean, std = y.mean(0), y.std(0) + 1e-12
    x, y = (x - mean) / std, (y - mean) / std
    return {
        "decoded_auc_linear": own_auc(LinearJudge(), held_out, samples, parts, seeds),
        "decoded_kernel": kernel_figure(x, y, samples.groups, held_out.groups, twins=twins),
    }


def moment_figures(latents: np.ndarray, parts: Parts) -> dict[str, Figure]:
    """`latent_mean` and `latent_std` of samples `[N,C,...]`: root mean squares over channels.

    They show a wrong scale, of which solver error is one cause: standardised train latents have
    about 0 and 1.
    """
    first, second = [], []
    for start in range(0, len(latents), _BLOCK):  # float64 of all would be gigabytes
        block = latents[start : start + _BLOCK]
        flat = block.reshape(*block.shape[:2], -1).astype(float)
        first.append(flat.mean(-1))
        second.append(np.square(flat).mean(-1))
    means, squares = np.concatenate(first), np.concatenate(second)  # [N,C]

    def compute(kept: np.ndarray, _: np.ndarray) -> dict[str, float]:
        mean = means[kept].mean(0)
        variance = squares[kept].mean(0) - mean**2
        return {
            "latent_mean": float(np.sqrt(np.square(mean).mean())),
            "latent_std": float(np.sqrt(variance.mean())),
        }

    return jackknife(compute, parts)


def figures_json(figures: dict[str, Figure]) -> dict[str, Any]:
    """Figures as JSON, by name."""
    return {name: figure.to_json() for name, figure in figures.items()}


def _features(judged: Judged, dim: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Of samples and held-out reals, standardised by the reference: the scale of a random
    projection means nothing."""
    features = RandomConvolutions.like(judged.reference, dim, seed)
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
