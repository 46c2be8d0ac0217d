"""The denoiser, and the noise schedule it was trained with.

Of layouts' latents a diffusers UNet2DModel, of volumes' a UNet3DModel; `predict` is the same.
"""

from pathlib import Path
from typing import TypeAlias, cast

import torch
from diffusers.models.unets.unet_2d import UNet2DModel
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from torch import Tensor

from ..artefacts.latents import LatentsInfo, Side, latent_shape
from ..artefacts.model_files import SCHEDULER
from ..artefacts.models import load_model, read_config, save_model
from ..compute import Compute
from ..diffusion.process import ForwardProcess, Prediction, Target
from ..errors import UserError
from ..settings.parts import DenoiserSettings, NoiseScheduleSettings
from .guided import GuidedDenoiser
from .presets import NORM_NUM_GROUPS, PRESETS, Preset
from .unet3d import UNet3DModel

Denoiser: TypeAlias = UNet2DModel | UNet3DModel | GuidedDenoiser
_KINDS = {kind.__name__: kind for kind in (UNet3DModel, GuidedDenoiser)}
_BETA_SCHEDULES = {
    "linear": "linear",
    "scaled_linear": "scaled_linear",
    "cosine": "squaredcos_cap_v2",
}


def build_denoiser(
    settings: DenoiserSettings, channels: int, side: Side, num_conditions: int = 0
) -> Denoiser:
    """A fresh denoiser for latents `[channels, side, side]`, or of three sides.

    A class-conditional one has an embedding more than there are conditions: the last stands for
    none of them, as classifier-free guidance needs it (Ho & Salimans 2022).
    """
    preset = PRESETS[settings.preset]
    sides = latent_shape(channels, side)[1:]
    if len(sides) != preset.dims:
        raise UserError(
            f"denoiser.preset: {settings.preset} is for latents of {preset.dims} dimensions, but "
            f"these are {' x '.join(map(str, sides))}; choose a preset "
            + ("that begins with unet3d" if preset.dims == 2 else "without 3d in its name")
        )
    if any(s % preset.factor for s in sides):
        wide = " x ".join(map(str, dict.fromkeys(sides)))
        raise UserError(
            f"denoiser.preset: {settings.preset} halves the latent's side {len(preset.widths) - 1} "
            f"times, but latents are {wide} wide, expected a multiple of {preset.factor}; "
            "choose a preset with fewer levels or larger "
            + ("layouts" if preset.dims == 2 else "patches")
        )
    embeddings = num_conditions + 1 if num_conditions else None
    if preset.dims == 3:
        return _unet3d(preset, channels, sides, embeddings)
    kind = "Attn{}Block2D" if preset.attention else "{}Block2D"
    return UNet2DModel(
        sample_size=side,
        in_channels=channels,
        out_channels=channels,
        layers_per_block=preset.layers_per_block,
        block_out_channels=preset.widths,
        down_block_types=(kind.format("Down"),) * len(preset.widths),
        up_block_types=(kind.format("Up"),) * len(preset.widths),
        norm_num_groups=NORM_NUM_GROUPS,
        add_attention=preset.mid_attention,
        num_class_embeds=embeddings,
    )


def _unet3d(
    preset: Preset, channels: int, sides: tuple[int, ...], embeddings: int | None
) -> UNet3DModel:
    depth, height, width = sides
    return UNet3DModel(
        sample_size=(depth, height, width),
        in_channels=channels,
        out_channels=channels,
        block_out_channels=preset.widths,
        layers_per_block=preset.layers_per_block,
        attention=preset.attention,
        norm_num_groups=NORM_NUM_GROUPS,
        num_class_embeds=embeddings,
    )


def build_scheduler(settings: NoiseScheduleSettings) -> DDIMScheduler:
    """The noise schedule as a diffusers scheduler.

    clip_sample is off, because standardised latents exceed 1; timesteps are trailing, so that
    sampling starts at T - 1 (Lin et al. 2024).
    """
    return DDIMScheduler(
        num_train_timesteps=settings.num_timesteps,
        beta_start=settings.beta_start,
        beta_end=settings.beta_end,
        beta_schedule=_BETA_SCHEDULES[settings.schedule],
        prediction_type="v_prediction" if settings.prediction == "v" else "epsilon",
        rescale_betas_zero_snr=settings.zero_terminal_snr,
        timestep_spacing="trailing",
        clip_sample=False,
    )


