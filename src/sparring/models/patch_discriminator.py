"""Discriminators that judge patches of slices or of volumes: MONAI's, with a directory form."""

from math import gcd
from typing import Any

import torch
import torch.nn.functional as F
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models.modeling_utils import ModelMixin
from monai.networks.nets.patchgan_discriminator import PatchDiscriminator as MonaiDiscriminator
from torch import Tensor, nn

_GROUPS = 32


class PatchDiscriminator(ModelMixin, ConfigMixin):
    """Slices `[B,1,H,W]` or volumes `[B,1,D,H,W]` to maps of logits, and the features before them.

    Isola et al. 2017, section 3.2.2. Of several scales each has a network of its own, which sees
    its input averaged to half the side of the scale before (Wang et al. 2018, section 3.2;
    MONAI's MultiScalePatchDiscriminator makes networks deeper instead). Positive means real; no
    sigmoid inside. Batch normalisation, MONAI's default, is not on offer: statistics of a batch of
    only reals or only reconstructions give the class away.
    """

    @register_to_config
    def __init__(
        self,
        spatial_dims: int = 3,
        base_channels: int = 64,
        num_layers: int = 3,
        norm: str = "group",
        scales: int = 1,
    ) -> None:
        super().__init__()
        # Widths are the first one times powers of 2: what divides it twice divides them all.
        of_norm: dict[str, Any] = {
            "group": {"num_groups": gcd(_GROUPS, 2 * base_channels)},
            "instance": {"affine": True},
        }
        self.networks = nn.ModuleList(
            MonaiDiscriminator(
                spatial_dims, base_channels, 1, num_layers_d=num_layers, norm=(norm, of_norm[norm])
            )
            for _ in range(scales)
        )
        self._halved = {2: F.avg_pool2d, 3: F.avg_pool3d}[spatial_dims]

    def forward(self, x: Tensor) -> list[list[Tensor]]:
        """By scale: features of each layer, then logits `[B,1,*]`."""
        found = []
        for scale, network in enumerate(self.networks):
            x = self._halved(x, 2) if scale else x
            found.append(network(x))
        return found


def slices(patches: Tensor, places: Tensor) -> Tensor:
    """Slices of cubes along all three axes.

    `[B,1,p,p,p]` and the places of k slices along each axis, int64 `[B,3,k]`, to `[B*3*k,1,p,p]`.
    """
    found = []
    for axis in range(3):
        moved = patches.squeeze(1).movedim(axis + 1, 1)
        rows = torch.arange(len(moved), device=moved.device)[:, None]
        found.append(moved[rows, places[:, axis]])
    return torch.stack(found, 1).flatten(0, 2).unsqueeze(1)
