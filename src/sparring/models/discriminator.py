"""The discriminator on latents, clean or noised.

This file is copied into exported pipelines: it imports nothing but diffusers and torch.
"""

import torch
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models.embeddings import get_timestep_embedding
from diffusers.models.modeling_utils import ModelMixin
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm

_EMBEDDED = 64
_FEW_POSITIONS = 4  # of an output plane; at 16 oneDNN's convolution is as fast


class LatentDiscriminator(ModelMixin, ConfigMixin):
    """Latents `[B,C,H,W]`, or with `spatial_dims` 3 `[B,C,D,H,W]`, to logits `[B]`: positive means
    real. No sigmoid inside.

    Strided convolutions of side 4 as in DCGAN (Radford et al. 2016), doubling the width per level,
    then a mean over what is left. Group instead of batch normalisation: statistics over a batch of
    only reals or only fakes would give the class away.

    With conditions, the inner product of the features with an embedding of the condition is added
    to the logit (Miyato & Koyama 2018, projection discriminator). With `noised` it is told the
    noise level of its input, as a shift and a scale of every level's features.
    """

    @register_to_config
    def __init__(
        self,
        latent_channels: int = 16,
        base_channels: int = 64,
        num_layers: int = 4,
        num_conditions: int = 0,
        spatial_dims: int = 2,
        noised: bool = False,
        spectral: bool = False,
    ) -> None:
        """`spectral` keeps the largest singular value of every layer at 1 (Miyato et al. 2018)."""
        super().__init__()
        conv = {2: _Halving, 3: nn.Conv3d}[spatial_dims]
        widths = [latent_channels, *(base_channels * 2**level for level in range(num_layers))]
        blocks: list[nn.Module] = []
        for level in range(num_layers):
            blocks.append(conv(widths[level], widths[level + 1], 4, stride=2, padding=1))
            if level > 0:
                blocks.append(nn.GroupNorm(_groups(widths[level + 1]), widths[level + 1]))
            blocks.append(nn.LeakyReLU(0.2))
        self.features = nn.Sequential(*blocks)
        self.head = nn.Linear(widths[-1], 1)
        self.condition = nn.Embedding(num_conditions, widths[-1]) if num_conditions else None
        if self.condition is not None:  # it begins as the unconditional one would
            nn.init.zeros_(self.condition.weight)
        self.level = _NoiseLevel(widths[1:]) if noised else None
        if spectral:
            for layer in (*self.features, self.head):
                if hasattr(layer, "weight") and not isinstance(layer, nn.GroupNorm):
                    spectral_norm(layer)

    def forward(
        self, latents: Tensor, labels: Tensor | None = None, timesteps: Tensor | None = None
    ) -> Tensor:
        """[B,C,...], [B], [B] -> [B].

        `labels` are the numbers of conditions, `timesteps` the noise levels; a discriminator that
        knows none of them does not read them. Raises ValueError where they are missing.
        """
        pooled = self._features(latents, timesteps).mean(dim=tuple(range(2, latents.ndim)))
        logits = self.head(pooled).squeeze(-1)
        if self.condition is not None:
            if labels is None:
                raise ValueError("a discriminator with conditions needs labels")
            logits = logits + (self.condition(labels) * pooled).sum(-1)
        return logits.float()

    def _features(self, latents: Tensor, timesteps: Tensor | None) -> Tensor:
        if self.level is None:
            return self.features(latents)
        if timesteps is None:
            raise ValueError("a discriminator of noised latents needs their timesteps")
        changes = iter(self.level(timesteps.expand(len(latents))))
        x = latents
        for layer in self.features:
            if isinstance(layer, nn.LeakyReLU):
                scale, shift = next(changes).reshape(len(x), -1, *[1] * (x.ndim - 2)).chunk(2, 1)
                x = x * (1 + scale) + shift
            x = layer(x)
        return x


class _Halving(nn.Conv2d):
    """A convolution of side 4, stride 2 and padding 1, and of no other.

    On a CPU, where next to nothing is left of the plane, it is one matrix product: oneDNN's
    convolution then takes two to three times as long, in fp32 and in bf16.
    """

    def forward(self, x: Tensor) -> Tensor:
        """[B,C,H,W] -> [B,width,H/2,W/2], rounded down."""
        height, width = x.shape[-2] // 2, x.shape[-1] // 2
        if x.device.type != "cpu" or height * width > _FEW_POSITIONS:
            return super().forward(x)
        padded = F.pad(x.permute(0, 2, 3, 1), (0, 0, 1, 1, 1, 1))
        corners = [(2 * i, 2 * j) for i in range(height) for j in range(width)]
        seen = torch.stack([padded[:, i : i + 4, j : j + 4].flatten(1) for i, j in corners], 1)
        found = F.linear(seen, self.weight.permute(0, 2, 3, 1).flatten(1), self.bias)
        return found.unflatten(1, (height, width)).permute(0, 3, 1, 2)


class _NoiseLevel(nn.Module):
    """Timesteps `[B]` to a scale and a shift of each level's features, `[B, 2 width]` each."""

    def __init__(self, widths: list[int]) -> None:
        super().__init__()
        self.embedding = nn.Sequential(
            nn.Linear(_EMBEDDED, 2 * _EMBEDDED), nn.SiLU(), nn.Linear(2 * _EMBEDDED, 2 * _EMBEDDED)
        )
        self.changes = nn.ModuleList(nn.Linear(2 * _EMBEDDED, 2 * width) for width in widths)
        for parameter in self.changes.parameters():  # it begins as one that is told nothing
            nn.init.zeros_(parameter)

    def forward(self, timesteps: Tensor) -> list[Tensor]:
        embedded = self.embedding(get_timestep_embedding(timesteps, _EMBEDDED))
        return [change(nn.functional.silu(embedded)) for change in self.changes]


def _groups(width: int) -> int:
    return next(groups for groups in (8, 4, 2, 1) if width % groups == 0)
