"""Training an iteration's discriminator."""

import logging
from pathlib import Path

import numpy as np

from ..artefacts.latents import (
    latents_info,
    read_column,
    read_latents,
    require_same_autoencoder,
    require_shape,
)
from ..artefacts.models import save_model
from ..balance import discriminator_warnings
from ..models.discriminator import LatentDiscriminator
from ..randomness import seeded_initialisation
from ..settings.stages import TrainDiscriminator
from ..training.denoiser import on_device
from ..training.discriminator import DiscriminatorTraining, split_rows
from .denoiser import load_discriminator
from .histories import write_history_with_plot
from .job import Job

logger = logging.getLogger(__name__)


def train_discriminator(
    job: Job[TrainDiscriminator],
    real_latents: Path,
    fake_latents: Path,
    start_from: Path | None,
    output: Path,
    history: Path,
) -> None:
    """Write the discriminator at its best validation loss, and its history."""
    s, compute = job.settings, job.compute()
    reals, fakes = latents_info(real_latents), latents_info(fake_latents)
    require_same_autoencoder(reals, fakes)
    require_shape(fakes, reals.shape[0], reals.shape[-1], str(real_latents))
    if start_from:
        model = load_discriminator(start_from, reals)
    else:
        with seeded_initialisation(s.seed, "discriminator", s.iteration):
            model = LatentDiscriminator(
                reals.shape[0], s.discriminator.base_channels, s.discriminator.num_layers
            )
    key = ("train_discriminator", s.iteration)
    fraction = s.discriminator.val_fraction
    count = min(reals.count, fakes.count)  # fewer reals were allowed: as many fakes
    training = DiscriminatorTraining(
        model,
        on_device(read_latents(real_latents), compute),
        on_device(read_latents(fake_latents)[:count], compute),
        split_rows(read_column(real_latents, "original_id"), fraction, s.seed, "real"),
        split_rows(np.arange(count), fraction, s.seed, "fake", s.iteration),
        s.discriminator,
        compute,
        s.seed,
        key,
    )
    trained = job.train(training)
    for warning in discriminator_warnings(trained.history):
        logger.warning("warning: %s", warning)
    write_history_with_plot(history, trained)
    save_model(model, output, trained.best)
