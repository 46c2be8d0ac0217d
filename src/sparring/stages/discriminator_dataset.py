"""Reals and fakes with their labels, from a manifest of layouts and two models."""

import csv
import io
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..artefacts.atomic import write_text
from ..artefacts.latents import latents_info, read_column
from ..settings.stage_settings import StageSettings
from ..settings.stages import (
    EncodeLayouts,
    EncodeReal,
    PackLayouts,
    SampleFake,
)
from ..settings.stages_by_hand import BuildDiscriminatorDataset
from .autoencoder import encode_layouts
from .data import encode_real, pack_layouts
from .job import Job
from .sampling import Models, sample_fake

logger = logging.getLogger(__name__)
REALS, FAKES, MANIFEST = "real_latents.h5", "fake_latents.h5", "manifest.csv"
COLUMNS = ("sample_id", "latent_path", "label", "is_viable")


def build_discriminator_dataset(
    job: Job[BuildDiscriminatorDataset], models: Models, output: Path
) -> None:
    """Write real_latents.h5, fake_latents.h5 and manifest.csv into `output`.

    Layouts are packed and encoded into the state of the job, where an interrupted run finds them.
    """
    s, reals, fakes = job.settings, output / REALS, output / FAKES
    train = _encoded(job, models.autoencoder)
    draw = EncodeReal(
        seed=s.seed,
        iteration=s.iteration,
        num_samples=s.num_samples or _count_originals(train),
        allow_fewer_reals=s.allow_fewer_reals,
    )
    encode_real(_told(job, draw), train, reals)
    noise = SampleFake(
        seed=s.seed,
        iteration=s.iteration,
        num_samples=latents_info(reals).count,
        sampling=s.sampling,
    )
    conditions = train if s.dataset.condition else None
    models = replace(models, conditions=conditions, reference=train)
    sample_fake(_told(job, noise), models, fakes)
    write_text(output / MANIFEST, manifest_text(reals, fakes))


def manifest_text(reals: Path, fakes: Path) -> str:
    """A row per latent: its name, its file and row (`real_latents.h5#12`), 1 if real, else 0.

    Label and viability agree: the layouts of a dataset count as viable, a denoiser's samples not.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row, name in enumerate(read_column(reals, "sample_id")):
        writer.writerow((name, f"{reals.name}#{row}", 1, 1))
    for row, number in enumerate(read_column(fakes, "noise_index")):
        writer.writerow((f"fake_{number:05d}", f"{fakes.name}#{row}", 0, 0))
    return text.getvalue()


def _encoded(job: Job[BuildDiscriminatorDataset], autoencoder: Path) -> Path:
    """The encoded train split, from an earlier attempt if that came so far."""
    folder = job.parts_state().directory
    layouts, train = (folder / f"{name}-{job.digest}.h5" for name in ("layouts", "train"))
    if train.exists():
        logger.info("layouts were encoded by an earlier attempt")
        return train
    if not layouts.exists():
        pack_layouts(_told(job, PackLayouts(dataset=job.settings.dataset)), layouts)
    encode_layouts(_told(job, EncodeLayouts()), layouts, autoencoder, {"train": train})
    return train


def _told(job: Job[Any], settings: StageSettings) -> Job[Any]:
    """The same job with the settings of one of its parts."""
    return replace(job, settings=settings)


def _count_originals(train: Path) -> int:
    return int((~read_column(train, "is_augmented")).sum())
