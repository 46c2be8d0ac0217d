"""What latents are standardised with, and whether some look standardised. Torch-free."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

_DIFFUSERS_SCALE = 0.18215  # AutoencoderKL's own default, where a config.json does not say
_USUAL_MEAN, _USUAL_STD = 0.5, (0.5, 2.0)


def latent_scale(config: Mapping[str, Any]) -> tuple[list[float], list[float]]:
    """Mean and standard deviation per channel that an autoencoder's latents are standardised with.

    Models made elsewhere standardise with one scale for all channels.
    """
    channels = latent_channels(config)
    assert channels is not None
    default_std = [1 / (config.get("scaling_factor", _DIFFUSERS_SCALE) or 1)] * channels
    default_mean = [config.get("shift_factor") or 0.0] * channels
    return config.get("latents_mean") or default_mean, config.get("latents_std") or default_std


def latent_channels(config: Mapping[str, Any]) -> int | None:
    """Channels of an autoencoder's or a VQ-GAN's latents; None where the config does not say."""
    if "latent_channels" in config:
        return config["latent_channels"]
    if config.get("quantiser") == "fsq":
        return len(config["fsq_levels"])
    return config.get("code_dim")


def standardised(raw: np.ndarray, config: Mapping[str, Any]) -> np.ndarray:
    """Latents `[B,C,...]` as an autoencoder gave them, standardised by its config; float32."""
    along = (-1, *[1] * (raw.ndim - 2))
    mean, std = (
        np.array(values, dtype=np.float32).reshape(along) for values in latent_scale(config)
    )
    return (raw - mean) / std


@dataclass
class Moments:
    """Mean and standard deviation of all numbers that pass by."""

    count: int = 0
    total: float = 0.0
    squares: float = 0.0

    def add(self, batch: np.ndarray) -> None:
        """Count a batch of any shape."""
        numbers = batch.astype(np.float64)
        self.count += numbers.size
        self.total += float(numbers.sum())
        self.squares += float((numbers**2).sum())

    @property
    def mean(self) -> float:
        """Mean so far."""
        return self.total / self.count

    @property
    def std(self) -> float:
        """Standard deviation so far."""
        return float(np.sqrt(max(0.0, self.squares / self.count - self.mean**2)))

    def warning(self, source: Path) -> str | None:
        """What is probably wrong with latents that ought to be standardised, if anything."""
        if abs(self.mean) <= _USUAL_MEAN and _USUAL_STD[0] < self.std < _USUAL_STD[1]:
            return None
        return (
            f"{source}: latents have mean {self.mean:.3g} and standard deviation {self.std:.3g}, "
            "standardised ones about 0 and 1: are they raw, or of another autoencoder?"
        )
