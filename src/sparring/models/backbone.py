"""A discriminator that begins as the denoiser's own encoder.

This file is copied into exported pipelines: it imports nothing but diffusers, torch and, for
volumes, the denoiser's own file.
"""

from typing import Any

import torch
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models.modeling_utils import ModelMixin
from diffusers.models.unets.unet_2d import UNet2DModel
from torch import Tensor, nn


class BackboneDiscriminator(ModelMixin, ConfigMixin):
    """Latents `[B,C,H,W]` or `[B,C,D,H,W]` to logits `[B]`: positive means real.

    The denoiser's way down and its middle, then a mean over positions and a linear head. They have
    learnt what layouts look like at every noise level, which few reals cannot teach from nothing
    (as the classifiers of Kim et al. 2023 and Xu et al. 2024 begin from trained networks).
    """

    @register_to_config
    def __init__(
        self,
        denoiser: dict[str, Any] | None = None,
        latent_channels: int = 16,
        num_conditions: int = 0,
        spatial_dims: int = 2,
        noised: bool = True,
    ) -> None:
        """`denoiser` is the denoiser's configuration."""
        super().__init__()
        whole = _network(spatial_dims, denoiser or {})
        self.encoder = _ENCODERS[spatial_dims](whole)
        width = (denoiser or {}).get("block_out_channels", (224, 448, 672, 896))[-1]
        self.norm = nn.GroupNorm(1, width)
        self.head = nn.Linear(width, 1)
        for p in self.head.parameters():  # it begins undecided
            nn.init.zeros_(p)
        self.condition = nn.Embedding(num_conditions, width) if num_conditions else None
        if self.condition is not None:
            nn.init.zeros_(self.condition.weight)

    def forward(
        self, latents: Tensor, labels: Tensor | None = None, timesteps: Tensor | None = None
    ) -> Tensor:
        """[B,C,...], [B], [B] -> [B]. Without timesteps the input is taken as clean.

        Raises ValueError where a discriminator with conditions gets no labels.
        """
        t = torch.zeros((), device=latents.device) if timesteps is None else timesteps
        features = self.encoder(latents, t.expand(len(latents)))
        pooled = self.norm(features).mean(dim=tuple(range(2, latents.ndim)))
        logits = self.head(pooled).squeeze(-1)
        if self.condition is not None:
            if labels is None:
                raise ValueError("a discriminator with conditions needs labels")
            logits = logits + (self.condition(labels) * pooled).sum(-1)
        return logits.float()


class _Encoder2D(nn.Module):
    """The way down and the middle of a UNet2DModel; of no condition."""

    def __init__(self, unet: UNet2DModel) -> None:
        super().__init__()
        self.time_proj, self.time_embedding = unet.time_proj, unet.time_embedding
        self.conv_in, self.down_blocks = unet.conv_in, unet.down_blocks
        self.mid_block = unet.mid_block

    def forward(self, x: Tensor, timesteps: Tensor) -> Tensor:
        embedded = self.time_embedding(self.time_proj(timesteps).to(x.dtype))
        x = self.conv_in(x)
        for block in self.down_blocks:
            x = block(hidden_states=x, temb=embedded)[0]
        return x if self.mid_block is None else self.mid_block(x, embedded)


class _Encoder3D(nn.Module):
    """The same of MONAI's DiffusionModelUNet."""

    def __init__(self, unet: nn.Module) -> None:
        super().__init__()
        network: Any = unet.network
        self.width = network.block_out_channels[0]
        self.time_embed, self.conv_in = network.time_embed, network.conv_in
        self.down_blocks, self.middle_block = network.down_blocks, network.middle_block

    def forward(self, x: Tensor, timesteps: Tensor) -> Tensor:
        from monai.networks.nets.diffusion_model_unet import get_timestep_embedding

        embedded = self.time_embed(get_timestep_embedding(timesteps, self.width).to(x.dtype))
        x = self.conv_in(x)
        for block in self.down_blocks:
            x = block(hidden_states=x, temb=embedded, context=None)[0]
        return self.middle_block(hidden_states=x, temb=embedded, context=None)


_ENCODERS: dict[int, Any] = {2: _Encoder2D, 3: _Encoder3D}


def _network(spatial_dims: int, config: dict[str, Any]) -> nn.Module:
    """A denoiser of that configuration, of whose parts the encoder is made."""
    wanted = {k: v for k, v in config.items() if not k.startswith("_")}
    if spatial_dims == 2:
        return UNet2DModel(**wanted)
    from .unet3d import UNet3DModel

    return UNet3DModel(**wanted)


def from_denoiser(
    denoiser: Any, num_conditions: int, spatial_dims: int, noised: bool
) -> BackboneDiscriminator:
    """A discriminator that begins with a denoiser's weights."""
    config = {k: v for k, v in dict(denoiser.config).items() if not k.startswith("_")}
    channels = config["in_channels"]
    model = BackboneDiscriminator(config, channels, num_conditions, spatial_dims, noised)
    model.encoder.load_state_dict(_ENCODERS[spatial_dims](denoiser).state_dict())
    return model
