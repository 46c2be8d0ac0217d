"""The autoencoder: a diffusers AutoencoderKL whose latents are standardised per channel."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from torch import Tensor

from ..artefacts.digests import model_digest
from ..artefacts.models import load_model
from ..compute import Compute
from ..errors import UserError
from ..settings.autoencoder import AutoencoderSettings
from .latent_scale import latent_scale

CLASSES = "classes.json"


def build_autoencoder(settings: AutoencoderSettings, num_classes: int, side: int) -> AutoencoderKL:
    """A fresh AutoencoderKL; `num_classes` is 0 where the dataset names no classes."""
    if settings.input == "classes" and num_classes == 0:
        raise UserError(
            "autoencoder.input: found 'classes' but the dataset names no classes; add a "
            "classes.json or set input: rgb"
        )
    levels = len(settings.block_out_channels)
    head = num_classes if settings.segmentation_head else 0
    return AutoencoderKL(
        in_channels=_one_hot_channels(num_classes) if settings.input == "classes" else 3,
        out_channels=3 + head,
        down_block_types=("DownEncoderBlock2D",) * levels,
        up_block_types=("UpDecoderBlock2D",) * levels,
        block_out_channels=settings.block_out_channels,
        layers_per_block=settings.layers_per_block,
        latent_channels=settings.latent_channels,
        norm_num_groups=settings.norm_num_groups,
        sample_size=side,
        scaling_factor=1.0,
        mid_block_add_attention=settings.mid_block_attention,
    )


def _one_hot_channels(num_classes: int) -> int:
    """One channel per class; a fourth, always empty, for three, because 3 channels mean RGB."""
    return 4 if num_classes == 3 else num_classes


@dataclass(frozen=True)
class Decoded:
    """RGB `[B,3,H,W]` in [-1, 1] and, with a segmentation head, class logits `[B,K,H,W]`."""

    rgb: Tensor
    logits: Tensor | None

    @property
    def class_ids(self) -> Tensor | None:
        """The likeliest class per pixel, `[B,H,W]`."""
        return None if self.logits is None else self.logits.argmax(1)


class Codec:
    """Layouts in, standardised latents out, and back."""

    def __init__(self, model: AutoencoderKL, palette: np.ndarray | None, compute: Compute) -> None:
        self.model = model.to(compute.device)
        self.palette = palette
        self.compute = compute
        mean, std = latent_scale(model.config)
        self._mean, self._std = self._channelwise(mean), self._channelwise(std)

    @classmethod
    def load(cls, directory: Path, compute: Compute) -> "Codec":
        """From an autoencoder directory, frozen."""
        model = load_model(AutoencoderKL, directory).requires_grad_(False)
        return cls(model, read_palette(directory), compute)

    @property
    def statistics(self) -> tuple[list[float], list[float]]:
        """Mean and standard deviation per channel that latents are standardised with."""
        return self._mean.flatten().tolist(), self._std.flatten().tolist()

    @property
    def factor(self) -> int:
        """Pixels per latent cell along a side."""
        return 2 ** (len(self.model.config.block_out_channels) - 1)

    @property
    def num_classes(self) -> int:
        """Classes of the segmentation head, 0 without one."""
        return self.model.config.out_channels - 3

    def inputs(self, layouts: np.ndarray) -> Tensor:
        """What the encoder takes, from uint8 class ids `[B,H,W]` or RGB `[B,H,W,3]`."""
        channels = self.model.config.in_channels
        if channels == 3:
            return self.rgb(layouts)
        ids = torch.from_numpy(layouts).to(self.compute.device, torch.int64)
        if ids.ndim != 3 or int(ids.max()) >= channels:
            raise UserError(
                f"autoencoder: takes {channels} one-hot classes, but the layouts have shape "
                f"{list(layouts.shape[1:])} and values up to {int(ids.max())}; use an autoencoder "
                "for this dataset's classes"
            )
        return F.one_hot(ids, channels).permute(0, 3, 1, 2).float() * 2 - 1

    def inputs_of(self, decoded: Decoded) -> Tensor:
        """What the encoder takes, from decoded latents: RGB, or class probabilities as one-hot."""
        channels = self.model.config.in_channels
        if channels == 3:
            return decoded.rgb
        if decoded.logits is None or decoded.logits.shape[1] > channels:
            found = 0 if decoded.logits is None else decoded.logits.shape[1]
            raise UserError(
                f"autoencoder: takes {channels} one-hot classes, but its segmentation head has "
                f"{found}; set semantic.perceptual_features: vgg16, or perceptual_weight: 0"
            )
        shares = decoded.logits.softmax(1)
        empty = channels - shares.shape[1]
        return F.pad(shares, (0, 0, 0, 0, 0, empty)) * 2 - 1

    def rgb(self, layouts: np.ndarray) -> Tensor:
        """RGB in [-1, 1], `[B,3,H,W]`."""
        coloured = layouts if layouts.ndim == 4 else self._coloured(layouts)
        pixels = torch.from_numpy(coloured).to(self.compute.device, torch.float32)
        return pixels.permute(0, 3, 1, 2) / 127.5 - 1

    @torch.no_grad()
    def encode(self, layouts: np.ndarray) -> Tensor:
        """The posterior's mode, standardised, `[B,C,h,w]` float32."""
        return (self.raw_mode(layouts) - self._mean) / self._std

    @torch.no_grad()
    def raw_mode(self, layouts: np.ndarray) -> Tensor:
        """The posterior's mode, `[B,C,h,w]` float32.

        Without autocast: reals on a bf16 grid would tell a discriminator that they are reals.
        """
        return self.model.encode(self.inputs(layouts)).latent_dist.mode()

    def decode(self, latents: Tensor) -> Decoded:
        """Standardised latents `[B,C,h,w]` decoded; gradients pass."""
        raw = latents * self._std + self._mean
        with self.compute.autocast():
            out = self.model.decode(raw).sample
        return split_heads(out.float())

    @torch.no_grad()
    def images(self, latents: Tensor) -> np.ndarray:
        """RGB `[B,H,W,3]` uint8: class colours where there is a segmentation head, else RGB."""
        decoded = self.decode(latents.to(self.compute.device, torch.float32))
        if decoded.class_ids is not None:
            return self._palette()[decoded.class_ids.cpu().numpy()]
        return to_uint8(decoded.rgb)

    def _coloured(self, ids: np.ndarray) -> np.ndarray:
        palette = self._palette()
        if int(ids.max()) >= len(palette):
            raise UserError(
                f"autoencoder: its {CLASSES} names classes 0 to {len(palette) - 1}, but the "
                f"layouts hold class {int(ids.max())}; use an autoencoder for this dataset's "
                "classes"
            )
        return palette[ids]

    def _palette(self) -> np.ndarray:
        if self.palette is None:
            raise UserError(
                f"autoencoder: its directory has no {CLASSES}, which names the colours of its "
                "classes; copy the dataset's file there"
            )
        return self.palette

    def _channelwise(self, values: list[float]) -> Tensor:
        return torch.tensor(values, device=self.compute.device).reshape(1, -1, 1, 1)


def split_heads(out: Tensor) -> Decoded:
    """The decoder's channels as RGB and class logits."""
    return Decoded(out[:, :3], out[:, 3:] if out.shape[1] > 3 else None)


def to_uint8(rgb: Tensor) -> np.ndarray:
    """[-1, 1] `[B,3,H,W]` to 0..255 `[B,H,W,3]`."""
    pixels = ((rgb.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
    return pixels.permute(0, 2, 3, 1).cpu().numpy()


def read_palette(directory: Path) -> np.ndarray | None:
    """RGB per class id from classes.json beside the model, uint8 `[K,3]`; None without classes."""
    path = directory / CLASSES
    entries = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []
    if not entries:
        return None
    palette = np.zeros((1 + max(entry["id"] for entry in entries), 3), dtype=np.uint8)
    for entry in entries:
        palette[entry["id"]] = entry["rgb"]
    return palette


def autoencoder_digest(directory: Path) -> str:
    """Names the autoencoder in every latents file."""
    return model_digest(directory)
