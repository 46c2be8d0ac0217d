"""Stages that train a denoiser: stage 1, and an iteration's fine-tuning."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from ..artefacts.histories import write_history
from ..artefacts.latents import (
    LatentsInfo,
    latents_info,
    read_column,
    read_latents,
    require_same_autoencoder,
    require_shape,
)
from ..artefacts.models import load_model
from ..compute import Compute
from ..models.autoencoder import Codec, autoencoder_digest
from ..models.denoiser import build_denoiser, build_scheduler, load_denoiser, save_denoiser
from ..models.discriminator import LatentDiscriminator
from ..randomness import seeded_initialisation
from ..sampling.pictures import enlarged, grid, save_picture
from ..settings.stages import FinetuneDiffusion, PretrainDiffusion
from ..training.denoiser import DenoiserTraining, Latents, on_device
from ..training.finetuning import Finetuning, read_optimizer, write_optimizer
from ..training.loop import Trained
from .job import Job

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class DenoiserInputs:
    """What every denoiser training reads."""

    train_latents: Path
    val_latents: Path
    autoencoder: Path


@dataclass(frozen=True)
class DenoiserOutputs:
    """Model directories, history and the folder of sample grids."""

    denoiser: Path
    latest: Path
    history: Path
    samples: Path


def pretrain_diffusion(
    job: Job[PretrainDiffusion], inputs: DenoiserInputs, outputs: DenoiserOutputs
) -> None:
    """Stage 1: a denoiser from scratch."""
    s, compute = job.settings, job.compute()
    info = _check_inputs(inputs)
    with seeded_initialisation(s.seed, "denoiser"):
        model = build_denoiser(s.denoiser, info.shape[0], info.shape[1])
    training = DenoiserTraining(
        model,
        build_scheduler(s.noise_schedule),
        _latents(inputs, s.diffusion.augmented, compute),
        s.diffusion,
        compute,
        s.seed,
        ("pretrain_diffusion",),
        _picture(inputs.autoencoder, outputs.samples, compute),
    )
    trained = job.train(training)
    _write(training, trained, outputs)


def finetune_diffusion(
    job: Job[FinetuneDiffusion],
    inputs: DenoiserInputs,
    denoiser: Path,
    discriminator: Path | None,
    optimizer: Path | None,
    outputs: DenoiserOutputs,
    optimizer_output: Path,
) -> None:
    """An iteration: the noise loss plus, in the adversarial arm, the discriminator's."""
    s, compute = job.settings, job.compute()
    info = _check_inputs(inputs)
    model, schedule = load_denoiser(denoiser)
    require_shape(info, model.config.in_channels, model.config.sample_size, str(denoiser))
    training = Finetuning(
        model,
        schedule,
        _latents(inputs, s.diffusion.augmented, compute),
        s.diffusion,
        compute,
        s.seed,
        ("finetune_diffusion", s.iteration),
        _picture(inputs.autoencoder, outputs.samples, compute),
        adversarial=s.adversarial,
        discriminator=load_discriminator(discriminator, info) if discriminator else None,
        optimizer_state=read_optimizer(optimizer, model) if optimizer else {},
    )
    trained = job.train(training)
    write_optimizer(optimizer_output, trained.extra)
    _write(training, trained, outputs)


def load_discriminator(directory: Path, info: LatentsInfo) -> LatentDiscriminator:
    """A discriminator for latents of this shape."""
    model = load_model(LatentDiscriminator, directory)
    require_shape(info, model.config.latent_channels, info.shape[-1], str(directory))
    return model


def _check_inputs(inputs: DenoiserInputs) -> LatentsInfo:
    train = latents_info(inputs.train_latents)
    autoencoder = inputs.autoencoder, autoencoder_digest(inputs.autoencoder)
    require_same_autoencoder(autoencoder, train, latents_info(inputs.val_latents))
    return train


def _latents(inputs: DenoiserInputs, augmented: bool, compute: Compute) -> Latents:
    def of(path: Path) -> Tensor:
        latents = read_latents(path)
        kept = latents if augmented else latents[~read_column(path, "is_augmented")]
        return on_device(kept, compute)

    return Latents(of(inputs.train_latents), of(inputs.val_latents))


def _picture(autoencoder: Path, folder: Path, compute: Compute) -> Callable[[int, Tensor], None]:
    def draw(epoch: int, samples: Tensor) -> None:
        codec = Codec.load(autoencoder, compute)
        save_picture(folder / f"epoch_{epoch:03d}.png", grid(enlarged(codec.images(samples))))

    return draw


def _write(training: DenoiserTraining, trained: Trained, outputs: DenoiserOutputs) -> None:
    write_history(outputs.history, trained.history)
    latest = training.average.weights()
    save_denoiser(outputs.latest, training.model, training.schedule, latest)
    save_denoiser(outputs.denoiser, training.model, training.schedule, trained.best)
    logger.info("best validation noise loss at epoch %d: %s", trained.best_epoch, outputs.denoiser)
