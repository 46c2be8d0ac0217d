"""Latents as pictures, whatever they are of: layouts in colours, volumes as three planes each."""

from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from ..artefacts.models import load_model, read_config
from ..artefacts.volumes import Window, to_hu
from ..compute import Compute
from ..errors import UserError
from ..models.autoencoder import Codec
from ..models.latent_scale import latent_channels, latent_scale
from .volume_pictures import middle_planes

VOLUMES = "VQGAN"
"""The class of models that decode volumes, as their config.json says it."""


class Decoder(Protocol):
    """What pictures of latents need."""

    @property
    def channels(self) -> int:
        """Of the latents."""

    @property
    def dims(self) -> int:
        """Of the latents: 2 of layouts, 3 of volumes."""

    def images(self, latents: Tensor) -> np.ndarray:
        """Standardised latents `[B,C,...]` as pictures, uint8 `[B,H,W,3]`."""


class VolumeDecoder:
    """Standardised latents `[B,C,d,h,w]` to HU volumes, by a VQ-GAN's decoder."""

    dims = 3

    def __init__(self, model: Any, compute: Compute, where: str) -> None:
        """`model` is a VQGAN; UserError, which `where` begins, if it lacks latent statistics."""
        require_statistics(model.config, where)
        self.model, self.compute = model.to(compute.device).eval(), compute
        mean, std = (
            torch.tensor(values, device=compute.device).view(1, -1, 1, 1, 1)
            for values in latent_scale(model.config)
        )
        self._mean, self._std = mean, std

    @classmethod
    def load(cls, directory: Path, compute: Compute) -> "VolumeDecoder":
        """From a VQ-GAN directory, frozen."""
        from ..models.vqgan import VQGAN

        model = load_model(VQGAN, directory).requires_grad_(False)
        return cls(model, compute, str(directory))

    @property
    def channels(self) -> int:
        """Of the latents."""
        found = latent_channels(self.model.config)
        assert found is not None
        return found

    @property
    def window(self) -> Window:
        """The HU window of the volumes that the model was trained on."""
        low, high = self.model.config.hu_window
        return float(low), float(high)

    @torch.no_grad()
    def volumes(self, latents: Tensor) -> np.ndarray:
        """int16 HU `[B,D,H,W]`, decoded one by one: volumes are large.

        Latents are scaled back and rounded to the codes, as the decoder knows them, first.
        """
        made = []
        for one in latents.split(1):
            raw = one.to(self.compute.device, torch.float32) * self._std + self._mean
            rounded = self.model.quantise(raw).latents
            with self.compute.autocast():
                made.append(self.hu(self.model.decode(rounded).float()))
        return np.concatenate(made)

    @torch.no_grad()
    def reconstructions(self, patches: Tensor) -> np.ndarray:
        """Volumes `[B,1,D,H,W]` in [-1, 1] through the model, int16 HU `[B,D,H,W]`."""
        with self.compute.autocast():
            return self.hu(self.model(patches.to(self.compute.device)).float())

    def hu(self, volumes: Tensor) -> np.ndarray:
        """`[B,1,D,H,W]` in [-1, 1] as int16 HU `[B,D,H,W]`."""
        clipped = volumes[:, 0].clamp(-1, 1).cpu().numpy()
        return np.rint(to_hu(clipped, self.window)).astype(np.int16)

    def images(self, latents: Tensor) -> np.ndarray:
        """Three planes through the middle of each volume, `[B,H,W,3]` uint8."""
        return middle_planes(self.volumes(latents), self.window)


class LayoutDecoder:
    """Standardised latents `[B,C,H,W]` to pictures of layouts."""

    dims = 2

    def __init__(self, codec: Codec) -> None:
        self.codec = codec

    @property
    def channels(self) -> int:
        """Of the latents."""
        return self.codec.model.config.latent_channels

    def images(self, latents: Tensor) -> np.ndarray:
        """RGB `[B,H,W,3]` uint8."""
        return self.codec.images(latents)


def load_decoder(directory: Path, compute: Compute) -> Decoder:
    """The decoder of an autoencoder's or a VQ-GAN's directory."""
    if read_config(directory).get("_class_name") == VOLUMES:
        return VolumeDecoder.load(directory, compute)
    return LayoutDecoder(Codec.load(directory, compute))


def require_statistics(config: Any, where: str) -> None:
    """Refuse a VQ-GAN whose config.json does not say how its latents are scaled."""
    if config.get("latents_mean") is None or config.get("latents_std") is None:
        raise UserError(
            f"{where}: its config.json has no latents_mean and latents_std; take the model through "
            "an experiment (start_from, with discriminator_iter_start: 0), which measures them"
        )
