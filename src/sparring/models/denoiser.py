"""The denoiser: a diffusers UNet2DModel and the noise schedule it was trained with."""

from pathlib import Path
from typing import cast

import torch
from diffusers.models.unets.unet_2d import UNet2DModel
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from torch import Tensor

from ..artefacts.model_files import SCHEDULER
from ..artefacts.models import load_model, read_config, save_model
from ..compute import Compute
from ..diffusion.process import ForwardProcess, Prediction, Target
from ..errors import UserError
from ..settings.parts import DenoiserSettings, NoiseScheduleSettings
from .presets import NORM_NUM_GROUPS, PRESETS

_BETA_SCHEDULES = {
    "linear": "linear",
    "scaled_linear": "scaled_linear",
    "cosine": "squaredcos_cap_v2",
}


def build_denoiser(settings: DenoiserSettings, channels: int, side: int) -> UNet2DModel:
    """A fresh UNet2DModel for latents `[channels, side, side]`."""
    preset = PRESETS[settings.preset]
    if side % preset.factor:
        raise UserError(
            f"denoiser.preset: {settings.preset} halves the latent's side {len(preset.widths) - 1} "
            f"times, but latents are {side} wide, expected a multiple of {preset.factor}; "
            "choose a preset with fewer levels or larger layouts"
        )
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
    model: UNet2DModel,
    scheduler: DDIMScheduler,
    weights: dict[str, Tensor] | None = None,
) -> None:
    """Write model and noise schedule."""
    save_model(model, directory, weights, scheduler)


def load_denoiser(
    directory: Path, schedule: Path | None = None
) -> tuple[UNet2DModel, DDIMScheduler]:
    """A denoiser and its noise schedule, on the CPU; `schedule` names a file or folder elsewhere.

    Raises UserError where there is no noise schedule.
    """
    model = load_model(UNet2DModel, directory)
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


def predict(model: torch.nn.Module, x_t: Tensor, timesteps: Tensor) -> Tensor:
    """The network's output at x_t in fp32.   [B,C,H,W], [B] -> [B,C,H,W]."""
    return model(x_t, timesteps).sample.float()


class OneStep:
    """A frozen denoiser's one-step predictions."""

    def __init__(self, model: UNet2DModel, scheduler: DDIMScheduler, compute: Compute) -> None:
        self._model = model.to(compute.device).eval().requires_grad_(False)
        self._compute = compute
        self.process = forward_process(scheduler).to(compute.device)

    @torch.no_grad()
    def __call__(self, x0: Tensor, eps: Tensor, timesteps: Tensor) -> Prediction:
        """The record of x0 noised with eps.   [B,C,H,W], [B,C,H,W], [B]."""
        with self._compute.autocast():
            output = predict(self._model, self.process.noised(x0, eps, timesteps), timesteps)
        return self.process.prediction(x0, eps, timesteps, output)
