"""A denoiser whose output follows discriminators: what the objective `guidance` hands on.

This file is copied into exported pipelines: it imports nothing but diffusers, torch and the files
beside it.
"""

from dataclasses import dataclass
from typing import Any

import torch
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models.modeling_utils import ModelMixin
from diffusers.models.unets.unet_2d import UNet2DModel
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from diffusers.utils.outputs import BaseOutput
from torch import Tensor, nn

from ..objectives.guidance import guided_output
from .backbone import BackboneDiscriminator
from .discriminator import LatentDiscriminator


@dataclass
class GuidedOutput(BaseOutput):
    """What the guided network predicts."""

    sample: Tensor
    """`[B,C,H,W]` or `[B,C,D,H,W]`."""


class GuidedDenoiser(ModelMixin, ConfigMixin):
    """Noised latents and timesteps to the noise (or v), like the denoiser within.

    To its output comes the gradient of the discriminators' logits at x_t, each with its weight and
    in its range of timesteps (Kim et al. 2023; objectives/guidance.py has the formula). It is
    sampled, decoded and exported as any denoiser, but not trained.
    """

    @register_to_config
    def __init__(
        self,
        denoiser: dict[str, Any],
        discriminators: list[dict[str, Any]],
        weights: list[float],
        ranges: list[tuple[float, float]],
        noise_schedule: dict[str, Any],
        in_channels: int,
        sample_size: int | tuple[int, int, int],
        num_class_embeds: int | None = None,
    ) -> None:
        """Configurations of the networks and of the noise schedule; ranges are fractions of T."""
        super().__init__()
        # Not by the names of the configuration's keys, which diffusers would give instead.
        self.unguided = _built(denoiser)
        self.guides = nn.ModuleList(_built(config) for config in discriminators)
        alpha_bar = DDIMScheduler.from_config(noise_schedule).alphas_cumprod
        self.register_buffer("alpha_bar", alpha_bar.float(), persistent=False)

    def forward(
        self,
        sample: Tensor,
        timestep: Tensor | float | int,
        class_labels: Tensor | None = None,
        return_dict: bool = True,
    ) -> GuidedOutput | tuple[Tensor]:
        """[B,C,...], [B] or a number, [B] -> `.sample` [B,C,...]."""
        timesteps = torch.as_tensor(timestep, device=sample.device).expand(len(sample))
        options = {} if class_labels is None else {"class_labels": class_labels}
        output = self.unguided(sample, timesteps, **options).sample
        gradient = self._gradient(sample, timesteps, class_labels)
        target = self.config.noise_schedule["prediction_type"]
        output = guided_output(output, gradient, self.alpha_bar[timesteps.long()], target)
        return GuidedOutput(sample=output) if return_dict else (output,)

    def _gradient(self, x_t: Tensor, timesteps: Tensor, labels: Tensor | None) -> Tensor:
        """Of the weighted sum of logits, by x_t."""
        with torch.enable_grad():
            x = x_t.detach().float().requires_grad_()
            total = x.new_zeros(())
            settings = zip(self.guides, self.config.weights, self.config.ranges, strict=True)
            for discriminator, weight, (low, high) in settings:
                part = timesteps / len(self.alpha_bar)
                counts = (part >= low) & (part < high)
                if not counts.any():
                    continue
                logits = _logits(discriminator, x, labels, timesteps)
                total = total + weight * (logits * counts).sum()
            if not total.requires_grad:
                return torch.zeros_like(x)
            return torch.autograd.grad(total, x)[0]


def _logits(
    discriminator: nn.Module, x: Tensor, labels: Tensor | None, timesteps: Tensor
) -> Tensor:
    """Of each sample by its condition; where it has none, as classifier-free guidance asks for too,
    the mean over conditions."""
    count: int = discriminator.config.num_conditions  # type: ignore[union-attr, assignment]
    if not count or labels is None:
        return discriminator(x, None, timesteps)
    known = labels < count
    logits = discriminator(x, labels.clamp_max(count - 1), timesteps)
    if known.all():
        return logits
    every = [discriminator(x, torch.full_like(labels, n), timesteps) for n in range(count)]
    return torch.where(known, logits, torch.stack(every).mean(0))


_KINDS = {kind.__name__: kind for kind in (UNet2DModel, LatentDiscriminator, BackboneDiscriminator)}


def _built(config: dict[str, Any]) -> Any:
    """A network from its configuration, whose `_class_name` says which."""
    if config["_class_name"] == "UNet3DModel":
        from .unet3d import UNet3DModel

        return UNet3DModel.from_config(config)
    return _KINDS[config["_class_name"]].from_config(config)


def guided(
    denoiser: Any, discriminator: Any, weight: float, reach: tuple[float, float], schedule: Any
) -> GuidedDenoiser:
    """A denoiser, guided already or not, with one more discriminator.

    `reach` is the range of timesteps, as fractions of T.
    """
    before = denoiser if isinstance(denoiser, GuidedDenoiser) else None
    inner = before.unguided if before else denoiser
    discriminators = [*(before.guides if before else []), discriminator]
    model = GuidedDenoiser(
        _config(inner),
        [_config(one) for one in discriminators],
        [*(before.config.weights if before else []), weight],
        [*(before.config.ranges if before else []), reach],
        {k: v for k, v in dict(schedule.config).items() if k != "_use_default_values"},
        inner.config.in_channels,
        inner.config.sample_size,
        inner.config.num_class_embeds,
    )
    model.unguided.load_state_dict(inner.state_dict())
    for own, given in zip(model.guides, discriminators, strict=True):
        own.load_state_dict(given.state_dict())
    return model.eval()


def _config(model: Any) -> dict[str, Any]:
    """What `_built` builds the same from; nothing in it tells where a file lay."""
    kept = {k: v for k, v in dict(model.config).items() if not k.startswith("_")}
    return {"_class_name": type(model).__name__, **kept}
