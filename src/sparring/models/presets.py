"""Denoiser architectures by name, torch-free.

A name gives the first width, the number of times the side is halved and whether there is
attention. Widths of those for layouts are chosen to meet the parameter counts of the field's
ablation table; those for volumes begin with unet3d.
"""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Preset:
    """The keyword arguments of a UNet2DModel or UNet3DModel that a preset fixes."""

    widths: tuple[int, ...]
    layers_per_block: int
    attention: bool
    mid_attention: bool
    parameters: int
    """With 16 channels in and out, or for volumes with 64."""
    dims: Literal[2, 3] = 2
    """2 for layouts, 3 for volumes."""

    @property
    def factor(self) -> int:
        """The latent's sides must be divisible by this."""
        return 2 ** (len(self.widths) - 1)


PRESETS: dict[str, Preset] = {
    "unet_micro": Preset((16, 32), 1, attention=False, mid_attention=False, parameters=164_032),
    "unet_tiny": Preset(
        (32, 64, 128), 1, attention=False, mid_attention=True, parameters=2_544_688
    ),
    "unet32_d3": Preset(
        (32, 64, 144), 1, attention=False, mid_attention=False, parameters=2_963_904
    ),
    "unet32_d3_attn": Preset(
        (32, 96, 128), 1, attention=True, mid_attention=True, parameters=3_368_432
    ),
    "unet48_d3": Preset(
        (48, 88, 216), 1, attention=False, mid_attention=False, parameters=6_491_112
    ),
    "unet48_d4": Preset(
        (48, 96, 192, 256, 352), 1, attention=False, mid_attention=False, parameters=25_706_720
    ),
    "unet64_d4": Preset(
        (64, 128, 288, 544), 1, attention=False, mid_attention=True, parameters=45_390_576
    ),
    "unet64_d4_attn": Preset(
        (64, 128, 256, 288, 352), 2, attention=True, mid_attention=True, parameters=52_024_688
    ),
    "unet128_d3": Preset(
        (128, 256, 384, 416), 1, attention=False, mid_attention=True, parameters=44_794_864
    ),
    "unet128_d4": Preset(
        (128, 256, 384, 512), 1, attention=False, mid_attention=True, parameters=55_594_384
    ),
    "unet3d_tiny": Preset(
        (32, 64), 1, attention=False, mid_attention=True, parameters=1_830_176, dims=3
    ),
    "unet3d_32_d2": Preset(
        (32, 64, 128), 1, attention=False, mid_attention=True, parameters=7_106_656, dims=3
    ),
    "unet3d_64_d2": Preset(
        (64, 128, 256), 1, attention=False, mid_attention=True, parameters=28_186_752, dims=3
    ),
    "unet3d_64_d2_attn": Preset(
        (64, 128, 256), 2, attention=True, mid_attention=True, parameters=41_526_336, dims=3
    ),
    "unet3d_64_d3": Preset(
        (64, 128, 256, 384), 1, attention=False, mid_attention=True, parameters=74_239_488, dims=3
    ),
}
NORM_NUM_GROUPS = 8
