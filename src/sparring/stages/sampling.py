"""Stages that sample a denoiser: an iteration's fakes, and samples to judge a model by."""

import logging
from pathlib import Path
from typing import Any

import numpy as np

from ..artefacts.digests import model_digest
from ..artefacts.latents import writing_latents
from ..artefacts.models import read_config
from ..errors import UserError
from ..models.autoencoder import autoencoder_digest
from ..models.denoiser import load_denoiser
from ..progress import progress
from ..randomness import Key
from ..sampling.sampler import Sampler
from ..settings.parts import SamplingSettings
from ..settings.stages import SampleEvaluation, SampleFake
from .job import Job

logger = logging.getLogger(__name__)


def sample_fake(job: Job[SampleFake], denoiser: Path, autoencoder: Path, output: Path) -> None:
    """An iteration's fakes, with noise of its own."""
    s = job.settings
    key = ("sample_fake", s.iteration)
    extra = {"kind": "fake", "iteration": s.iteration}
    _sample(job, denoiser, autoencoder, output, s.num_samples, s.sampling, s.seed, key, extra)


def sample_evaluation(
    job: Job[SampleEvaluation], denoiser: Path, autoencoder: Path, output: Path
) -> None:
    """Samples to judge a model by, from the same noise for every model."""
    s = job.settings
    extra = {"kind": "evaluation"}
    key = ("sample_evaluation",)
    _sample(job, denoiser, autoencoder, output, s.num_samples, s.sampling, s.seed, key, extra)


def _sample(
    job: Job[Any],
    denoiser: Path,
    autoencoder: Path,
    output: Path,
    count: int,
    settings: SamplingSettings,
    seed: int,
    key: tuple[Key, ...],
    extra: dict[str, Any],
) -> None:
    """Stream `count` samples to `output`; memory does not grow with their number."""
    compute = job.compute()
    model, schedule = load_denoiser(denoiser)
    _require_channels(model.config.in_channels, denoiser, autoencoder)
    attributes = extra | {
        "autoencoder_digest": autoencoder_digest(autoencoder),
        "source_digest": model_digest(denoiser),
        "sampler": settings.sampler,
        "num_steps": settings.num_steps,
        "seed": seed,
    }
    sampler = Sampler(model.to(compute.device), schedule, settings, compute)
    batches = sampler.batches(count, settings.batch_size, seed, *key)
    total = -(-count // settings.batch_size)
    with writing_latents(output, attributes) as writer:
        for latents in progress(batches, "sampling", total, "batch"):
            writer.append(latents.cpu().numpy())
        writer.column("noise_index", np.arange(count))
    logger.info("%d latents by %s in %d steps", count, settings.sampler, settings.num_steps)


def _require_channels(channels: int, denoiser: Path, autoencoder: Path) -> None:
    found = read_config(autoencoder).get("latent_channels")
    if found != channels:
        raise UserError(
            f"{denoiser}: a denoiser for latents of {channels} channels, but {autoencoder} makes "
            f"{found}; use the autoencoder that the denoiser was trained with"
        )