def forward_process(scheduler: DDIMScheduler) -> ForwardProcess:
    """The forward process of a scheduler."""
    target = scheduler.config.prediction_type
    if target not in ("epsilon", "v_prediction"):
        raise UserError(
            f"scheduler_config.json: prediction_type is {target!r}, expected 'epsilon' or "
            "'v_prediction'"
        )
    return ForwardProcess(scheduler.alphas_cumprod.to(torch.float32), cast(Target, target))


def save_denoiser(
    directory: Path,
    model: Denoiser,
    scheduler: DDIMScheduler,
    weights: dict[str, Tensor] | None = None,
) -> None:
    """Write model and noise schedule."""
    save_model(model, directory, weights, scheduler)


def load_denoiser(directory: Path, schedule: Path | None = None) -> tuple[Denoiser, DDIMScheduler]:
    """A denoiser and its noise schedule, on the CPU; `schedule` names a file or folder elsewhere.

    Raises UserError where there is no noise schedule.
    """
    kind = _KINDS.get(str(read_config(directory).get("_class_name")), UNet2DModel)
    model: Denoiser = load_model(kind, directory)
    path = schedule if schedule and schedule.is_file() else (schedule or directory) / SCHEDULER
    if not path.is_file():
        raise UserError(
            f"{path}: missing; put the scheduler_config.json that the denoiser was trained with "
            "beside its config.json"
        )
    config = read_config(path.parent, path.name)
    if not isinstance(config.get("num_train_timesteps"), int):
        raise UserError(
            f"{path}: has no num_train_timesteps, expected the scheduler_config.json that the "
            "denoiser was trained with"
        )
    return model, DDIMScheduler.from_config(config, clip_sample=False)


def sampled_shape(model: Denoiser) -> tuple[int, ...]:
    """The shape of one latent, `[C,H,W]` or `[C,D,H,W]`."""
    return latent_shape(model.config.in_channels, model.config.sample_size)


def num_conditions(model: Denoiser) -> int:
    """How many conditions a denoiser knows; 0 where it is unconditional."""
    embeddings = model.config.num_class_embeds
    return 0 if embeddings is None else embeddings - 1


def unconditional(model: Denoiser, labels: Tensor) -> Tensor:
    """As many labels that stand for no condition.   [B] -> [B]."""
    return torch.full_like(labels, num_conditions(model))


def require_conditions(model: Denoiser, info: LatentsInfo, owner: str) -> None:
    """Refuse a denoiser and latents with different numbers of conditions."""
    found, expected = num_conditions(model), len(info.conditions)
    if found != expected:
        raise UserError(
            f"{owner}: a denoiser of {found or 'no'} conditions, but {info.path} has "
            f"{expected or 'none'}; use latents of the dataset that it was trained on"
        )


def predict(
    model: torch.nn.Module, x_t: Tensor, timesteps: Tensor, labels: Tensor | None = None
) -> Tensor:
    """The network's output at x_t in fp32.   [B,C,...], [B], [B] -> [B,C,...].

    `labels` are the numbers of conditions, for a class-conditional network.
    """
    options = {} if labels is None else {"class_labels": labels}
    return model(x_t, timesteps, **options).sample.float()


def predict_guided(
    model: Denoiser, x_t: Tensor, timesteps: Tensor, labels: Tensor, scale: float
) -> Tensor:
    """Classifier-free guidance (Ho & Salimans 2022, eq. 6 with scale = 1 + w).

    none + scale (conditional - none), which holds for eps and v alike; 1 is no guidance.
    """
    if scale == 1:
        return predict(model, x_t, timesteps, labels)
    both = torch.cat([labels, unconditional(model, labels)])
    output = predict(model, torch.cat([x_t, x_t]), timesteps.repeat(2), both)
    conditional, none = output.chunk(2)
    return none + scale * (conditional - none)


class OneStep:
    """A frozen denoiser's one-step predictions."""

    def __init__(self, model: Denoiser, scheduler: DDIMScheduler, compute: Compute) -> None:
        self._model = compute.place(model).eval().requires_grad_(False)
        self._compute = compute
        self.process = forward_process(scheduler).to(compute.device)

    @torch.no_grad()
    def __call__(
        self, x0: Tensor, eps: Tensor, timesteps: Tensor, labels: Tensor | None = None
    ) -> Prediction:
        """The record of x0 noised with eps.   [B,C,...], [B,C,...], [B], [B]."""
        x_t = self.process.noised(x0, eps, timesteps)
        with self._compute.autocast():
            output = predict(self._model, x_t, timesteps, labels)
        return self.process.prediction(x0, eps, timesteps, output)
