"""Stages of the autoencoder: training it, encoding every layout with it."""

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL

from ..ahead import Ahead
from ..artefacts.atomic import write_text
from ..artefacts.class_roles import role_of
from ..artefacts.conditions import conditions_attribute
from ..artefacts.decoded_statistics import MAPS
from ..artefacts.digests import file_digest
from ..artefacts.latents import writing_latents
from ..artefacts.layouts import Layouts
from ..artefacts.models import load_model, save_model
from ..errors import UserError
from ..evaluation.layout_statistics import recall_and_precision
from ..evaluation.layouts import LayoutMeasures
from ..models.autoencoder import CLASSES, Codec, autoencoder_digest, build_autoencoder
from ..progress import progress
from ..randomness import seeded_initialisation
from ..sampling.pictures import enlarged, labelled_rows, save_picture
from ..settings.autoencoder import AutoencoderSettings
from ..settings.stages import EncodeLayouts, TrainAutoencoder
from ..training.autoencoder import AutoencoderTraining, latent_statistics, measure_reconstruction
from .given_latents import take_latents
from .histories import write_history_with_plot
from .job import Job

logger = logging.getLogger(__name__)
_PICTURED = 12
_MEASURED, _BATCH, _WORST = 1000, 64, 4
_COUNTED = ("closed", "rooms", "straight_walls", "isolated_pixels", "specks")


def train_autoencoder(job: Job[TrainAutoencoder], layouts_file: Path, output: Path) -> None:
    """Write the model directory, history.csv, reconstruction.json and reconstructions.png."""
    settings, compute = job.settings.autoencoder, job.compute()
    layouts = Layouts(layouts_file)
    codec = Codec(_model(settings, layouts), _palette(layouts), compute)
    trained = job.train(AutoencoderTraining(codec, layouts, settings))
    codec.model.load_state_dict(trained.best)
    codec.model.eval()
    if settings.epochs > 0 or settings.statistics == "measure":
        mean, std = latent_statistics(codec, layouts)
    else:
        mean, std = codec.statistics
    codec.model.register_to_config(
        latents_mean=mean, latents_std=std, scaling_factor=1.0, shift_factor=None
    )
    codec = Codec(codec.model, codec.palette, compute)
    figures = _report(codec, layouts, settings, output)
    write_history_with_plot(output / "history.csv", trained)
    write_text(output / CLASSES, json.dumps(layouts.classes or [], indent=1) + "\n")
    save_model(codec.model, output)
    said = (f"{k} {v:.4g}" for k, v in figures.items() if isinstance(v, float))
    logger.info("held-out layouts: %s", ", ".join(said))
    if layouts.classes:
        logger.info(_what_is_lost(figures))


def encode_layouts(
    job: Job[EncodeLayouts], layouts_file: Path, autoencoder: Path, outputs: dict[str, Path]
) -> None:
    """Every layout's posterior mode, standardised, one file per split.

    Where the dataset's manifest gives latents, these are taken, and nothing is encoded.
    """
    layouts = Layouts(layouts_file)
    dataset, size = job.settings.dataset, job.settings.batch_size
    if dataset is not None:
        take_latents(dataset, layouts, autoencoder, outputs, size)
        return
    codec = Codec.load(autoencoder, job.compute())
    _require_divisible(layouts, codec, autoencoder)
    attributes = {
        "kind": "encoded",
        "autoencoder_digest": autoencoder_digest(autoencoder),
        "source_digest": file_digest(layouts_file),
        **conditions_attribute(layouts.conditions),
    }
    for split, output in outputs.items():
        _encode_split(codec, layouts, split, output, size, attributes)


