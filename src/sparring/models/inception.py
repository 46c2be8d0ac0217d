"""Inception-v3 as Fréchet distances are computed with, from a weights file that the user names."""

from collections.abc import Mapping
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor, nn

from ..artefacts.torch_files import read_torch
from ..errors import UserError

FEATURES = 2048
_NAME = "pt_inception-2015-12-05-6726825d.pth"
_WAY_OUT = (
    "fetch it on a machine with network: curl -LO "
    f"https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/{_NAME}"
)


class _Conv(nn.Module):
    """Convolution, batch normalisation, ReLU; the names are those of the published state dict."""

    def __init__(
        self, channels: int, width: int, size: int | tuple[int, int], stride: int = 1
    ) -> None:
        super().__init__()
        sides = (size, size) if isinstance(size, int) else size
        padding = ((sides[0] - 1) // 2, (sides[1] - 1) // 2) if stride == 1 else (0, 0)
        self.conv = nn.Conv2d(channels, width, sides, stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(width, eps=0.001)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.bn(self.conv(x)))


class _Branches(nn.Module):
    """Chains of convolutions side by side, their outputs one after another.

    `branches` names each convolution with its width, size and stride; a chain is a list of them, in
    which a pair of names in a tuple reads the same input (the last blocks of the network). `pool`
    says how the last chain's input is pooled, where there is one.
    """

    def __init__(self, channels: int, branches: list[list], pool: str) -> None:
        super().__init__()
        self._chains, self._pool = [], pool
        for chain in branches:
            names, width = [], channels
            for step in chain:
                for name, out, size, stride in step if isinstance(step, list) else [step]:
                    setattr(self, name, _Conv(width, out, size, stride))
                pair = step if isinstance(step, list) else [step]
                names.append([name for name, *_ in pair])
                width = sum(out for _, out, *_ in pair)
            self._chains.append(names)

    def forward(self, x: Tensor) -> Tensor:
        found = []
        for number, chain in enumerate(self._chains):
            last = number == len(self._chains) - 1
            y = _pooled(x, self._pool) if last and self._pool in ("average", "max") else x
            for names in chain:
                y = torch.cat([getattr(self, name)(y) for name in names], 1)
            found.append(y)
        if self._pool == "reduce":
            found.append(F.max_pool2d(x, 3, stride=2))
        return torch.cat(found, 1)


def _pooled(x: Tensor, how: str) -> Tensor:
    """3x3 at stride 1; the average leaves the padding out, as in the network's first release."""
    if how == "max":
        return F.max_pool2d(x, 3, stride=1, padding=1)
    return F.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)


def _a(channels: int, pooled: int) -> _Branches:
    return _Branches(channels, [
        [("branch1x1", 64, 1, 1)],
        [("branch5x5_1", 48, 1, 1), ("branch5x5_2", 64, 5, 1)],
        [("branch3x3dbl_1", 64, 1, 1), ("branch3x3dbl_2", 96, 3, 1), ("branch3x3dbl_3", 96, 3, 1)],
        [("branch_pool", pooled, 1, 1)],
    ], "average")  # fmt: skip


def _b() -> _Branches:
    return _Branches(288, [
        [("branch3x3", 384, 3, 2)],
        [("branch3x3dbl_1", 64, 1, 1), ("branch3x3dbl_2", 96, 3, 1), ("branch3x3dbl_3", 96, 3, 2)],
    ], "reduce")  # fmt: skip


def _c(w: int) -> _Branches:
    wide, tall = (1, 7), (7, 1)
    return _Branches(768, [
        [("branch1x1", 192, 1, 1)],
        [("branch7x7_1", w, 1, 1), ("branch7x7_2", w, wide, 1), ("branch7x7_3", 192, tall, 1)],
        [("branch7x7dbl_1", w, 1, 1), ("branch7x7dbl_2", w, tall, 1),
         ("branch7x7dbl_3", w, wide, 1), ("branch7x7dbl_4", w, tall, 1),
         ("branch7x7dbl_5", 192, wide, 1)],
        [("branch_pool", 192, 1, 1)],
    ], "average")  # fmt: skip


