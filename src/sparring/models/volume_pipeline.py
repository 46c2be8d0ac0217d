"""Sampling volumes from a latent diffusion model with diffusers and MONAI alone.

This file is copied into exported pipelines as pipeline.py: it imports nothing but diffusers and
torch. The networks' own files lie beside their weights; the denoiser's needs MONAI and einops.
"""

from dataclasses import dataclass

import torch
from diffusers import DDIMScheduler, DiffusionPipeline, ModelMixin
from diffusers.utils import BaseOutput
from diffusers.utils.torch_utils import randn_tensor


@dataclass
class VolumePipelineOutput(BaseOutput):
    """What was sampled."""

    volumes: torch.Tensor
    """Hounsfield units, float32 `[N,1,D,H,W]` on the CPU."""


class VolumeLDMPipeline(DiffusionPipeline):
    """Volumes in Hounsfield units, unconditional."""

    def __init__(self, vqvae: ModelMixin, unet: ModelMixin, scheduler: DDIMScheduler) -> None:
        """A VQGAN, a UNet3DModel for its latents, and the noise schedule."""
        super().__init__()
        self.register_modules(vqvae=vqvae, unet=unet, scheduler=scheduler)

    @torch.no_grad()
    def __call__(
        self,
        batch_size: int = 1,
        generator: torch.Generator | list[torch.Generator] | None = None,
        eta: float = 0.0,
        num_inference_steps: int = 50,
    ) -> VolumePipelineOutput:
        """`batch_size` volumes; they are decoded one by one."""
        config = self.unet.config
        shape = (batch_size, config.in_channels, *config.sample_size)
        latents = randn_tensor(shape, generator=generator, device=self.device)
        latents = latents * self.scheduler.init_noise_sigma
        self.scheduler.set_timesteps(num_inference_steps)
        for t in self.progress_bar(self.scheduler.timesteps):
            output = self.unet(latents, t).sample
            latents = self.scheduler.step(output, t, latents, eta=eta).prev_sample
        volumes = torch.cat([self._decode(one) for one in latents.split(1)])
        return VolumePipelineOutput(volumes=volumes)

    def _decode(self, latents: torch.Tensor) -> torch.Tensor:
        """Standardised latents `[1,C,d,h,w]` to HU `[1,1,D,H,W]`: scaled back, rounded, decoded."""
        config = self.vqvae.config
        mean, std = (
            torch.tensor(values, device=latents.device).view(1, -1, 1, 1, 1)
            for values in (config.latents_mean, config.latents_std)
        )
        rounded = self.vqvae.quantise(latents * std + mean).latents
        low, high = config.hu_window
        unit = (self.vqvae.decode(rounded).clamp(-1, 1) + 1) / 2
        return (low + unit * (high - low)).float().cpu()
