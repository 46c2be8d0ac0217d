"""What the perceptual loss on patches of volumes compares."""

import copy
from collections.abc import Callable

from torch import Tensor

from ..compute import Compute
from ..models.patch_discriminator import slices
from ..models.perceptual import load_vgg16
from ..models.vqgan import VQGAN
from ..settings.vqgan import VqganLosses

Features = Callable[[Tensor, Tensor], list[Tensor]]
"""Patches `[B,1,p,p,p]` and places of slices `[B,3,k]` to maps `[*,C_l,*]` of several layers."""


def patch_features(losses: VqganLosses, model: VQGAN, compute: Compute) -> Features | None:
    """Features as the settings say; None where they weigh nothing, and no network is loaded."""
    if losses.perceptual == 0:
        return None
    if losses.perceptual_features == "encoder":
        return encoder_features(model, compute)
    assert losses.vgg16_weights is not None
    network = load_vgg16(losses.vgg16_weights, losses.vgg16_sha256)
    network.to(compute.device).eval().requires_grad_(False)

    def of_slices(patches: Tensor, places: Tensor) -> list[Tensor]:
        with compute.autocast():
            grey = slices(patches, places).expand(-1, 3, -1, -1)
            return [features.float() for features in network(grey)]

    return of_slices


def encoder_features(model: VQGAN, compute: Compute) -> Features:
    """What each resolution of the model's encoder gives, frozen as it is now."""
    encoder = copy.deepcopy(model.encoder).to(compute.device).eval().requires_grad_(False)

    def of_patches(patches: Tensor, _: Tensor) -> list[Tensor]:
        with compute.autocast():
            return [features.float() for features in encoder.features(patches)]

    return of_patches
