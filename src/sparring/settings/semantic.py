"""Losses on the decoded one-step prediction."""

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from .base import Settings


class SemanticLoss(Settings):
    """The one-step prediction x0_pred, decoded, against the layout it was noised from. The
    autoencoder is frozen; gradients pass through its decoder to the denoiser."""

    segmentation_weight: float = Field(0.1, ge=0)
    """Weight of the cross-entropy of the autoencoder's segmentation head, mean over pixels. 0
    leaves the term out."""
    perceptual_weight: float = Field(0.05, ge=0)
    """Weight of the perceptual loss. 0 leaves the term out and loads no features."""
    perceptual_features: Literal["autoencoder", "vgg16"] = "autoencoder"
    """What the perceptual loss compares: features of the autoencoder's own encoder, which need no
    file, or VGG16's, of the RGB."""
    vgg16_weights: Path | None = None
    """torchvision's vgg16-397923af.pth, fetched beforehand; needed for `vgg16`."""
    vgg16_sha256: str = Field("397923af", pattern=r"^[0-9a-f]{8,64}$")
    """How the SHA-256 of `vgg16_weights` must begin."""
    min_snr: float = Field(1.0, ge=0)
    """Only samples whose signal-to-noise ratio alpha_bar / (1 - alpha_bar) at their timestep is at
    least this are decoded. At 1, half of x_t's variance is signal. With less, x0_pred is a mean
    over many layouts, and its decoded picture no layout that could be compared; 0 decodes all."""
    decode_batch_size: int = Field(8, ge=1)
    """Latents decoded at once. The decoder's activations are computed again in the backward pass,
    so memory is bounded by this, whatever the batch."""

    @model_validator(mode="after")
    def _vgg16_has_weights(self) -> "SemanticLoss":
        if self._uses_vgg16 and self.vgg16_weights is None:
            raise ValueError(
                "perceptual_features is 'vgg16' without vgg16_weights; name the file "
                "vgg16-397923af.pth, or leave perceptual_features at 'autoencoder'"
            )
        return self

    def files(self) -> list[Path]:
        """The weights file, where it is read."""
        return [self.vgg16_weights] if self._uses_vgg16 and self.vgg16_weights else []

    @property
    def _uses_vgg16(self) -> bool:
        return self.perceptual_weight > 0 and self.perceptual_features == "vgg16"
