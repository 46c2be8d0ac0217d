"""Training an iteration's discriminator."""

import logging
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..artefacts.latent_sets import LatentSet, read_labelled_sets, read_latent_set
from ..artefacts.latents import require_same_autoencoder, require_shape, side_of
from ..artefacts.models import save_model
from ..balance import discriminator_warnings
from ..compute import Compute
from ..diffusion.process import ForwardProcess
from ..errors import UserError
from ..models.denoiser import forward_process, load_denoiser
from ..settings.stages import TrainDiscriminator
from ..training.discriminator import DiscriminatorTraining, split_rows
from ..training.latents import on_device
from .discriminators import build_discriminator, load_discriminator
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


@dataclass(frozen=True)
class DiscriminatorInputs:
    """What a discriminator is trained on and from."""

    reals: LatentSet
    fakes: LatentSet
    replayed: tuple[LatentSet, ...] = ()
    """Fakes of earlier iterations."""
    start_from: Path | None = None
    denoiser: Path | None = None
    """Its noise schedule noises latents; its encoder may be where the discriminator begins."""


def train_discriminator(
    job: Job[TrainDiscriminator], inputs: DiscriminatorInputs, output: Path, history: Path
) -> None:
    """Write the discriminator at its best validation loss, and its history."""
    s, compute = job.settings, job.compute()
    reals, fakes = inputs.reals, inputs.fakes
    count = min(reals.info.count, fakes.info.count)  # fewer reals were allowed: as many fakes
    labels = _labels(reals, fakes, count, compute)
    if inputs.start_from:
        model = load_discriminator(inputs.start_from, reals.info, s.noised)
    else:
        conditions = 0 if labels is None else len(reals.info.conditions)
        model = build_discriminator(s, reals.info, conditions, inputs.denoiser)
    pool = _pool(fakes, count, inputs.replayed)
    if labels is not None and pool.condition is not None:
        labels = labels[0], torch.from_numpy(pool.condition).to(compute.device)
    fraction = s.discriminator.val_fraction
    training = DiscriminatorTraining(
        model,
        on_device(reals.latents, compute),
        on_device(pool.latents, compute),
        split_rows(reals.original_id, fraction, s.seed, "real"),
        split_rows(pool.original_id, fraction, s.seed, "fake", s.iteration),
        s.discriminator,
        compute,
        s.seed,
        ("train_discriminator", s.iteration),
        labels if model.config.num_conditions else None,
        _process(s.noised, inputs.denoiser),
    )
    trained = job.train(training)
    for warning in discriminator_warnings(trained.history):
        logger.warning("warning: %s", warning)
    write_history_with_plot(history, trained)
    save_model(model, output, trained.best)


def _process(noised: bool, denoiser: Path | None) -> ForwardProcess | None:
    if not noised:
        return None
    if denoiser is None:
        raise UserError("--denoiser is missing, whose noise schedule noises the latents")
    return forward_process(load_denoiser(denoiser)[1])


def _pool(fakes: LatentSet, count: int, replayed: tuple[LatentSet, ...]) -> LatentSet:
    """The fakes of this iteration and of earlier ones, which are other draws of noise."""
    sets = [(0, fakes), *enumerate(replayed, 1)]
    if not replayed:
        condition = None if fakes.condition is None else fakes.condition[:count]
        latents, originals = fakes.latents[:count], fakes.original_id[:count]
        return replace(fakes, latents=latents, original_id=originals, condition=condition)
    for _, one in sets:
        require_shape(one.info, fakes.info.shape[0], side_of(fakes.info.shape), "fakes")
    names = [np.char.add(f"{n}/", one.original_id[:count].astype(str)) for n, one in sets]
    conditions = [one.condition[:count] for _, one in sets if one.condition is not None]
    return replace(
        fakes,
        latents=np.concatenate([one.latents[:count] for _, one in sets]),
        original_id=np.concatenate(names),
        condition=np.concatenate(conditions) if len(conditions) == len(sets) else None,
    )


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
