"""Training an iteration's discriminator."""

import logging
from pathlib import Path

import torch
from torch import Tensor

from ..artefacts.latent_sets import LatentSet, read_labelled_sets, read_latent_set
from ..artefacts.latents import require_same_autoencoder, require_shape, side_of
from ..artefacts.models import save_model
from ..balance import discriminator_warnings
from ..compute import Compute
from ..errors import UserError
from ..models.discriminator import LatentDiscriminator
from ..randomness import seeded_initialisation
from ..settings.stages import TrainDiscriminator
from ..training.denoiser import on_device
from ..training.discriminator import DiscriminatorTraining, split_rows
from .denoiser import load_discriminator
from .histories import write_history_with_plot
from .job import Job

logger = logging.getLogger(__name__)


def read_sets(
    real_latents: Path | None, fake_latents: Path | None, dataset: Path | None
) -> tuple[LatentSet, LatentSet]:
    """Reals and fakes from two files, or from a manifest with labels; refused if they differ."""
    if dataset is not None and real_latents is None and fake_latents is None:
        return read_labelled_sets(dataset)
    if dataset is not None or real_latents is None or fake_latents is None:
        raise UserError(
            "--real-latents and --fake-latents: name both, or neither and --dataset instead"
        )
    reals, fakes = read_latent_set(real_latents), read_latent_set(fake_latents)
    unknown = [str(s.info.path) for s in (reals, fakes) if not s.info.names_autoencoder]
    if unknown:
        logger.info(
            "%s: nothing says which autoencoder made these latents; that both are of one is not "
            "checked",
            " and ".join(unknown),
        )
    else:
        require_same_autoencoder(reals.info, fakes.info)
    require_shape(fakes.info, reals.info.shape[0], side_of(reals.info.shape), str(real_latents))
    return reals, fakes


def train_discriminator(
    job: Job[TrainDiscriminator],
    sets: tuple[LatentSet, LatentSet],
    start_from: Path | None,
    output: Path,
    history: Path,
) -> None:
    """Write the discriminator at its best validation loss, and its history."""
    s, compute = job.settings, job.compute()
    reals, fakes = sets
    count = min(reals.info.count, fakes.info.count)  # fewer reals were allowed: as many fakes
    labels = _labels(reals, fakes, count, compute)
    if start_from:
        model = load_discriminator(start_from, reals.info)
    else:
        with seeded_initialisation(s.seed, "discriminator", s.iteration):
            model = LatentDiscriminator(
                reals.info.shape[0],
                s.discriminator.base_channels,
                s.discriminator.num_layers,
                0 if labels is None else len(reals.info.conditions),
                spatial_dims=len(reals.info.shape) - 1,
            )
    key = ("train_discriminator", s.iteration)
    fraction = s.discriminator.val_fraction
    training = DiscriminatorTraining(
        model,
        on_device(reals.latents, compute),
        on_device(fakes.latents[:count], compute),
        split_rows(reals.original_id, fraction, s.seed, "real"),
        split_rows(fakes.original_id[:count], fraction, s.seed, "fake", s.iteration),
        s.discriminator,
        compute,
        s.seed,
        key,
        labels if model.config.num_conditions else None,
    )
    trained = job.train(training)
    for warning in discriminator_warnings(trained.history):
        logger.warning("warning: %s", warning)
    write_history_with_plot(history, trained)
    save_model(model, output, trained.best)


def _labels(
    reals: LatentSet, fakes: LatentSet, count: int, compute: Compute
) -> tuple[Tensor, Tensor] | None:
    """The conditions of reals and of the first `count` fakes; None where one side has none."""
    if reals.condition is None or fakes.condition is None:
        return None
    if reals.info.conditions != fakes.info.conditions:
        raise UserError(
            f"{fakes.info.path}: its conditions are {', '.join(fakes.info.conditions)}, but "
            f"{reals.info.path} has {', '.join(reals.info.conditions)}; sample from a denoiser "
            "that was trained on the dataset of the reals"
        )
    both = torch.from_numpy(reals.condition), torch.from_numpy(fakes.condition[:count])
    return both[0].to(compute.device), both[1].to(compute.device)