def _d() -> _Branches:
    return _Branches(768, [
        [("branch3x3_1", 192, 1, 1), ("branch3x3_2", 320, 3, 2)],
        [("branch7x7x3_1", 192, 1, 1), ("branch7x7x3_2", 192, (1, 7), 1),
         ("branch7x7x3_3", 192, (7, 1), 1), ("branch7x7x3_4", 192, 3, 2)],
    ], "reduce")  # fmt: skip


def _e(channels: int, pool: str) -> _Branches:
    wide, tall = (1, 3), (3, 1)
    return _Branches(channels, [
        [("branch1x1", 320, 1, 1)],
        [("branch3x3_1", 384, 1, 1),
         [("branch3x3_2a", 384, wide, 1), ("branch3x3_2b", 384, tall, 1)]],
        [("branch3x3dbl_1", 448, 1, 1), ("branch3x3dbl_2", 384, 3, 1),
         [("branch3x3dbl_3a", 384, wide, 1), ("branch3x3dbl_3b", 384, tall, 1)]],
        [("branch_pool", 192, 1, 1)],
    ], pool)  # fmt: skip


class Inception(nn.Module):
    """RGB `[B,3,H,W]` in [-1, 1] to 2048 features (Szegedy et al. 2016, TensorFlow's weights of
    2015 in the names of torchvision, as Heusel et al. 2017 used them)."""

    def __init__(self) -> None:
        super().__init__()
        self.Conv2d_1a_3x3 = _Conv(3, 32, 3, 2)
        self.Conv2d_2a_3x3 = _Conv(32, 32, 3)
        self.Conv2d_2a_3x3.conv.padding = (0, 0)
        self.Conv2d_2b_3x3 = _Conv(32, 64, 3)
        self.Conv2d_3b_1x1 = _Conv(64, 80, 1)
        self.Conv2d_4a_3x3 = _Conv(80, 192, 3)
        self.Conv2d_4a_3x3.conv.padding = (0, 0)
        self.Mixed_5b, self.Mixed_5c, self.Mixed_5d = _a(192, 32), _a(256, 64), _a(288, 64)
        self.Mixed_6a = _b()
        self.Mixed_6b, self.Mixed_6c, self.Mixed_6d = _c(128), _c(160), _c(160)
        self.Mixed_6e, self.Mixed_7a = _c(192), _d()
        self.Mixed_7b, self.Mixed_7c = _e(1280, "average"), _e(2048, "max")

    def forward(self, rgb: Tensor) -> Tensor:
        """[B,3,H,W] -> [B,2048]."""
        x = F.interpolate(rgb, size=(299, 299), mode="bilinear", align_corners=False)
        x = self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(x)))
        x = self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(F.max_pool2d(x, 3, stride=2)))
        x = F.max_pool2d(x, 3, stride=2)
        for name, block in self.named_children():
            if name.startswith("Mixed"):
                x = block(x)
        return x.mean((-2, -1))


def load_inception(path: Path) -> Inception:
    """From pytorch-fid's or torch-fidelity's published state dict, or the same as safetensors.

    Raises UserError where the file is missing, holds more than tensors, or is another network.
    """
    if not path.is_file():
        raise UserError(f"{path}: Inception's weights are missing; {_WAY_OUT}")
    tensors = load_file(path) if path.suffix == ".safetensors" else read_torch(path, _WAY_OUT)
    network = Inception()
    expected = network.state_dict()
    for name, tensor in expected.items():
        if name.endswith("num_batches_tracked"):
            continue
        found = tensors.get(name) if isinstance(tensors, Mapping) else None
        if found is None or found.shape != tensor.shape:
            raise UserError(
                f"{path}: {name} is {'missing' if found is None else list(found.shape)}, expected "
                f"{list(tensor.shape)} of Inception-v3; {_WAY_OUT}"
            )
    network.load_state_dict({n: tensors.get(n, t) for n, t in expected.items()})
    return network.eval().requires_grad_(False)
