"""The figures of one model, and what an experiment's figures say together."""

from dataclasses import asdict
from typing import Any

import numpy as np

from ..errors import UserError
from ..settings.parts import EvaluationSettings
from .distances import frechet_estimate, kernel_estimate
from .features import RandomConvolutions

DISTANCES = {"frechet": frechet_estimate, "kernel": kernel_estimate}


def judge(
    samples: np.ndarray,
    held_out: np.ndarray,
    held_out_groups: np.ndarray,
    reference: np.ndarray,
    settings: EvaluationSettings,
) -> dict[str, Any]:
    """Distances of samples `[N,C,H,W]` to held-out reals, and of reference reals to the same.

    `reference` are training reals; with as many of them as samples they give the real-against-
    real figure (the null) that no model can be expected to beat. Features are standardised by the
    reference, so that the scale of a random projection means nothing.
    """
    originals = len(np.unique(held_out_groups))
    if originals < 2 * settings.feature_dim:
        raise UserError(
            f"evaluation.feature_dim: {settings.feature_dim} features need at least "
            f"{2 * settings.feature_dim} held-out layouts, found {originals}; set at most "
            f"{originals // 2}"
        )
    count = min(len(samples), len(reference))
    features = RandomConvolutions(samples.shape[1], settings.feature_dim, settings.seed)
    reals, scale = features(held_out), features(reference)
    mean, std = scale.mean(0), scale.std(0) + 1e-12
    compared = {"samples": features(samples[:count]), "reals": scale[:count]}
    figures: dict[str, Any] = {"num_samples": count, "num_held_out": len(held_out)}
    for whose, values in compared.items():
        for name, estimate in DISTANCES.items():
            figures.setdefault(whose, {})[name] = asdict(
                estimate(
                    (values - mean) / std,
                    (reals - mean) / std,
                    held_out_groups,
                    settings.bootstrap,
                    settings.seed,
                )
            )
    return figures


def select(models: list[dict[str, Any]]) -> tuple[dict[str, Any], str]:
    """The row to hand on and the reason, from rows with `arm`, `iteration` and `samples`.

    An iteration is accepted only if both distances lie below those of the start and of the control
    at the same iteration, intervals apart. Among accepted ones the smallest kernel distance wins;
    if none is accepted the start stays.
    """
    start = next(m for m in models if m["arm"] == "start")
    accepted = []
    for model in (m for m in models if m["arm"] == "adversarial"):
        rivals = [start] + [
            m for m in models if m["arm"] == "control" and m["iteration"] == model["iteration"]
        ]
        if all(_below(model, rival, name) for rival in rivals for name in DISTANCES):
            accepted.append(model)
    if not accepted:
        return start, (
            "no iteration lies below both the start and its control in Fréchet and kernel distance "
            "with intervals apart: the start is kept"
        )
    best = min(accepted, key=lambda m: m["samples"]["kernel"]["value"])
    return best, (
        f"iteration {best['iteration']} lies below the start and its control in both distances, "
        "intervals apart"
    )


def _below(model: dict[str, Any], rival: dict[str, Any], name: str) -> bool:
    return model["samples"][name]["high"] < rival["samples"][name]["low"]
