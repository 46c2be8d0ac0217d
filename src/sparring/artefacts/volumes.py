"""Packed CT volumes: int16 HU of differing shapes in one HDF5 file, with who they are."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import h5py
import numpy as np

from ..errors import UserError
from . import hdf5

Window = tuple[float, float]
Box = tuple[slice, slice, slice]
NEW, SHARED = "new patients", "held-out slabs of trained volumes"
"""Groups of held-out volumes that are judged apart."""
_CHUNK = 64  # voxels along a side: a patch touches few chunks, a chunk is half a megabyte


@dataclass(frozen=True)
class VolumeRow:
    """One volume, or one slab of it: who it is, and where its voxels lie in the patient."""

    sample_id: str
    patient_id: str
    split: str
    affine: np.ndarray
    """Voxel indices to millimetres, `[4,4]`, NIfTI's convention."""
    source: str = ""
    """The file that it was read from, as the manifest names it."""


def normalise(hu: np.ndarray, window: Window) -> np.ndarray:
    """HU to [-1, 1], float32 of the same shape; what lies outside the window is clipped."""
    low, high = window
    clipped = np.clip(hu, low, high).astype(np.float32)
    return (clipped - np.float32(low)) * np.float32(2 / (high - low)) - np.float32(1)


def to_hu(x: np.ndarray, window: Window) -> np.ndarray:
    """The inverse of `normalise` within the window, float32; whole HU come back when rounded."""
    low, high = window
    return (x.astype(np.float32) + np.float32(1)) * np.float32((high - low) / 2) + np.float32(low)


def spacing_of(affine: np.ndarray) -> np.ndarray:
    """Millimetres per voxel along the three axes of an affine `[4,4]`."""
    return np.sqrt((np.asarray(affine, dtype=float)[:3, :3] ** 2).sum(axis=0))


@contextmanager
def writing_volumes(
    path: Path, window: Window, orientation: str, split_by: str = "patient"
) -> Iterator["VolumesWriter"]:
    """Write a volumes file; it appears under its name when the block succeeds."""
    attributes = {
        "kind": "volumes",
        "hu_window": np.array(window, dtype=np.float64),
        "orientation": orientation,
        "split_by": split_by,
    }
    with hdf5.writing(path, attributes) as file:
        writer = VolumesWriter(file)
        yield writer
        writer.finish()


class VolumesWriter:
    """Appends volumes one by one; made by `writing_volumes`."""

    def __init__(self, file: h5py.File) -> None:
        self._file = file
        self._group = file.create_group("volumes")
        self._rows: list[VolumeRow] = []

    def append(self, volume: np.ndarray, row: VolumeRow) -> None:
        """Add int16 HU `[D,H,W]`."""
        chunks = tuple(min(_CHUNK, side) for side in volume.shape)
        name = f"{len(self._rows):05d}"
        self._group.create_dataset(name, data=volume, dtype=np.int16, chunks=chunks)
        self._file.require_written()
        self._rows.append(row)

    def finish(self) -> None:
        """Write the columns."""
        for name in ("sample_id", "patient_id", "split", "source"):
            hdf5.write_strings(self._file, name, [getattr(row, name) for row in self._rows])
        affines = np.stack([row.affine for row in self._rows]).astype(np.float64)
        self._file.create_dataset("affine", data=affines)


class Volumes:
    """A packed dataset of volumes. Small ones are held in memory, large ones read box by box.

    `sample_id`, `patient_id`, `source`: lists of N; `split`: array of N; `shapes`: N triples of
    voxels; `affine [N,4,4]`; `spacing [N,3]` in mm; `hu_window`; `orientation`; `split_by`.
    """

    memory_limit = 1024**3

    def __init__(self, path: Path) -> None:
        self.path = path
        with hdf5.reading(path, "volumes") as file:
            attributes = hdf5.attributes(file)
            low, high = attributes["hu_window"]
            self.hu_window: Window = (float(low), float(high))
            self.orientation: str = attributes["orientation"]
            self.split_by: str = attributes["split_by"]
            self.sample_id = hdf5.read_strings(file, "sample_id")
            self.patient_id = hdf5.read_strings(file, "patient_id")
            self.source = hdf5.read_strings(file, "source")
            self.split = np.array(hdf5.read_strings(file, "split"), dtype=object)
            self.affine: np.ndarray = file["affine"][:]
            group = file["volumes"]
            self.shapes: list[tuple[int, int, int]] = [
                group[self._name(row)].shape for row in range(len(self.sample_id))
            ]
        self.spacing = np.stack([spacing_of(affine) for affine in self.affine])

    def __len__(self) -> int:
        return len(self.sample_id)

    def rows(self, split: str) -> np.ndarray:
        """Row numbers of a split; refuses an empty one."""
        rows = np.flatnonzero(self.split == split)
        if len(rows) == 0:
            raise UserError(f"{self.path}: split {split!r} has no rows; add some to the manifest")
        return rows

    def trained_on(self, row: int) -> bool:
        """Whether the train split has another part of the same patient: an easier test."""
        train = {p for p, s in zip(self.patient_id, self.split, strict=True) if s == "train"}
        return self.split[row] != "train" and self.patient_id[row] in train

    @property
    def warning(self) -> str | None:
        """What every report on these volumes must say first, where patients cross splits."""
        shared = sorted({self.patient_id[r] for r in range(len(self)) if self.trained_on(r)})
        if not shared:
            return None
        return (
            f"NOT SPLIT BY PATIENT: held-out slabs of {len(shared)} patients "
            f"({', '.join(shared)}) come from volumes that were also trained on; their figures "
            "say less than those of new patients"
        )

    def read(self, row: int, box: Sequence[slice] | None = None) -> np.ndarray:
        """int16 HU `[d,h,w]` of a box of slices within the volume; by default all of it."""
        where = tuple(box) if box is not None else (slice(None),) * 3
        if self._in_memory is not None:
            return self._in_memory[row][where]
        with hdf5.reading(self.path, "volumes") as file:
            return file["volumes"][self._name(row)][where]

    @staticmethod
    def _name(row: int) -> str:
        return f"{row:05d}"

    @cached_property
    def _in_memory(self) -> list[np.ndarray] | None:
        voxels = sum(int(np.prod(shape)) for shape in self.shapes)
        if voxels * np.dtype(np.int16).itemsize > self.memory_limit:
            return None
        with hdf5.reading(self.path, "volumes") as file:
            return [file["volumes"][self._name(row)][:] for row in range(len(self.sample_id))]
