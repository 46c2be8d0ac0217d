"""Whole volumes through an autoencoder: arrays of HU, and NIfTI files with their own grid."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from ..artefacts.nifti import Nifti, open_nifti, read_hu, write_like
from ..artefacts.volumes import Box, Window, normalise, to_hu
from ..compute import Compute
from ..data.volumes import resample, resample_to
from ..errors import UserError
from ..settings.volumes import VolumeGrid, WindowSettings
from .windows import Network, blend


class HU(Protocol):
    """An array of HU `[D,H,W]` that is read box by box: NumPy's, h5py's, or a memory map."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Voxels along the axes."""

    def __getitem__(self, box: Box) -> np.ndarray:
        """A box of it."""


@dataclass(frozen=True)
class Reconstructed:
    """A volume and what became of it, int16 HU on the model's grid `[D,H,W]`."""

    original: np.ndarray
    reconstruction: np.ndarray
    spacing: np.ndarray
    """Millimetres per voxel, `[3]`."""


def reconstruct(hu: HU, window: Window, network: Network, settings: WindowSettings) -> np.ndarray:
    """int16 HU `[D,H,W]` of a volume that went through `network` in overlapping windows.

    `network` takes and returns `[B,1,w,w,w]` in [-1, 1], which is the HU window; what lies outside
    the window comes back clipped.
    """
    result = np.empty(hu.shape, dtype=np.int16)

    def read(box: Box) -> np.ndarray:
        return normalise(hu[box], window)

    def write(box: Box, values: np.ndarray) -> None:
        result[box] = np.rint(to_hu(np.clip(values, -1, 1), window))

    blend(read, hu.shape, network, settings.window, settings.overlap, write, settings.batch_size)
    return result


def reconstruct_file(
    source: Path,
    output: Path,
    network: Network,
    grid: VolumeGrid,
    window: Window,
    settings: WindowSettings,
    squeeze: bool = False,
) -> Reconstructed:
    """A NIfTI file through `network`, written with its own affine, shape and dtype in HU.

    Raises UserError for a file that cannot be read or is no CT volume.
    """
    nifti = open_nifti(source, squeeze)
    turned = nifti.turned(grid.orientation)
    original, affine = turned.apply(read_hu(nifti)), turned.affine
    spacing = turned.spacing
    if grid.spacing is not None:
        original, affine = resample(np.ascontiguousarray(original), affine, grid.spacing)
        spacing = np.array(grid.spacing)
    result = reconstruct(original, window, network, settings)
    _write(nifti, grid, result, affine, output)
    return Reconstructed(original, result, spacing)


def autoencoding(model: Any, compute: Compute, settings: WindowSettings, where: str) -> Network:
    """A model that returns the reconstruction `[B,1,D,H,W]`, as a network on windows.

    Raises UserError where its downsampling does not divide the window; `where` is named then.
    """
    factor = model.factor if isinstance(model.factor, int) else max(model.factor)
    if settings.window % factor:
        raise UserError(
            f"{where}: inference.window is {settings.window}, not divisible by the model's "
            f"downsampling {factor}; set {max(factor, settings.window // factor * factor)}"
        )
    model = model.to(compute.device).eval()

    @torch.no_grad()
    def network(windows: Tensor) -> Tensor:
        with compute.autocast():
            return model(windows.to(compute.device)).float()

    return network


def _write(
    nifti: Nifti, grid: VolumeGrid, result: np.ndarray, affine: np.ndarray, output: Path
) -> None:
    turned = nifti.turned(grid.orientation)
    if grid.spacing is not None:
        result = resample_to(result, affine, turned.shape, turned.affine)
    write_like(nifti, turned.undo(result), output)