def _encode_split(
    codec: Codec,
    layouts: Layouts,
    split: str,
    output: Path,
    batch_size: int,
    attributes: dict[str, Any],
) -> None:
    rows = layouts.rows(split)
    starts = range(0, len(rows), batch_size)
    with writing_latents(output, len(rows), attributes | {"split": split}) as writer:
        read = Ahead(lambda n: layouts.read(rows[starts[n] :][:batch_size]), len(starts), 1)
        for n in progress(range(len(starts)), f"encoding {split}", len(starts), "batch"):
            writer.append(codec.encode(read(n)).cpu().numpy())
        writer.columns_of(layouts, rows)
    logger.info("%d layouts of %s encoded", len(rows), split)


def _model(settings: AutoencoderSettings, layouts: Layouts) -> AutoencoderKL:
    if settings.start_from is not None:
        return load_model(AutoencoderKL, settings.start_from)
    if layouts.side % settings.factor:
        raise UserError(
            f"{layouts.path}: layouts are {layouts.side} pixels wide, not divisible by the "
            f"autoencoder's factor {settings.factor}; set resize in the dataset"
        )
    with seeded_initialisation(settings.seed, "autoencoder"):
        return build_autoencoder(settings, layouts.num_classes, layouts.side)


def _palette(layouts: Layouts) -> np.ndarray | None:
    return layouts.palette if layouts.classes else None


def _report(
    codec: Codec, layouts: Layouts, settings: AutoencoderSettings, output: Path
) -> dict[str, Any]:
    """Figures and a picture of held-out layouts."""
    figures: dict[str, Any] = {
        **measure_reconstruction(codec, layouts, layouts.rows("test"), settings)
    }
    if layouts.classes:
        figures |= _of_classes(codec, layouts, layouts.originals("test")[:_MEASURED])
    write_text(output / "reconstruction.json", json.dumps(figures, indent=2) + "\n")
    shown = layouts.read(layouts.originals("test")[:_PICTURED])
    latents = codec.encode(shown)
    pictures = {
        "held-out layouts": enlarged(layouts.rgb(shown)),
        "reconstructions": enlarged(codec.images(latents)),
    }
    save_picture(output / "reconstructions.png", labelled_rows(pictures, scale=2))
    return figures


def _of_classes(codec: Codec, layouts: Layouts, rows: np.ndarray) -> dict[str, Any]:
    """Recall and precision of every class over rows, and what layouts are made of, before and
    after: means of their statistics."""
    maps = layouts.read(rows)
    measures = LayoutMeasures(layouts.palette, layouts.roles, _BATCH)
    before = measures.originals(maps)
    parts = [codec.encode(maps[n : n + _BATCH]).cpu().numpy() for n in range(0, len(rows), _BATCH)]
    after = measures.decoded(codec, np.concatenate(parts))
    recall, precision = recall_and_precision(maps, after[MAPS], layouts.num_classes)
    return {
        "classes": [
            {
                "name": c["name"],
                "role": role_of(c),
                "recall": recall[c["id"]],
                "precision": precision[c["id"]],
            }
            for c in layouts.classes or []
        ],
        **{
            name: {key: float(columns[key].mean()) for key in _COUNTED if key in columns}
            for name, columns in (("originals", before), ("reconstructions", after))
        },
    }


def _what_is_lost(figures: dict[str, Any]) -> str:
    """Recall of walls, doors and the classes that are found again least, and what was counted."""
    found = [c for c in figures["classes"] if c["recall"] is not None]
    worst = sorted(found, key=lambda c: c["recall"])[:_WORST]
    told = [c for c in found if c["role"] in ("wall", "door") or c in worst]
    recall = ", ".join(f"{c['name']} {c['recall']:.3f}" for c in told)
    before, after = figures["originals"], figures["reconstructions"]
    counted = ", ".join(f"{name} {after[name]:.3g} for {before[name]:.3g}" for name in before)
    return f"recall, the least among them: {recall}; reconstructed for original: {counted}"


def _require_divisible(layouts: Layouts, codec: Codec, autoencoder: Path) -> None:
    if layouts.side % codec.factor:
        raise UserError(
            f"{layouts.path}: layouts are {layouts.side} pixels wide, not divisible by the factor "
            f"{codec.factor} of {autoencoder}; set resize in the dataset"
        )
