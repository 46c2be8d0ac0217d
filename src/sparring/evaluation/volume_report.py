"""Figures of reconstructed volumes: per volume, per group, and in one table."""

import csv
import io
from collections.abc import Iterable
from typing import Any

from ..artefacts.volumes import NEW, SHARED
from .volumes import VolumeScores

FIGURES = ("psnr", "ssim", "mae_hu", "gradient_ratio")
COLUMNS = ("model", "group", "volumes", *FIGURES, "bits_per_voxel", "perplexity", "codes_used")
Entry = dict[str, Any]


def entry(sample_id: str, group: str, scores: VolumeScores, bits_per_voxel: float) -> Entry:
    """One volume's figures as JSON."""
    figures = {name: getattr(scores, name) for name in FIGURES}
    return {"sample_id": sample_id, "group": group, **figures, "bits_per_voxel": bits_per_voxel}


def table(evaluations: dict[str, dict[str, Any]]) -> str:
    """CSV of evaluations by phase: means per group of volumes, of phases, then of baselines.

    Each volume counts alike. The baselines are the same for all phases and taken from the first.
    """
    rows = []
    for phase, evaluation in evaluations.items():
        codes = {key: f"{evaluation[key]:.1f}" for key in ("perplexity", "codes_used")}
        rows += [row | codes for row in _rows(phase, evaluation["volumes"])]
    first = next(iter(evaluations.values()))
    for name, entries in first["baselines"].items():
        rows += _rows(name, entries)
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n", restval="")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def _rows(name: str, entries: Iterable[Entry]) -> list[dict[str, Any]]:
    rows = []
    for group in (NEW, SHARED):
        own = [one for one in entries if one["group"] == group]
        if own:
            names = (*FIGURES, "bits_per_voxel")
            means = {n: f"{sum(one[n] for one in own) / len(own):.4f}" for n in names}
            rows.append({"model": name, "group": group, "volumes": len(own), **means})
    return rows
