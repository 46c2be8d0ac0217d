"""A dataset of volumes into one HDF5 file of int16 HU: turned, resampled, cut to slabs."""

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import numpy as np

from ..artefacts.nifti import open_nifti, read_hu
from ..artefacts.volumes import VolumeRow, writing_volumes
from ..progress import progress
from ..settings.volumes import AnyVolumes, PhantomDataset, VolumeDataset
from .manifest import split_by_group
from .phantoms import ORIENTATION, generate_phantom, phantom_affine
from .volume_facts import cut_shape, phantom_names, volume_facts
from .volume_manifest import read_volume_manifest

Packed = tuple[np.ndarray, VolumeRow]


def pack_volumes(settings: AnyVolumes, output: Path) -> int:
    """Write the dataset to `output`; returns the number of rows.

    Raises UserError for manifests, headers and voxels that cannot be used, headers first.
    """
    total = len(volume_facts(settings))
    if isinstance(settings, PhantomDataset):
        packed, orientation, split_by = _phantoms(settings), ORIENTATION, "patient"
    else:
        packed, orientation = _from_manifest(settings), settings.orientation
        split_by = settings.split_by
    with writing_volumes(output, settings.hu_window, orientation, split_by) as writer:
        for volume, row in progress(packed, "packing", total, "volume"):
            writer.append(volume, row)
    return total


def load_volume(
    path: Path, orientation: str, spacing: tuple[float, ...] | None, squeeze: bool
) -> tuple[np.ndarray, np.ndarray]:
    """One file as int16 HU `[D,H,W]`, turned and resampled, and its affine `[4,4]`."""
    nifti = open_nifti(path, squeeze)
    turned = nifti.turned(orientation)
    volume = np.ascontiguousarray(turned.apply(read_hu(nifti)))
    if spacing is None:
        return volume, turned.affine
    return resample(volume, turned.affine, spacing)


def resample(
    volume: np.ndarray, affine: np.ndarray, spacing: tuple[float, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """int16 HU and affine `[4,4]` at another spacing in mm, by MONAI's trilinear `Spacing`.

    The centre of the first voxel stays where it is. Needs about ten times the volume in memory.
    """
    import torch
    from monai.data import MetaTensor
    from monai.transforms import Spacing

    hu = MetaTensor(torch.from_numpy(volume.astype(np.float32))[None], affine=torch.tensor(affine))
    to_spacing = Spacing(spacing, mode="bilinear", padding_mode="border", dtype=np.float32)
    done = to_spacing(hu)
    values = np.rint(done[0].numpy()).astype(np.int16)
    return values, np.asarray(done.meta["affine"], dtype=np.float64)


def resample_to(
    volume: np.ndarray, affine: np.ndarray, shape: tuple[int, ...], target: np.ndarray
) -> np.ndarray:
    """int16 HU `[D,H,W]` of affine `[4,4]` on the grid of another shape and affine."""
    import torch
    from monai.data import MetaTensor
    from monai.transforms import SpatialResample

    hu = MetaTensor(torch.from_numpy(volume.astype(np.float32))[None], affine=torch.tensor(affine))
    to_grid = SpatialResample(mode="bilinear", padding_mode="border", dtype=np.float32)
    done = to_grid(hu, dst_affine=torch.tensor(target), spatial_size=shape)
    return np.rint(done[0].numpy()).astype(np.int16)


def _from_manifest(settings: VolumeDataset) -> Iterator[Packed]:
    entries = read_volume_manifest(settings)
    for path, rows in groupby(entries, key=lambda entry: entry.path):
        volume, affine = load_volume(path, settings.orientation, settings.spacing, settings.squeeze)
        for entry in rows:
            cut_shape(volume.shape, entry)  # refuses slabs beyond the end
            start, stop = entry.slab or (0, volume.shape[2])
            origin = affine.copy()
            origin[:, 3] = affine @ (0, 0, start, 1)
            row = VolumeRow(
                entry.sample_id,
                entry.patient_id,
                entry.split,
                origin,
                entry.named,
            )
            yield volume[:, :, start:stop], row


def _phantoms(settings: PhantomDataset) -> Iterator[Packed]:
    names = phantom_names(settings)
    splits = split_by_group(names, settings.split, settings.seed)
    for index, (name, split) in enumerate(zip(names, splits, strict=True)):
        volume = generate_phantom(settings.seed, index, settings.size)
        yield volume, VolumeRow(name, name, split, phantom_affine(settings.size))
