"""Stages that judge: distances per model, the table, the choice, the pictures."""

import json
import logging
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from ..artefacts.atomic import replacing, write_text
from ..artefacts.latents import (
    latents_info,
    read_column,
    read_conditions,
    read_latents,
    require_same_autoencoder,
)
from ..artefacts.model_files import DENOISER_FILES
from ..settings.stages import CompareSamples, Evaluate, MeasureLayouts, SelectBest, Summarise
from .job import Job
from .sampling import Models

logger = logging.getLogger(__name__)


def evaluate(
    job: Job[Evaluate], samples: Path, held_out: Path, reference: Path, output: Path
) -> None:
    """Fréchet and kernel distance of samples to held-out reals, beside training reals."""
    import torch

    from ..evaluation.judging import judge

    torch.set_num_threads(job.threads)
    require_same_autoencoder(*(latents_info(p) for p in (samples, held_out, reference)))
    settings, shown = job.settings.evaluation, read_latents(samples)
    figures = judge(
        shown,
        read_latents(held_out),
        read_column(held_out, "original_id").astype(str),
        _reference_reals(reference, held_out, len(shown), settings.seed),
        settings,
    )
    write_text(output, json.dumps(figures, indent=2) + "\n")


def measure_layouts(
    job: Job[MeasureLayouts],
    models: Models,
    samples: Path,
    held_out: Path,
    layouts_file: Path,
    output: Path,
) -> None:
    """Figures of a model's decoded samples and predictions, beside those of held-out layouts."""
    from ..artefacts.layouts import Layouts
    from ..evaluation.layouts import measure_predictions, measure_samples
    from ..models.autoencoder import Codec
    from ..models.denoiser import OneStep, load_denoiser

    compute, size = job.compute(), job.settings.batch_size
    codec = Codec.load(models.autoencoder, compute)
    layouts, originals = Layouts(layouts_file), ~read_column(held_out, "is_augmented")
    reals, labels = read_latents(held_out)[originals], read_conditions(latents_info(held_out))
    one_step = OneStep(*load_denoiser(models.denoiser), compute)
    predictions = measure_predictions(
        codec,
        one_step,
        reals,
        layouts.read(layouts.rows("test")[originals]),
        job.settings.seed,
        size,
        None if labels is None else labels[originals],
    )
    figures = {
        "samples": measure_samples(codec, read_latents(samples), size),
        "reals": measure_samples(codec, reals, size),
        "predictions": predictions,
    }
    write_text(output, json.dumps(figures, indent=2) + "\n")


def select_best(
    job: Job[SelectBest],
    evaluations: dict[str, Path],
    denoisers: dict[str, Path],
    output: Path,
    verdict: Path,
) -> None:
    """Copy the chosen model's files to `output` and say why in `verdict`."""
    from ..evaluation.judging import select

    chosen, reason = select(read_evaluations(evaluations))
    for name in DENOISER_FILES:
        with replacing(output / name) as aside:
            shutil.copyfile(denoisers[chosen["model"]] / name, aside)
    write_text(
        verdict, json.dumps({"selected": chosen["model"], "reason": reason}, indent=2) + "\n"
    )
    logger.info("selected %s: %s", chosen["model"], reason)


def summarise(
    job: Job[Summarise],
    evaluations: dict[str, Path],
    layouts: dict[str, Path],
    table: Path,
    plot: Path,
) -> None:
    """All evaluations as a tidy CSV and a plot; `layouts` are figures of decoded models, if any."""
    from ..evaluation.report import evaluation_table, plot_evaluations

    models = read_evaluations(evaluations)
    for model in models if layouts else ():
        model["layouts"] = json.loads(layouts[model["model"]].read_text(encoding="utf-8"))
    rows = evaluation_table(models)
    write_text(table, rows.to_csv(index=False, float_format="%.6g", lineterminator="\n"))
    with replacing(plot) as aside:
        plot_evaluations(rows, aside)


def compare_samples(
    job: Job[CompareSamples],
    layouts_file: Path,
    autoencoder: Path,
    samples: dict[str, Path],
    output: Path,
) -> None:
    """Reals, reconstructions and every model's samples, the same noise in the same column."""
    from ..artefacts.layouts import Layouts
    from ..models.autoencoder import Codec
    from ..sampling.pictures import enlarged, labelled_rows, save_picture

    codec = Codec.load(autoencoder, job.compute())
    layouts = Layouts(layouts_file)
    count = job.settings.grid
    reals = layouts.read(layouts.originals("test")[:count])
    rows = {
        "held-out layouts": layouts.rgb(reals),
        "their reconstructions": codec.images(codec.encode(reals)),
    }
    for model, path in samples.items():
        rows[f"samples: {model}"] = codec.images(_tensor(read_latents(path)[:count]))
    save_picture(output, labelled_rows({k: enlarged(v) for k, v in rows.items()}))


def compare_volume_samples(
    job: Job[CompareSamples],
    volumes_file: Path,
    vqgan: Path,
    samples: dict[str, Path],
    output: Path,
) -> None:
    """Held-out patches, reconstructions and every model's samples, three planes each."""
    import torch

    from ..artefacts.volumes import Volumes
    from ..data.patches import grid_patches
    from ..sampling.decoders import VolumeDecoder
    from ..sampling.pictures import enlarged, labelled_rows, save_picture
    from ..sampling.volume_pictures import middle_planes

    decoder, volumes = VolumeDecoder.load(vqgan, job.compute()), Volumes(volumes_file)
    sides = latents_info(next(iter(samples.values()))).shape[1:]
    size, count = sides[0] * decoder.model.factor[0], job.settings.grid
    patches = torch.cat(list(grid_patches(volumes, volumes.rows("test"), size, count)))
    shown = {"held-out volumes": decoder.hu(patches)}
    shown["their reconstructions"] = decoder.reconstructions(patches)
    rows = {label: middle_planes(hu, decoder.window) for label, hu in shown.items()}
    for model, path in samples.items():
        rows[f"samples: {model}"] = decoder.images(_tensor(read_latents(path)[:count]))
    save_picture(output, labelled_rows({k: enlarged(v) for k, v in rows.items()}))


def read_evaluations(evaluations: dict[str, Path]) -> list[dict[str, Any]]:
    """Figures per model with `model`, `arm` and `iteration` (None for the start)."""
    rows = []
    for model, path in evaluations.items():
        arm, _, place = model.partition("/")
        iteration = int(place.removeprefix("iteration_")) if place else None
        figures = json.loads(path.read_text(encoding="utf-8"))
        rows.append({"model": model, "arm": arm, "iteration": iteration, **figures})
    return rows


def _reference_reals(reference: Path, held_out: Path, count: int, seed: int) -> np.ndarray:
    """At most `count` training latents, with augmented copies only if the held-out ones have."""
    copies = read_column(reference, "is_augmented")
    if read_column(held_out, "is_augmented").any():
        candidates = np.arange(len(copies))
    else:
        candidates = np.flatnonzero(~copies)
    chosen = np.random.default_rng(seed).permutation(candidates)[:count]
    return read_latents(reference, np.sort(chosen))


def _tensor(latents: np.ndarray) -> Any:
    import torch

    return torch.from_numpy(latents).float()
