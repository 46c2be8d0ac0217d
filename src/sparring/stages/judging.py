"""Judging one model, or the null: its figures, and the training layouts nearest to its samples."""

import json
import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..artefacts.atomic import write_text
from ..artefacts.latents import latents_info, read_column, read_latents, require_same_autoencoder
from ..evaluation.checks import (
    require_held_out,
    require_same_rounding,
    require_same_scale,
    row_digests,
)
from ..evaluation.judging import Judged, figures_json, judge
from ..evaluation.neighbours import Projected, Projection, nearest_originals
from ..evaluation.two_sample import Rows
from ..progress import progress
from ..randomness import numpy_generator
from ..settings.parts import EvaluationSettings
from ..settings.stages import Evaluate
from .job import Job

logger = logging.getLogger(__name__)
_CHUNK = 1024


def evaluate(
    job: Job[Evaluate],
    samples: Path | None,
    held_out: Path,
    reference: Path,
    output: Path,
    neighbours: Path,
) -> None:
    """Figures of samples, or without any of training reals, against held-out reals.

    `neighbours` gets the rows of `reference` (the train split) nearest to every sample.
    """
    import torch

    torch.set_num_threads(job.threads)
    files = [path for path in (samples, held_out, reference) if path is not None]
    require_same_autoencoder(*(latents_info(path) for path in files))
    settings = job.settings.evaluation
    train = _Train(reference, held_out, settings)
    reals = Rows(read_latents(held_out), read_column(held_out, "original_id").astype(str))
    projected = train.projected(held_out, reals)
    drawn = Rows(read_latents(reference, train.drawn), train.names[train.drawn])
    rows = drawn if samples is None else sampled_rows(samples, len(train.drawn))
    if samples is not None:
        require_same_rounding(samples, rows.latents, reals.latents)
        require_same_scale(samples, rows.latents, reals, settings.seed)
    places = _numbered(rows.groups, train.names[train.rows], reals.groups)
    at = Projected(train.projection(rows.latents), places[0])
    judged = Judged(
        samples=rows,
        held_out=reals,
        reference=drawn.latents,
        samples_at=at,
        train_at=Projected(projected, places[1]),
        held_out_at=Projected(train.projection(reals.latents), places[2]),
    )
    figures = judge(judged, settings)
    counts = {"num_samples": len(rows), "num_held_out": len(reals)}
    write_text(output, one_key_a_line(counts | {"figures": figures_json(figures)}))
    write_text(neighbours, one_key_a_line(train.nearest(at.latents, projected)))
    logger.info("%s", ", ".join(f"{name} {figure.value:.4g}" for name, figure in figures.items()))


def sampled_rows(path: Path, count: int) -> Rows:
    """The first `count` samples; the noise that a sample began from is its group."""
    number = min(count, latents_info(path).count)
    latents = read_latents(path, np.arange(number))
    return Rows(latents, np.array([f"noise {n}" for n in range(number)]))


def one_key_a_line(content: dict) -> str:
    """JSON with a line for each key, and for each key of `figures`."""
    lines = []
    for key, value in content.items():
        if key == "figures":
            inner = ",\n    ".join(f"{json.dumps(k)}: {json.dumps(v)}" for k, v in value.items())
            lines.append(f'"figures": {{\n    {inner}\n  }}')
        else:
            lines.append(f"{json.dumps(key)}: {json.dumps(value)}")
    return "{\n  " + ",\n  ".join(lines) + "\n}\n"


@dataclass
class _Train:
    """The train split: which rows count, and which are drawn as the null and the scale."""

    path: Path
    held_out: Path
    settings: EvaluationSettings

    def __post_init__(self) -> None:
        """With augmented copies only where the held-out layouts have them."""
        self.names = read_column(self.path, "original_id").astype(str)
        self.is_copy = read_column(self.path, "is_augmented")
        augmented = bool(read_column(self.held_out, "is_augmented").any())
        self.rows = np.arange(len(self.names)) if augmented else np.flatnonzero(~self.is_copy)
        draw = numpy_generator(self.settings.seed, "evaluation", "null").permutation(self.rows)
        self.drawn = np.sort(draw[: self.settings.num_samples])
        self.projection = Projection(latents_info(self.path).shape, self.settings.seed)

    def projected(self, held_out: Path, reals: Rows) -> np.ndarray:
        """All rows, projected; on the way, none of them may be among the held-out ones."""
        parts, digests = [], []
        starts = range(0, len(self.rows), _CHUNK)
        for start in progress(starts, "reading the train split", len(starts), "chunk"):
            latents = read_latents(self.path, self.rows[start : start + _CHUNK])
            parts.append(self.projection(latents))
            digests += row_digests(latents)
        require_held_out(
            held_out, reals.groups, row_digests(reals.latents), self.path, self.names, digests
        )
        return np.concatenate(parts)

    def nearest(self, samples: np.ndarray, projected: np.ndarray) -> dict:
        """Rows and names of the training originals nearest to every sample."""
        originals = ~self.is_copy[self.rows]
        near, distances = nearest_originals(samples, projected[originals])
        rows = self.rows[originals][near]
        ids = read_column(self.path, "sample_id").astype(str)
        return {
            "rows": rows.tolist(),
            "sample_ids": ids[rows].tolist(),
            "distances": np.round(distances, 4).tolist(),
        }


def _numbered(*names: np.ndarray) -> list[np.ndarray]:
    """Equal names get equal numbers, across all arrays."""
    _, numbers = np.unique(np.concatenate(names), return_inverse=True)
    return np.split(numbers, np.cumsum([len(part) for part in names])[:-1])
