"""Training an iteration's discriminator."""

import logging
from pathlib import Path

import numpy as np

from ..artefacts.histories import write_history
from ..artefacts.latents import (
    latents_info,
    read_column,
    read_latents,
    require_same_autoencoder,
    require_shape,
)
from ..artefacts.models import save_model
from ..models.discriminator import LatentDiscriminator
from ..randomness import seeded_initialisation
from ..settings.stages import TrainDiscriminator
from ..training.denoiser import on_device
from ..training.discriminator import DiscriminatorTraining, split_rows
from .denoiser import load_discriminator
from .job import Job

logger = logging.getLogger(__name__)
_TOO_STRONG, _NO_SIGNAL = 0.9, 0.5


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
    _warn(trained.history[trained.best_epoch]["val_accuracy"])
    write_history(history, trained.history)
    save_model(model, output, trained.best)


def _warn(accuracy: float | None) -> None:
    if accuracy is not None and accuracy > _TOO_STRONG:
        logger.warning(
            "validation accuracy is %.2f, above %.1f: the discriminator is so strong that its "
            "gradient may mean little; fewer epochs or a smaller network may help",
            accuracy,
            _TOO_STRONG,
        )
    elif accuracy is not None and accuracy < _NO_SIGNAL:
        logger.warning(
            "validation accuracy is %.2f, below chance: this discriminator has no signal to give",
            accuracy,
        )
