"""Features that the perceptual loss compares: VGG16's, or the autoencoder's own encoder's."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from ..errors import UserError
from .autoencoder import Codec, Decoded

_URL = "https://download.pytorch.org/models/vgg16-397923af.pth"
# torchvision's vgg16.features up to relu4_3: convolutions with their widths, "pool" between stages.
_VGG16_STAGES = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512))
_IMAGENET_MEAN, _IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class PerceptualFeatures(Protocol):
    """Feature maps `[B,C_l,H_l,W_l]` of several layers."""

    def of_prediction(self, decoded: Decoded) -> list[Tensor]:
        """Of decoded latents; gradients pass."""

    def of_layouts(self, layouts: np.ndarray) -> list[Tensor]:
        """Of layouts, uint8 class ids `[B,H,W]` or RGB `[B,H,W,3]`."""


class EncoderFeatures:
    """The output of each level of a frozen autoencoder's encoder.

    An encoder of one-hot classes sees the prediction as class probabilities, so that gradients
    pass.
    """

    def __init__(self, codec: Codec) -> None:
        self._codec = codec

    def of_prediction(self, decoded: Decoded) -> list[Tensor]:
        """See `PerceptualFeatures`."""
        return self._features(self._codec.inputs_of(decoded))

    @torch.no_grad()
    def of_layouts(self, layouts: np.ndarray) -> list[Tensor]:
        """See `PerceptualFeatures`."""
        return self._features(self._codec.inputs(layouts))

    def _features(self, inputs: Tensor) -> list[Tensor]:
        encoder = self._codec.model.encoder
        with self._codec.compute.autocast():
            maps = [encoder.conv_in(inputs)]
            for block in encoder.down_blocks:
                maps.append(block(maps[-1]))
        return [m.float() for m in maps[1:]]


class Vgg16Features:
    """relu1_2, relu2_2, relu3_3 and relu4_3 of VGG16 (Simonyan & Zisserman 2015) on RGB."""

    def __init__(self, network: "Vgg16", codec: Codec) -> None:
        self._network = network.to(codec.compute.device).eval().requires_grad_(False)
        self._codec = codec

    def of_prediction(self, decoded: Decoded) -> list[Tensor]:
        """See `PerceptualFeatures`."""
        return self._features(decoded.rgb)

    @torch.no_grad()
    def of_layouts(self, layouts: np.ndarray) -> list[Tensor]:
        """See `PerceptualFeatures`."""
        return self._features(self._codec.rgb(layouts))

    def _features(self, rgb: Tensor) -> list[Tensor]:
        with self._codec.compute.autocast():
            return [features.float() for features in self._network(rgb)]


class Vgg16(nn.Module):
    """The first four stages of VGG16, with the parameter names of torchvision's state dict."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        self._ends: list[int] = []
        channels = 3
        for stage, widths in enumerate(_VGG16_STAGES):
            layers += [nn.MaxPool2d(2)] if stage else []
            for width in widths:
                layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]
                channels = width
            self._ends.append(len(layers) - 1)
        self.features = nn.Sequential(*layers)

    def forward(self, rgb: Tensor) -> list[Tensor]:
        """RGB in [-1, 1], `[B,3,H,W]`, to the last map of each stage."""
        mean, std = (_per_channel(values, rgb) for values in (_IMAGENET_MEAN, _IMAGENET_STD))
        x = ((rgb + 1) / 2 - mean) / std
        maps = []
        for index, layer in enumerate(self.features):
            x = layer(x)
            if index in self._ends:
                maps.append(x)
        return maps


def load_vgg16(path: Path, sha256: str) -> Vgg16:
    """VGG16 from torchvision's published state dict, or the same tensors as safetensors.

    Raises UserError where the file is missing, its SHA-256 begins otherwise or tensors are not
    VGG16's.
    """
    require_vgg16(path, sha256)
    try:
        tensors = (
            load_file(path)
            if path.suffix == ".safetensors"
            else torch.load(path, map_location="cpu", weights_only=True)
        )
    except Exception as error:  # what a damaged file raises depends on where the damage is
        raise UserError(
            f"{path}: not a readable state dict of plain tensors ({type(error).__name__}); "
            f"{_way_out()}"
        ) from error
    network = Vgg16()
    expected = network.state_dict()
    for name, tensor in expected.items():
        found = tensors.get(name) if isinstance(tensors, Mapping) else None
        if found is None or found.shape != tensor.shape:
            raise UserError(
                f"{path}: {name} is {'missing' if found is None else list(found.shape)}, expected "
                f"{list(tensor.shape)} of VGG16; {_way_out()}"
            )
    network.load_state_dict({name: tensors[name] for name in expected})
    return network


def require_vgg16(path: Path, sha256: str) -> None:
    """Refuse a missing file and one whose SHA-256 does not begin with `sha256`."""
    if not path.is_file():
        raise UserError(f"{path}: VGG16's weights are missing; {_way_out()}")
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if not found.startswith(sha256):
        raise UserError(
            f"{path}: SHA-256 begins with {found[: len(sha256)]}, expected {sha256}: damaged or "
            f"another file; {_way_out()}, or set semantic.vgg16_sha256 to that of your own file"
        )


def _way_out() -> str:
    return f"fetch it on a machine with network: curl -O {_URL}"


def _per_channel(values: tuple[float, ...], like: Tensor) -> Tensor:
    return torch.tensor(values, device=like.device).reshape(1, -1, 1, 1)
