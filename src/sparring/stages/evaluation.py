"""Looking at decoded models: figures of layouts, and samples side by side."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from ..artefacts.atomic import write_text
from ..artefacts.latents import latents_info, read_column, read_conditions, read_latents
from ..progress import progress
from ..randomness import numpy_generator
from ..settings.stages import MeasureLayouts
from ..settings.volume_stages import MeasureVolumes
from .job import Job
from .verdict import write_statistics

_ROWS_ONLY = ("adjacencies", "inception")


def measure_layouts(
    job: Job[MeasureLayouts],
    autoencoder: Path,
    layouts_file: Path,
    held_out: Path,
    samples: Path,
    output: Path,
    statistics: Path,
    denoiser: Path | None,
) -> None:
    """Figures of a model's decoded samples and predictions; `statistics` has a row per layout.

    Without a denoiser `samples` are training latents, of which some are drawn: the null. The
    held-out layouts, which all models are compared with, are then decoded too.
    """
    from ..artefacts.layouts import Layouts
    from ..evaluation.layouts import InceptionFeatures, measure_samples
    from ..models.autoencoder import Codec
    from ..models.inception import load_inception

    draw = denoiser is None
    s, codec, layouts = job.settings, Codec.load(autoencoder, job.compute()), Layouts(layouts_file)
    found = {"samples": read_latents(samples, _rows(s, samples, draw))}
    if draw:
        found["held_out"] = read_latents(held_out, _originals(held_out)[: s.num_samples])
    inception = None
    if s.inception_weights is not None:
        inception = InceptionFeatures(load_inception(s.inception_weights), codec.compute, s.seed)
    measured = {
        whose: measure_samples(codec, latents, s.batch_size, layouts.palette, inception)
        for whose, latents in found.items()
    }
    figures: dict[str, Any] = {
        whose: {name: _mean(values) for name, values in columns.items() if name not in _ROWS_ONLY}
        for whose, columns in measured.items()
    }
    figures["classes"] = {str(entry["id"]): entry["name"] for entry in layouts.classes or []}
    if denoiser is not None and codec.num_classes:
        figures["predictions"] = _predictions(job, codec, denoiser, held_out, layouts)
    write_statistics(statistics, measured)
    write_text(output, json.dumps(figures, indent=2) + "\n")


def measure_volumes(
    job: Job[MeasureVolumes],
    vqgan: Path,
    held_out: Path,
    samples: Path,
    statistics: Path,
    null: bool,
) -> None:
    """Statistics of a model's decoded samples, a row per volume.

    For the null `samples` are training latents, of which some are drawn, and the held-out ones,
    which all models are compared with, are decoded too: by the same VQ-GAN, so that what it loses
    is in neither's disfavour.
    """
    from ..sampling.decoders import VolumeDecoder

    decoder = VolumeDecoder.load(vqgan, job.compute())
    drawn = _rows(job.settings, samples, null)
    measured = {"samples": _of_volumes(decoder, samples, drawn, patients=null)}
    if null:
        total, most = latents_info(held_out).count, job.settings.num_samples
        rows = np.arange(total)
        if total > most:  # evenly, over all patients
            rows = (2 * np.arange(most) + 1) * total // (2 * most)
        measured["held_out"] = _of_volumes(decoder, held_out, rows, patients=True)
    write_statistics(statistics, measured)


def _of_volumes(
    decoder: Any, latents: Path, rows: np.ndarray, patients: bool
) -> dict[str, np.ndarray]:
    """Statistics of decoded rows, with `group`, the number of each one's patient or noise."""
    from ..evaluation.volume_statistics import volume_statistics

    parts = []
    for row in progress(rows, "decoding", len(rows), "volume"):
        hu = decoder.volumes(as_tensor(read_latents(latents, np.array([row]))))
        parts.append(volume_statistics(hu, decoder.window))
    found = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    names = read_column(latents, "original_id")[rows].astype(str) if patients else rows
    found["group"] = np.unique(names, return_inverse=True)[1]
    return found | {"hu_window": np.array(decoder.window)}


def as_tensor(latents: np.ndarray) -> Any:
    """float32."""
    import torch

    return torch.from_numpy(latents).float()


def _predictions(
    job: Job[MeasureLayouts], codec: Any, denoiser: Path, held_out: Path, layouts: Any
) -> list[dict[str, float]]:
    from ..evaluation.layouts import measure_predictions
    from ..models.denoiser import OneStep, load_denoiser

    rows, labels = _originals(held_out), read_conditions(latents_info(held_out))
    rows = rows[: job.settings.num_samples]
    return measure_predictions(
        codec,
        OneStep(*load_denoiser(denoiser), codec.compute),
        read_latents(held_out, rows),
        layouts.read(layouts.rows("test")[rows]),
        job.settings.seed,
        job.settings.batch_size,
        None if labels is None else labels[rows],
    )


def _rows(settings: MeasureLayouts | MeasureVolumes, samples: Path, draw: bool) -> np.ndarray:
    """The first samples of a model, or a draw of training originals."""
    if not draw:
        return np.arange(min(settings.num_samples, latents_info(samples).count))
    drawn = numpy_generator(settings.seed, "evaluation", "layouts").permutation(_originals(samples))
    return np.sort(drawn[: settings.num_samples])


def _originals(latents: Path) -> np.ndarray:
    return np.flatnonzero(~read_column(latents, "is_augmented"))


def _mean(values: np.ndarray) -> float | list[float]:
    """Over layouts; of one value per class, all of them."""
    mean = values.mean(0, dtype=np.float64)
    return mean.tolist()
