"""The denoiser of volumes: MONAI's UNet behind the interface of diffusers' UNet2DModel.

This file is copied into exported pipelines: it imports nothing but diffusers, torch and, when a
model is made, MONAI.
"""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models.modeling_utils import ModelMixin
from diffusers.utils.outputs import BaseOutput
from torch import Tensor


@dataclass
class UNet3DOutput(BaseOutput):
    """What the network predicts."""

    sample: Tensor
    """`[B,C,D,H,W]`."""


class UNet3DModel(ModelMixin, ConfigMixin):
    """Noised latents `[B,C,D,H,W]` and timesteps `[B]` to the noise (or v) `[B,C,D,H,W]`.

    The network of Rombach et al. 2022 without cross-attention in three dimensions: residual blocks
    at each resolution, self-attention at the lowest, timesteps added to every block. Its last
    convolution begins at zero, so that a fresh model predicts zero.
    """

    @register_to_config
    def __init__(
        self,
        sample_size: tuple[int, int, int] = (8, 8, 8),
        in_channels: int = 64,
        out_channels: int = 64,
        block_out_channels: tuple[int, ...] = (32, 64),
        layers_per_block: int = 1,
        attention: bool = False,
        norm_num_groups: int = 8,
        attention_head_dim: int = 32,
        num_class_embeds: int | None = None,
    ) -> None:
        """`sample_size` is the latents' own and changes nothing; each of its sides must be a
        multiple of 2 to the number of levels minus one. `attention` adds self-attention to the
        lowest level's blocks, beside the one in the middle that is always there."""
        from monai.networks.nets.diffusion_model_unet import DiffusionModelUNet

        super().__init__()
        levels = len(block_out_channels)
        self.network = DiffusionModelUNet(
            spatial_dims=3,
            in_channels=in_channels,
            out_channels=out_channels,
            num_res_blocks=layers_per_block,
            channels=tuple(block_out_channels),
            attention_levels=(*[False] * (levels - 1), attention),
            norm_num_groups=norm_num_groups,
            num_head_channels=attention_head_dim,
            num_class_embeds=num_class_embeds,
        )

    def forward(
        self,
        sample: Tensor,
        timestep: Tensor | float | int,
        class_labels: Tensor | None = None,
        return_dict: bool = True,
    ) -> UNet3DOutput | tuple[Tensor]:
        """[B,C,D,H,W], [B] or a number, [B] -> `.sample` [B,C,D,H,W]."""
        timesteps = torch.as_tensor(timestep, device=sample.device).expand(len(sample))
        with self._autocast(sample):
            output = self.network(sample, timesteps, class_labels=class_labels)
        return UNet3DOutput(sample=output) if return_dict else (output,)

    def _autocast(self, sample: Tensor) -> AbstractContextManager[object]:
        """As the caller has it, but not on the CPU where the lowest level is thinner than 3.

        oneDNN's bf16 gradient of 3x3x3 kernels then reads memory that was never written (torch
        2.13.0): now and then it is NaN, and never twice the same.
        """
        lowest = min(sample.shape[2:]) >> (len(self.config.block_out_channels) - 1)
        if sample.device.type == "cpu" and lowest < 3:
            return torch.autocast("cpu", enabled=False)
        return nullcontext()
