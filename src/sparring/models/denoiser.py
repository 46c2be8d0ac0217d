"""The denoiser: a diffusers UNet2DModel and the noise schedule it was trained with."""

from pathlib import Path
from typing import cast

import torch
from diffusers.models.unets.unet_2d import UNet2DModel
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from torch import Tensor

from ..artefacts.latents import LatentsInfo
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


def build_denoiser(
    settings: DenoiserSettings, channels: int, side: int, num_conditions: int = 0
) -> UNet2DModel:
    """A fresh UNet2DModel for latents `[channels, side, side]`.

    A class-conditional one has an embedding more than there are conditions: the last stands for
    none of them, as classifier-free guidance needs it (Ho & Salimans 2022).
    """
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
        num_class_embeds=num_conditions + 1 if num_conditions else None,
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


def num_conditions(model: UNet2DModel) -> int:
    """How many conditions a denoiser knows; 0 where it is unconditional."""
    embeddings = model.config.num_class_embeds
    return 0 if embeddings is None else embeddings - 1


def unconditional(model: UNet2DModel, labels: Tensor) -> Tensor:
    """As many labels that stand for no condition.   [B] -> [B]."""
    return torch.full_like(labels, num_conditions(model))


def require_conditions(model: UNet2DModel, info: LatentsInfo, owner: str) -> None:
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
    """The network's output at x_t in fp32.   [B,C,H,W], [B], [B] -> [B,C,H,W].

    `labels` are the numbers of conditions, for a class-conditional network.
    """
    options = {} if labels is None else {"class_labels": labels}
    return model(x_t, timesteps, **options).sample.float()


def predict_guided(
    model: UNet2DModel, x_t: Tensor, timesteps: Tensor, labels: Tensor, scale: float
) -> Tensor:
    """Classifier-free guidance (Ho & Salimans 2022, eq. 6 with scale = 1 + w).

    none + scale (conditional - none), which holds for eps and v alike; 1 is no guidance.
    """
    if scale == 1:
        return predict(model, x_t, timesteps, labels)
    both = torch.cat([labels, unconditional(model, labels)])
    output = predict(model, x_t.repeat(2, 1, 1, 1), timesteps.repeat(2), both)
    conditional, none = output.chunk(2)
    return none + scale * (conditional - none)


class OneStep:
    """A frozen denoiser's one-step predictions."""

    def __init__(self, model: UNet2DModel, scheduler: DDIMScheduler, compute: Compute) -> None:
        self._model = model.to(compute.device).eval().requires_grad_(False)
        self._compute = compute
        self.process = forward_process(scheduler).to(compute.device)

    @torch.no_grad()
    def __call__(
        self, x0: Tensor, eps: Tensor, timesteps: Tensor, labels: Tensor | None = None
    ) -> Prediction:
        """The record of x0 noised with eps.   [B,C,H,W], [B,C,H,W], [B], [B]."""
        x_t = self.process.noised(x0, eps, timesteps)
        with self._compute.autocast():
            output = predict(self._model, x_t, timesteps, labels)
        return self.process.prediction(x0, eps, timesteps, output)
