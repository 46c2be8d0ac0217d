"""Decoded predictions against layouts."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


def segmentation_loss(logits: Tensor, class_ids: Tensor) -> Tensor:
    """Cross-entropy, mean over pixels.   [B,K,H,W], [B,H,W] -> [B]."""
    return F.cross_entropy(logits, class_ids, reduction="none").flatten(1).mean(1)


def pixel_accuracy(logits: Tensor, class_ids: Tensor) -> Tensor:
    """Share of pixels whose likeliest class is the right one.   [B,K,H,W], [B,H,W] -> [B]."""
    return (logits.argmax(1) == class_ids).float().flatten(1).mean(1)


def perceptual_loss(found: Sequence[Tensor], expected: Sequence[Tensor]) -> Tensor:
    """Distance of feature maps `[B,C_l,H_l,W_l]` of several layers l, `[B]`.

    Per layer the squared distance of the channel vectors at unit length, mean over the plane;
    then the mean over layers. Zhang et al. 2018, eq. 1 with w_l = 1. Unit length makes the
    weight mean the same for any features.
    """
    layers = [
        (_unit(a) - _unit(b)).square().sum(1).flatten(1).mean(1)
        for a, b in zip(found, expected, strict=True)
    ]
    return torch.stack(layers).mean(0)


def _unit(features: Tensor) -> Tensor:
    """Channel vectors at unit length; the small constant keeps the gradient finite at zero."""
    return features * (features.square().sum(1, keepdim=True) + 1e-10).rsqrt()
