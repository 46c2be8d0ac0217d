"""The 3D VQ-GAN: volumes to codes and back.

This file and codebook.py are copied into exported pipelines: they import nothing else of ours.
"""

from collections.abc import Sequence
from itertools import pairwise
from math import log2, prod

import torch
import torch.nn.functional as F
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models.modeling_utils import ModelMixin
from torch import Tensor, nn

from .codebook import EmaCodebook, FiniteScalars, Quantised

Stride = tuple[int, int, int]


class VQGAN(ModelMixin, ConfigMixin):
    """Volumes `[B,1,D,H,W]` in [-1, 1] to latents `[B,C,d,h,w]`, to codes, and back.

    Convolutions with residual blocks at each resolution (Esser et al. 2021, in three dimensions as
    Ge et al. 2022). Two things differ. Nothing is computed at full resolution, where most of the
    time would go: with 0 as its width the voxels of the first halving are moved into channels, and
    back at the end. And normalisation looks at one position at a time, so that what a window
    of a volume becomes does not depend on how much air is in it.
    """

    @register_to_config
    def __init__(
        self,
        downsample: Stride = (4, 4, 4),
        channels: tuple[int, ...] = (0, 64, 128),
        blocks: tuple[int, ...] = (0, 1, 2),
        quantiser: str = "ema",
        num_codes: int = 512,
        code_dim: int = 64,
        decay: float = 0.99,
        fsq_levels: tuple[int, ...] = (8, 8, 8),
        hu_window: tuple[float, float] = (-1000.0, 1000.0),
        orientation: str = "RAS",
        spacing: tuple[float, float, float] | None = None,
        latents_mean: list[float] | None = None,
        latents_std: list[float] | None = None,
    ) -> None:
        """The window, orientation and spacing of the volumes that it was trained on, and the
        statistics of its latents, change nothing; they are kept for those who use the model."""
        super().__init__()
        strides = _strides(downsample)
        if not len(channels) == len(blocks) == len(strides) + 1:
            raise ValueError(
                f"channels {list(channels)} and blocks {list(blocks)} must have one number more "
                f"than there are halvings in downsample {list(downsample)}"
            )
        self.codebook: EmaCodebook | FiniteScalars
        if quantiser == "ema":
            self.codebook = EmaCodebook(num_codes, code_dim, decay)
        else:
            self.codebook, code_dim = FiniteScalars(tuple(fsq_levels)), len(fsq_levels)
        self.encoder = Encoder(channels, blocks, strides, code_dim)
        self.decoder = Decoder(channels, blocks, strides, code_dim)

    @property
    def factor(self) -> Stride:
        """Voxels per latent cell along each axis."""
        return tuple(self.config.downsample)

    @property
    def num_codes(self) -> int:
        """Codes that a cell can take."""
        return self.codebook.num_codes

    @property
    def bits_per_voxel(self) -> float:
        """What the codes of a volume take, without entropy coding."""
        return log2(self.num_codes) / prod(self.factor)

    def encode(self, volumes: Tensor) -> Tensor:
        """`[B,1,D,H,W]` to latents `[B,C,d,h,w]`, not yet rounded."""
        return self.encoder(volumes)

    def quantise(self, latents: Tensor) -> Quantised:
        """Rounded latents, indices `[B,d,h,w]` and commitment `[B]`; in float32, whatever the
        latents are, for distances in less would tie."""
        with torch.autocast(latents.device.type, enabled=False):
            return self.codebook(latents.float())

    def decode(self, latents: Tensor) -> Tensor:
        """Rounded latents `[B,C,d,h,w]` to `[B,1,D,H,W]`."""
        return self.decoder(latents)

    def decode_indices(self, indices: Tensor) -> Tensor:
        """Codes `[B,d,h,w]` to `[B,1,D,H,W]`."""
        return self.decode(self.codebook.lookup(indices))

    def forward(self, volumes: Tensor) -> Tensor:
        """The reconstruction, `[B,1,D,H,W]`."""
        return self.decode(self.quantise(self.encode(volumes)).latents)


