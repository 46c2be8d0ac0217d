"""The latents that a denoiser is trained on, and which of them a batch holds."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..compute import Compute
from ..randomness import Key


@dataclass(frozen=True)
class Latents:
    """The train and validation split on the device, `[N,C,H,W]` or `[N,C,D,H,W]` float32."""

    train: Tensor
    val: Tensor
    train_labels: Tensor | None = None
    """The number of each one's condition, int64 `[N]`, for class-conditional denoisers."""
    val_labels: Tensor | None = None

    def labels(self, rows: "Rows") -> Tensor | None:
        """Of some rows, `[B]`."""
        labels = self.train_labels if rows.split == "train" else self.val_labels
        return None if labels is None else labels[rows.latents]


class Rows(NamedTuple):
    """Which latents of which split a batch holds."""

    split: Literal["train", "val"]
    latents: Tensor
    """Row numbers, `[B]`."""
    told: Tensor | None = None
    """Their conditions as the denoiser is told them, `[B]`."""
    draw: tuple[Key, ...] = ()
    """What random numbers of this batch are keyed by, each with its entry of `numbers`."""
    numbers: Sequence[int] = ()


def on_device(latents: np.ndarray, compute: Compute) -> Tensor:
    """Latents as float32 on the device, where they stay for the whole stage."""
    return torch.from_numpy(latents).to(compute.device, torch.float32)
