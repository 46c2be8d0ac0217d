"""What manifests and NIfTI headers tell of volumes before any voxel is read. Torch-free."""

from dataclasses import dataclass
from functools import cache
from math import prod
from pathlib import Path

from ..artefacts.nifti import open_nifti
from ..errors import UserError
from ..settings.volumes import AnyVolumes, PhantomDataset, VolumeDataset
from .manifest import split_by_group
from .volume_manifest import VolumeEntry, read_volume_manifest

Spacing = tuple[float, float, float]


@dataclass(frozen=True)
class VolumeFacts:
    """A row as it will be packed."""

    sample_id: str
    patient_id: str
    split: str
    shape: tuple[int, int, int]
    """Voxels, turned, resampled and cut to its slab."""
    source: str = ""
    """The file, for messages."""


def volume_facts(settings: AnyVolumes) -> list[VolumeFacts]:
    """Every row of a dataset; raises UserError for manifests and headers that cannot be used."""
    if isinstance(settings, PhantomDataset):
        names = phantom_names(settings)
        splits = split_by_group(names, settings.split, settings.seed)
        shape = (settings.size,) * 3
        return [VolumeFacts(n, n, s, shape) for n, s in zip(names, splits, strict=True)]
    return [_entry_facts(settings, entry) for entry in read_volume_manifest(settings)]


def patch_count(shape: tuple[int, ...], size: int) -> int:
    """Patches side by side in a volume; one smaller than a patch gives one along that axis."""
    return prod(max(1, side // size) for side in shape)


def require_patch(settings: AnyVolumes, size: int, where: str) -> None:
    """Refuse volumes smaller than patches of `size` voxels a side, unless they may be padded.

    `where` is the key that sets the patch, for the message. No patches are cut from test volumes.
    """
    if isinstance(settings, VolumeDataset) and settings.pad:
        return
    for facts in volume_facts(settings):
        if facts.split != "test" and min(facts.shape) < size:
            raise UserError(
                f"{facts.source or facts.sample_id}: {facts.sample_id} is "
                f"{' x '.join(map(str, facts.shape))} voxels, smaller than {where} ({size}); set "
                f"it to at most {min(facts.shape)}"
                + ("" if isinstance(settings, PhantomDataset) else ", or pad: true in the dataset")
            )


def phantom_names(settings: PhantomDataset) -> list[str]:
    """Sample ids of the phantoms."""
    return [f"phantom_{index:03d}" for index in range(settings.num_volumes)]


def resampled_shape(
    shape: tuple[int, int, int], spacing: tuple[float, ...], wanted: tuple[float, ...] | None
) -> tuple[int, int, int]:
    """Voxels after resampling: the centres of the first and last voxel stay in the grid."""
    if wanted is None:
        return shape
    sides = zip(shape, spacing, wanted, strict=True)
    d, h, w = (round((n - 1) * old / new + 1) for n, old, new in sides)
    return d, h, w


def cut_shape(shape: tuple[int, int, int], entry: VolumeEntry) -> tuple[int, int, int]:
    """Voxels of the entry's slab; refuses one that ends beyond the volume."""
    if entry.slab is None:
        return shape
    start, stop = entry.slab
    if stop > shape[2]:
        raise UserError(
            f"{entry.path}: slab of {entry.sample_id} is {start}:{stop}, but the volume has "
            f"{shape[2]} slices along its third axis; end it at {shape[2]} or before"
        )
    return shape[0], shape[1], stop - start


def _entry_facts(settings: VolumeDataset, entry: VolumeEntry) -> VolumeFacts:
    shape = _shape(entry.path, _stamp(entry.path), settings.squeeze, settings.orientation,
                   settings.spacing)  # fmt: skip
    shape = cut_shape(shape, entry)
    return VolumeFacts(entry.sample_id, entry.patient_id, entry.split, shape, str(entry.path))


@cache
def _shape(
    path: Path, _: tuple[int, int] | None, squeeze: bool, orientation: str, spacing: Spacing | None
) -> tuple[int, int, int]:
    """Voxels of a whole file, turned and resampled. A thousand headers take a second, and the
    workflow asks several times."""
    turned = open_nifti(path, squeeze).turned(orientation)
    return resampled_shape(turned.shape, tuple(turned.spacing), spacing)


def _stamp(path: Path) -> tuple[int, int] | None:
    """Tells one content of a file from the next."""
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_size
