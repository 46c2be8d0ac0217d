"""Sampling a class-conditional latent diffusion model with diffusers alone.

This file is copied into exported pipelines as pipeline.py: it imports nothing but diffusers and
torch.
"""

from collections.abc import Sequence
from typing import Any

import torch
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    DiffusionPipeline,
    ImagePipelineOutput,
    UNet2DModel,
)
from diffusers.utils.torch_utils import randn_tensor


class ClassConditionalLDMPipeline(DiffusionPipeline):
    """Images of given conditions, with classifier-free guidance (Ho & Salimans 2022)."""

    def __init__(
        self,
        vqvae: AutoencoderKL,
        unet: UNet2DModel,
        scheduler: DDIMScheduler,
        id2label: dict[str, str] | None = None,
    ) -> None:
        """`id2label` gives the name of each condition by its number."""
        super().__init__()
        self.register_modules(vqvae=vqvae, unet=unet, scheduler=scheduler)
        self.register_to_config(id2label=id2label)
        self.labels = {name: int(number) for number, name in (id2label or {}).items()}

    @torch.no_grad()
    def __call__(
        self,
        class_labels: Sequence[int | str],
        guidance_scale: float = 1.0,
        generator: torch.Generator | list[torch.Generator] | None = None,
        eta: float = 0.0,
        num_inference_steps: int = 50,
        output_type: str = "pil",
    ) -> ImagePipelineOutput:
        """One image per label, a condition's name or number.

        `guidance_scale` 1 is no guidance, above 1 images are drawn further towards their
        condition. `output_type` is "pil" or "np" (`[B,H,W,3]` in 0 to 1). Raises ValueError for
        labels that the model does not know.
        """
        labels = torch.tensor([self._number(label) for label in class_labels], device=self.device)
        side = self.unet.config.sample_size
        shape = (len(labels), self.unet.config.in_channels, side, side)
        latents = randn_tensor(shape, generator=generator, device=self.device)
        latents = latents * self.scheduler.init_noise_sigma
        self.scheduler.set_timesteps(num_inference_steps)
        for t in self.progress_bar(self.scheduler.timesteps):
            output = self._predict(latents, t, labels, guidance_scale)
            latents = self.scheduler.step(output, t, latents, eta=eta).prev_sample
        decoded = self.vqvae.decode(latents / self.vqvae.config.scaling_factor).sample
        images: Any = (decoded / 2 + 0.5).clamp(0, 1).cpu().permute(0, 2, 3, 1).numpy()
        return ImagePipelineOutput(self.numpy_to_pil(images) if output_type == "pil" else images)

    def _predict(
        self, latents: torch.Tensor, t: torch.Tensor, labels: torch.Tensor, scale: float
    ) -> torch.Tensor:
        if scale == 1:
            return self.unet(latents, t, class_labels=labels).sample
        none = torch.full_like(labels, self._count)  # the last embedding stands for no condition
        both = self.unet(latents.repeat(2, 1, 1, 1), t, class_labels=torch.cat([labels, none]))
        conditional, unconditional = both.sample.chunk(2)
        return unconditional + scale * (conditional - unconditional)

    @property
    def _count(self) -> int:
        return self.unet.config.num_class_embeds - 1

    def _number(self, label: int | str) -> int:
        number = self.labels.get(label) if isinstance(label, str) else label
        if number is None or not 0 <= number < self._count:
            known = ", ".join(self.labels) or f"0 to {self._count - 1}"
            raise ValueError(f"class label is {label!r}, expected one of {known}")
        return number
