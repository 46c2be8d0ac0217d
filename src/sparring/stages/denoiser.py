"""Stages that train a denoiser: stage 1, and an iteration's fine-tuning."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from torch import Tensor

from ..artefacts.latent_sets import read_latent_set
from ..artefacts.latents import (
    LatentsInfo,
    latents_info,
    read_column,
    read_conditions,
    read_latents,
    require_same_autoencoder,
    require_shape,
    side_of,
)
from ..artefacts.layouts import Layouts
from ..balance import finetuning_warnings
from ..compute import Compute
from ..errors import UserError
from ..models.autoencoder import Codec, autoencoder_digest
from ..models.denoiser import (
    Denoiser,
    build_denoiser,
    build_scheduler,
    load_denoiser,
    require_conditions,
    save_denoiser,
)
from ..models.guided import GuidedDenoiser
from ..models.perceptual import EncoderFeatures, PerceptualFeatures, Vgg16Features, load_vgg16
from ..objectives.table import FEWEST_FAKES, NEEDS
from ..randomness import Key, seeded_initialisation
from ..sampling.decoders import load_decoder
from ..sampling.pictures import enlarged, grid, save_picture
from ..settings.objective import AdversarialLoss
from ..settings.semantic import SemanticLoss
from ..settings.stages import FinetuneDiffusion, FinetuneSemantic, PretrainDiffusion
from ..training.denoiser import DenoiserTraining
from ..training.finetuning import Finetuning, Teacher, read_optimizer, write_optimizer
from ..training.latents import Latents, on_device
from ..training.loop import Trained
from ..training.opponents import Critic, Itself, Opponent
from ..training.semantics import LayoutRows, Semantics
from ..training.tracking import Tracker
from .discriminators import load_discriminator
from .histories import write_history_with_plot
from .job import Job
from .timing import epochs_of

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class DenoiserInputs:
    """What every denoiser training reads."""

    train_latents: Path
    val_latents: Path
    autoencoder: Path
    layouts: Path | None = None
    """The packed layouts that the latents were encoded from, for semantic losses."""


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
        model = build_denoiser(s.denoiser, info.shape[0], side_of(info.shape), len(info.conditions))
    training = DenoiserTraining(
        model,
        build_scheduler(s.noise_schedule),
        _latents(inputs, s.diffusion.augmented, compute),
        s.diffusion,
        compute,
        s.seed,
        ("pretrain_diffusion",),
        _picture(inputs.autoencoder, outputs.samples, compute, job.tracker),
    )
    trained = job.train(training)
    _write(training, trained, outputs)


def finetune_semantic(
    job: Job[FinetuneSemantic], inputs: DenoiserInputs, denoiser: Path, outputs: DenoiserOutputs
) -> None:
    """Stage 2, semantic: the noise loss, and losses on decoded predictions."""
    training = _finetuning(job, inputs, denoiser, outputs, ("finetune_semantic",))
    _write(training, job.train(training), outputs)


@dataclass(frozen=True)
class OpponentFiles:
    """What the adversarial arm is trained against; the control arm has none of it."""

    discriminator: Path | None = None
    fakes: Path | None = None
    """Samples of the denoiser that enters, which `ddo` reads."""


def finetune_diffusion(
    job: Job[FinetuneDiffusion],
    inputs: DenoiserInputs,
    denoiser: Path,
    against: OpponentFiles,
    optimizer: Path | None,
    outputs: DenoiserOutputs,
    optimizer_output: Path,
    time: Path | None = None,
) -> None:
    """An iteration: plus, in the adversarial arm, the objective's loss.

    `time` says how many epochs it takes instead of `diffusion.epochs`.
    """
    s = job.settings
    if time is not None:
        longer = s.diffusion.model_copy(update={"epochs": epochs_of(time)})
        s = s.model_copy(update={"diffusion": longer})
        job = replace(job, settings=s)
    opponent = _opponent(s, inputs, denoiser, against, job.compute())
    key = ("finetune_diffusion", s.iteration)
    training = _finetuning(job, inputs, denoiser, outputs, key, opponent, optimizer)
    trained = job.train(training)
    for warning in finetuning_warnings(trained.history):
        logger.warning("warning: %s", warning)
    write_optimizer(optimizer_output, trained.extra)
    _write(training, trained, outputs)


def _opponent(
    s: FinetuneDiffusion,
    inputs: DenoiserInputs,
    denoiser: Path,
    against: OpponentFiles,
    compute: Compute,
) -> Opponent | None:
    """None in the control arm. Raises UserError where what the objective reads is missing."""
    if s.adversarial is None:
        return None
    needs, name = NEEDS[s.adversarial.objective], s.adversarial.objective
    if needs.guided_sampling:
        raise UserError(f"adversarial.objective {name} trains no denoiser; use guide_denoiser.py")
    info = latents_info(inputs.train_latents)
    if needs.fakes_in_training:
        if against.fakes is None:
            raise UserError(
                f"--fake-latents is missing, which adversarial.objective {name} reads; give it, or "
                "another objective, such as --set adversarial.objective=x0_bce with a discriminator"
            )
        return _itself(s.adversarial, info, denoiser, against.fakes, compute)
    if against.discriminator is None:
        return None
    noised = needs.discriminator_input == "noised"
    critic = load_discriminator(against.discriminator, info, noised)
    return Critic(critic, s.adversarial, s.discriminator)


def _itself(
    loss: AdversarialLoss, info: LatentsInfo, denoiser: Path, path: Path, compute: Compute
) -> Itself:
    """The denoiser that enters, with the fakes of a file."""
    fakes = read_latent_set(path)
    require_shape(fakes.info, info.shape[0], side_of(info.shape), str(info.path))
    if len(fakes.latents) < FEWEST_FAKES:
        raise UserError(
            f"{path}: has {len(fakes.latents)} fakes, but objective {loss.objective} trains on "
            f"them and holds some out to validate; sample at least {FEWEST_FAKES} (num_samples)"
        )
    labels = fakes.condition if info.conditions else None
    return Itself(
        trainable(denoiser)[0],
        on_device(fakes.latents, compute),
        loss,
        None if labels is None else torch.from_numpy(labels).to(compute.device),
    )


def _finetuning(
    job: Job[FinetuneSemantic] | Job[FinetuneDiffusion],
    inputs: DenoiserInputs,
    denoiser: Path,
    outputs: DenoiserOutputs,
    key: tuple[Key, ...],
    opponent: Opponent | None = None,
    optimizer: Path | None = None,
) -> Finetuning:
    s, compute = job.settings, job.compute()
    info = _check_inputs(inputs)
    model, schedule = trainable(denoiser)
    require_shape(info, model.config.in_channels, model.config.sample_size, str(denoiser))
    require_conditions(model, info, str(denoiser))
    return Finetuning(
        model,
        schedule,
        _latents(inputs, s.diffusion.augmented, compute),
        s.diffusion,
        compute,
        s.seed,
        key,
        _picture(inputs.autoencoder, outputs.samples, compute, job.tracker),
        opponent=opponent,
        teacher=_teacher(s.semantic, inputs, s.diffusion.augmented, compute),
        optimizer_state=read_optimizer(optimizer, model) if optimizer else None,
        keep_moments=isinstance(s, FinetuneDiffusion) and s.diffusion.carry_optimizer,
    )


def _teacher(
    settings: SemanticLoss | None, inputs: DenoiserInputs, augmented: bool, compute: Compute
) -> Teacher | None:
    if settings is None:
        return None
    if inputs.layouts is None:
        raise UserError("semantic losses need the layouts that the latents were encoded from")
    codec = Codec.load(inputs.autoencoder, compute)
    layouts = Layouts(inputs.layouts)
    rows = {
        "train": _layout_rows(layouts, "train", inputs.train_latents, augmented),
        "val": _layout_rows(layouts, "val", inputs.val_latents, augmented),
    }
    return Teacher(Semantics(settings, codec, _features(settings, codec)), rows)


def _features(settings: SemanticLoss, codec: Codec) -> PerceptualFeatures | None:
    if settings.perceptual_weight == 0:
        return None
    if settings.perceptual_features == "autoencoder":
        return EncoderFeatures(codec)
    assert settings.vgg16_weights is not None
    return Vgg16Features(load_vgg16(settings.vgg16_weights, settings.vgg16_sha256), codec)


def _layout_rows(layouts: Layouts, split: str, latents: Path, augmented: bool) -> LayoutRows:
    """The layouts of the latents that `_latents` reads, in the same order."""
    rows = layouts.rows(split)
    if [layouts.sample_id[row] for row in rows] != list(read_column(latents, "sample_id")):
        raise UserError(
            f"{latents}: its samples are not those of split {split!r} of {layouts.path}; encode "
            "the layouts again"
        )
    kept = rows if augmented else rows[~read_column(latents, "is_augmented")]
    return LayoutRows(layouts, kept)


def trainable(directory: Path) -> tuple[Denoiser, DDIMScheduler]:
    """A denoiser and its schedule; refuses one that a discriminator guides."""
    model, schedule = load_denoiser(directory)
    if isinstance(model, GuidedDenoiser):
        raise UserError(
            f"{directory}: a denoiser that discriminators guide (objective guidance) is sampled, "
            "not trained; start from the experiment that it started from, or go on with objective "
            "guidance"
        )
    return model, schedule


def _check_inputs(inputs: DenoiserInputs) -> LatentsInfo:
    train = latents_info(inputs.train_latents)
    autoencoder = inputs.autoencoder, autoencoder_digest(inputs.autoencoder)
    require_same_autoencoder(autoencoder, train, latents_info(inputs.val_latents))
    return train


def _latents(inputs: DenoiserInputs, augmented: bool, compute: Compute) -> Latents:
    def of(path: Path) -> tuple[Tensor, Tensor | None]:
        kept = slice(None) if augmented else ~read_column(path, "is_augmented")
        labels = read_conditions(latents_info(path))
        return on_device(read_latents(path)[kept], compute), (
            None if labels is None else torch.from_numpy(labels[kept]).to(compute.device)
        )

    (train, train_labels), (val, val_labels) = of(inputs.train_latents), of(inputs.val_latents)
    return Latents(train, val, train_labels, val_labels)


def _picture(
    autoencoder: Path, folder: Path, compute: Compute, tracker: Tracker
) -> Callable[[int, Tensor], None]:
    def draw(epoch: int, samples: Tensor) -> None:
        picture = grid(enlarged(load_decoder(autoencoder, compute).images(samples)))
        save_picture(folder / f"epoch_{epoch:03d}.png", picture)
        tracker.image(epoch, "samples", picture)

    return draw


def _write(training: DenoiserTraining, trained: Trained, outputs: DenoiserOutputs) -> None:
    write_history_with_plot(outputs.history, trained)
    latest = training.average.weights()
    save_denoiser(outputs.latest, training.model, training.schedule, latest)
    save_denoiser(outputs.denoiser, training.model, training.schedule, trained.best)
    logger.info(
        "kept epoch %d, by %s: %s", trained.best_epoch, training.criterion, outputs.denoiser
    )
