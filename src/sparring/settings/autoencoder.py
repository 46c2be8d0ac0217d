"""The autoencoder between layouts and latents."""

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from .base import Settings


class AutoencoderLosses(Settings):
    """Weights of the autoencoder's loss terms."""

    rgb: float = Field(1.0, ge=0)
    """L1 distance of the RGB reconstruction in [-1, 1]."""
    segmentation: float = Field(1.0, ge=0)
    """Cross-entropy of the segmentation head, where there is one."""
    kl: float = Field(3e-3, ge=0)
    """KL divergence of the posterior to the standard normal, mean over latent elements. Some of it
    makes the decoder forgive small errors of a sampled latent."""


class AutoencoderSettings(Settings):
    """A diffusers AutoencoderKL, trained here or taken from a directory."""

    dataset: str
    """Name of the dataset whose train split trains it and gives its latent statistics."""
    start_from: Path | None = None
    """A diffusers autoencoder directory to go on from; with `epochs: 0` it is taken as it is. The
    architecture keys are then ignored."""
    statistics: Literal["keep", "measure"] = "keep"
    """With `epochs: 0`: keep the latent statistics of the given directory (its latents_mean and
    latents_std, or its scaling_factor and shift_factor), which a denoiser trained on its latents
    expects, or measure them on the dataset. After training they are always measured."""
    input: Literal["rgb", "classes"] = "rgb"
    """`classes` feeds one-hot class ids (the dataset must name its classes)."""
    segmentation_head: bool = True
    """Adds one output channel per class beside RGB, where the dataset names its classes."""
    latent_channels: int = Field(4, ge=1)
    """Channels of the latents."""
    block_out_channels: tuple[int, ...] = (32, 64, 64)
    """Widths per level; the spatial factor is 2 to the number of levels minus one."""
    layers_per_block: int = Field(1, ge=1)
    """Residual blocks per level."""
    norm_num_groups: int = Field(8, ge=1)
    """Groups of the group normalisation; divides every width."""
    mid_block_attention: bool = False
    """Self-attention at the lowest resolution."""
    epochs: int = Field(30, ge=0)
    """Passes over the train split."""
    batch_size: int = Field(32, ge=1)
    """Layouts per step."""
    learning_rate: float = Field(1e-3, gt=0)
    """Peak rate of AdamW; it warms up over 5 % of the steps and falls to 0 along a cosine."""
    max_grad_norm: float = Field(1.0, gt=0)
    """Gradients are clipped to this norm."""
    eval_interval: int = Field(5, ge=1)
    """Validate every so many epochs, and after the last."""
    losses: AutoencoderLosses = AutoencoderLosses()
    """Loss weights."""
    seed: int = 42
    """Initial weights, order and posterior samples follow from it."""

    @property
    def factor(self) -> int:
        """Pixels per latent cell along a side."""
        return 2 ** (len(self.block_out_channels) - 1)

    @model_validator(mode="after")
    def _groups_divide_widths(self) -> "AutoencoderSettings":
        bad = [w for w in self.block_out_channels if w % self.norm_num_groups]
        if bad:
            raise ValueError(
                f"block_out_channels {bad[0]} is not divisible by norm_num_groups "
                f"{self.norm_num_groups}"
            )
        if self.epochs == 0 and self.start_from is None:
            raise ValueError("epochs is 0 without start_from: nothing would be trained")
        return self
