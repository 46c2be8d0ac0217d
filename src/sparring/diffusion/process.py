"""The forward process x_t = sqrt(alpha_bar) x0 + sqrt(1 - alpha_bar) eps and its inversions.

Ho et al. 2020 (eq. 4 and 15) for eps, Salimans & Ho 2022 (section 4) for v.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

Target = Literal["epsilon", "v_prediction"]


def spread(values: Tensor, like: Tensor) -> Tensor:
    """`[B]` reshaped to broadcast over `[B, ...]`."""
    return values.reshape(-1, *[1] * (like.ndim - 1))


def add_noise(x0: Tensor, eps: Tensor, alpha_bar: Tensor) -> Tensor:
    """x_t = sqrt(alpha_bar) x0 + sqrt(1 - alpha_bar) eps.   [B,...], [B,...], [B]."""
    ab = spread(alpha_bar, x0)
    return ab.sqrt() * x0 + (1 - ab).sqrt() * eps


def velocity(x0: Tensor, eps: Tensor, alpha_bar: Tensor) -> Tensor:
    """v = sqrt(alpha_bar) eps - sqrt(1 - alpha_bar) x0.   [B,...], [B,...], [B]."""
    ab = spread(alpha_bar, x0)
    return ab.sqrt() * eps - (1 - ab).sqrt() * x0


def predict_x0(x_t: Tensor, eps: Tensor, alpha_bar: Tensor) -> Tensor:
    """x0 = (x_t - sqrt(1 - alpha_bar) eps) / sqrt(alpha_bar).   [B,...], [B,...], [B]."""
    ab = spread(alpha_bar, x_t)
    return (x_t - (1 - ab).sqrt() * eps) / ab.sqrt()


def predict_x0_from_v(x_t: Tensor, v: Tensor, alpha_bar: Tensor) -> Tensor:
    """x0 = sqrt(alpha_bar) x_t - sqrt(1 - alpha_bar) v.   [B,...], [B,...], [B]."""
    ab = spread(alpha_bar, x_t)
    return ab.sqrt() * x_t - (1 - ab).sqrt() * v


@dataclass(frozen=True)
class Prediction:
    """One noised batch and what the denoiser made of it; every loss takes this record.

    x0, x_t, eps, output, target, x0_pred are `[B,...]`; timesteps and alpha_bar are `[B]`.
    `output` is the network's, `target` what it should have been (eps or v).
    """

    x0: Tensor
    x_t: Tensor
    eps: Tensor
    timesteps: Tensor
    alpha_bar: Tensor
    output: Tensor
    target: Tensor
    x0_pred: Tensor

    @property
    def snr(self) -> Tensor:
        """alpha_bar / (1 - alpha_bar), `[B]`."""
        return self.alpha_bar / (1 - self.alpha_bar)


@dataclass(frozen=True)
class ForwardProcess:
    """alpha_bar at every timestep, `[T]`, and what the denoiser predicts."""

    alpha_bar: Tensor
    target: Target

    @property
    def num_timesteps(self) -> int:
        """T."""
        return len(self.alpha_bar)

    def to(self, device: torch.device) -> "ForwardProcess":
        """The same on a device."""
        return ForwardProcess(self.alpha_bar.to(device), self.target)

    def noised(self, x0: Tensor, eps: Tensor, timesteps: Tensor) -> Tensor:
        """x_t for a batch.   [B,...], [B,...], [B]."""
        return add_noise(x0, eps, self.alpha_bar[timesteps])

    def prediction(self, x0: Tensor, eps: Tensor, timesteps: Tensor, output: Tensor) -> Prediction:
        """The record of one batch from the network's output at x_t."""
        ab = self.alpha_bar[timesteps]
        x_t = add_noise(x0, eps, ab)
        if self.target == "v_prediction":
            target, x0_pred = velocity(x0, eps, ab), predict_x0_from_v(x_t, output, ab)
        else:
            target, x0_pred = eps, predict_x0(x_t, output, ab)
        return Prediction(x0, x_t, eps, timesteps, ab, output, target, x0_pred)