class Encoder(nn.Module):
    """`[B,1,D,H,W]` to `[B,C,d,h,w]`."""

    def __init__(
        self, channels: Sequence[int], blocks: Sequence[int], strides: list[Stride], out: int
    ) -> None:
        super().__init__()
        self.levels = nn.ModuleList()
        if channels[0] == 0:
            conv_in = nn.Conv3d(prod(strides[0]), channels[1], 3, padding=1)
            first = nn.Sequential(ToChannels(strides[0]), conv_in, *_blocks(channels[1], blocks[1]))
            channels, blocks, strides = channels[1:], blocks[1:], strides[1:]
        else:
            conv_in = nn.Conv3d(1, channels[0], 3, padding=1)
            first = nn.Sequential(conv_in, *_blocks(channels[0], blocks[0]))
        self.levels.append(first)
        for (wide, narrow), count, stride in zip(
            pairwise(channels), blocks[1:], strides, strict=True
        ):
            down = nn.Conv3d(wide, narrow, 3, stride=stride, padding=1)
            self.levels.append(nn.Sequential(down, *_blocks(narrow, count)))
        self.norm = PositionNorm(channels[-1])
        self.conv_out = nn.Conv3d(channels[-1], out, 1)

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        return self.conv_out(F.silu(self.norm(self.features(x)[-1])))

    def features(self, x: Tensor) -> list[Tensor]:
        """What each resolution gives, from the finest, `[B,C_l,D_l,H_l,W_l]`."""
        maps = [x]
        for level in self.levels:
            maps.append(level(maps[-1]))
        return maps[1:]


class Decoder(nn.Module):
    """`[B,C,d,h,w]` to `[B,1,D,H,W]`."""

    def __init__(
        self, channels: Sequence[int], blocks: Sequence[int], strides: list[Stride], out: int
    ) -> None:
        super().__init__()
        self.conv_in = nn.Conv3d(out, channels[-1], 3, padding=1)
        self.to_voxels: nn.Module = nn.Identity()
        outputs = 1
        if channels[0] == 0:
            self.to_voxels, outputs = FromChannels(strides[0]), prod(strides[0])
            channels, blocks, strides = channels[1:], blocks[1:], strides[1:]
        levels: list[nn.Module] = [_blocks(channels[-1], blocks[-1])]
        for (narrow, wide), count, stride in zip(
            pairwise(channels[::-1]), blocks[-2::-1], strides[::-1], strict=True
        ):
            up = nn.ConvTranspose3d(narrow, wide, stride, stride=stride)
            levels.append(nn.Sequential(up, *_blocks(wide, count)))
        self.levels = nn.Sequential(*levels)
        self.norm = PositionNorm(channels[0])
        self.conv_out = nn.Conv3d(channels[0], outputs, 3, padding=1)

    @property
    def last_layer(self) -> Tensor:
        """Where gradients of losses are compared."""
        return self.conv_out.weight

    def forward(self, latents: Tensor) -> Tensor:
        """See the class."""
        hidden = F.silu(self.norm(self.levels(self.conv_in(latents))))
        return self.to_voxels(self.conv_out(hidden))


class ToChannels(nn.Module):
    """The voxels of each cell as its channels: `[B,1,D,H,W]` to `[B,abc,D/a,H/b,W/c]`."""

    def __init__(self, cell: Stride) -> None:
        super().__init__()
        self.cell = cell

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        a, b, c = self.cell
        split = x.unflatten(4, (-1, c)).unflatten(3, (-1, b)).unflatten(2, (-1, a))
        return split.permute(0, 1, 3, 5, 7, 2, 4, 6).flatten(1, 4)


class FromChannels(nn.Module):
    """The inverse of `ToChannels` (Shi et al. 2016, in three dimensions)."""

    def __init__(self, cell: Stride) -> None:
        super().__init__()
        self.cell = cell

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        split = x.unflatten(1, (1, *self.cell)).permute(0, 1, 5, 2, 6, 3, 7, 4)
        return split.flatten(6, 7).flatten(4, 5).flatten(2, 3)


class Block(nn.Module):
    """x + conv(silu(norm(conv(silu(norm x)))))."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = PositionNorm(width), PositionNorm(width)
        self.conv1 = nn.Conv3d(width, width, 3, padding=1)
        self.conv2 = nn.Conv3d(width, width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """[B,C,D,H,W] -> [B,C,D,H,W]."""
        hidden = self.conv1(F.silu(self.norm1(x)))
        return x + self.conv2(F.silu(self.norm2(hidden)))


class PositionNorm(nn.Module):
    """Channels at root mean square 1 at each position (Zhang & Sennrich 2019), then weighted."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        """[B,C,D,H,W] -> [B,C,D,H,W]."""
        scale = (x.square().mean(1, keepdim=True, dtype=torch.float32) + 1e-6).rsqrt()
        return x * scale.to(x.dtype) * self.weight.to(x.dtype).view(1, -1, 1, 1, 1)


def _blocks(width: int, count: int) -> nn.Sequential:
    return nn.Sequential(*(Block(width) for _ in range(count)))


def _strides(downsample: Sequence[int]) -> list[Stride]:
    """Of each halving, from full resolution on; an axis with fewer is halved late."""
    halvings = [int(log2(factor)) for factor in downsample]
    most = max(halvings)
    return [
        tuple(2 if most - level <= count else 1 for count in halvings)  # type: ignore[misc]
        for level in range(most)
    ]
