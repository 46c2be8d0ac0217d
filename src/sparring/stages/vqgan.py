"""Training a VQ-GAN: phase one, and phase two with its control."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor

from ..artefacts.atomic import replacing
from ..artefacts.models import load_model, read_tensors, save_model
from ..artefacts.volumes import Volumes, to_hu
from ..compute import Compute
from ..data.patches import PatchSampler, grid_patches
from ..models.vqgan import VQGAN
from ..models.vqgan_building import build_vqgan
from ..randomness import seeded_initialisation
from ..sampling.pictures import save_picture
from ..sampling.volume_pictures import three_planes
from ..settings.vqgan_stages import TrainVqgan, TrainVqganAdversarial, TrainVqganReconstruction
from ..training.adversary import Adversary
from ..training.optimisation import moments_of
from ..training.patch_features import patch_features
from ..training.tracking import Tracker
from ..training.vqgan import Patches, Span, VqganStage
from ..training.vqgan_warnings import vqgan_warnings
from .histories import write_history_with_plot
from .job import Job

logger = logging.getLogger(__name__)
_MEASURED_PATCHES = 64
Picture = Callable[[int, Tensor, Tensor], None]


@dataclass(frozen=True)
class VqganOutputs:
    """What a phase leaves."""

    model: Path
    history: Path
    optimizer: Path
    samples: Path
    discriminators: Path | None = None
    """Folder of a directory each; only phase two has them."""


def train_vqgan_reconstruction(
    job: Job[TrainVqganReconstruction],
    volumes_file: Path,
    start_from: Path | None,
    outputs: VqganOutputs,
) -> None:
    """Phase one: from scratch, or on from a given model."""
    s, compute = job.settings, job.compute()
    volumes = Volumes(volumes_file)
    if start_from is not None:
        model = load_model(VQGAN, start_from)
    else:
        with seeded_initialisation(s.seed, "vqgan"):
            model = build_vqgan(s.model)
    _describe(model, volumes, s)
    with_vgg = s.losses.perceptual_features == "vgg16"
    stage = VqganStage(
        model, _patches(volumes, s), Span(0, s.steps, s.total_steps or s.steps), s.training,
        s.losses, compute, s.seed,
        features=patch_features(s.losses, model, compute) if with_vgg else None,
        picture=_picture(volumes, outputs.samples, job.tracker),
    )  # fmt: skip
    _train(job, stage, volumes, compute, outputs)


def train_vqgan_adversarial(
    job: Job[TrainVqganAdversarial],
    volumes_file: Path,
    start_from: Path,
    optimizer: Path | None,
    outputs: VqganOutputs,
) -> None:
    """Phase two: on from phase one, against discriminators or, as the control, without."""
    s, compute = job.settings, job.compute()
    volumes, model = Volumes(volumes_file), load_model(VQGAN, start_from)
    _describe(model, volumes, s)
    last = s.first_step + s.steps
    adversary = Adversary(s.adversarial, compute, s.seed) if s.adversarial else None
    stage = VqganStage(
        model, _patches(volumes, s),
        Span(s.first_step, s.steps, s.total_steps or last, discriminator_start=s.first_step),
        s.training, s.losses, compute, s.seed, adversary=adversary,
        features=patch_features(s.losses, model, compute),
        moments=read_tensors(optimizer) if optimizer else None,
        picture=_picture(volumes, outputs.samples, job.tracker),
    )  # fmt: skip
    _train(job, stage, volumes, compute, outputs)
    if adversary is not None and outputs.discriminators is not None:
        for judge in adversary.judges:
            save_model(judge.model, outputs.discriminators / f"{judge.name}_discriminator")


def _train(
    job: Job[TrainVqganReconstruction] | Job[TrainVqganAdversarial],
    stage: VqganStage,
    volumes: Volumes,
    compute: Compute,
    outputs: VqganOutputs,
) -> None:
    """Run the phase; what it ends with is kept, not what had the least validation loss.

    Sharper reconstructions have a larger error: the least would undo phase two.
    """
    if volumes.warning:
        logger.warning("warning: %s", volumes.warning)
    logger.info("%s parameters", f"{sum(p.numel() for p in stage.model.parameters()):,}")
    trained = job.train(stage)
    for warning in vqgan_warnings(trained.history, stage.model.num_codes):
        logger.warning("warning: %s", warning)
    last = int(trained.history[-1]["epoch"] or 0)
    write_history_with_plot(outputs.history, replace(trained, best_epoch=last))
    with replacing(outputs.optimizer) as aside:
        save_file(moments_of(stage.optimizer, stage.model), aside)
    mean, std = latent_statistics(stage.model, volumes, stage.settings.patch_size, compute)
    stage.model.register_to_config(latents_mean=mean, latents_std=std)
    save_model(stage.model, outputs.model)


@torch.no_grad()
def latent_statistics(
    model: VQGAN, volumes: Volumes, size: int, compute: Compute
) -> tuple[list[float], list[float]]:
    """Mean and standard deviation per channel of latents of training patches, before rounding."""
    model.eval()
    total = squares = torch.zeros((), dtype=torch.float64)
    count = 0
    for patch in grid_patches(volumes, volumes.rows("train"), size, _MEASURED_PATCHES):
        latents = model.encode(patch.to(compute.device)).double().cpu().transpose(0, 1).flatten(1)
        total, squares = total + latents.sum(1), squares + latents.square().sum(1)
        count += latents.shape[1]
    mean = total / count
    return mean.tolist(), (squares / count - mean.square()).clamp_min(1e-12).sqrt().tolist()


def _patches(volumes: Volumes, s: TrainVqgan) -> Patches:
    """Patches of both phases come from one stream, told apart by their step."""
    size, count = s.training.patch_size, s.training.val_patches
    sampler = PatchSampler(volumes, "train", size, s.seed, "vqgan", s.pad)
    held_out = volumes.rows("val")
    return Patches(sampler.patches, lambda: grid_patches(volumes, held_out, size, count))


def _describe(model: VQGAN, volumes: Volumes, s: TrainVqgan) -> None:
    """Say in the model's config what it was trained on."""
    model.register_to_config(
        hu_window=volumes.hu_window, orientation=volumes.orientation, spacing=s.spacing
    )


def _picture(volumes: Volumes, folder: Path, tracker: Tracker) -> Picture:
    spacing = volumes.spacing[volumes.rows("val")[0]]

    def draw(epoch: int, real: Tensor, fake: Tensor) -> None:
        original, other = (
            to_hu(x[0, 0].clamp(-1, 1).cpu().numpy(), volumes.hu_window) for x in (real, fake)
        )
        planes = three_planes(original, {"reconstruction": other}, spacing, volumes.hu_window)
        save_picture(folder / f"epoch_{epoch:03d}.png", planes)
        tracker.image(epoch, "reconstruction", np.asarray(planes))

    return draw
