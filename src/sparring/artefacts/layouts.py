"""Packed layouts: class ids `[N,H,W]` or RGB `[N,H,W,3]` in HDF5, with who they are."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import h5py
import numpy as np

from ..errors import UserError
from . import hdf5
from .class_roles import Roles
from .conditions import COLUMN, condition_names, numbered

SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class LayoutRow:
    """One layout: its id, the original it is (a copy of), its group and split."""

    sample_id: str
    original_id: str
    group: str
    split: str
    is_augmented: bool
    condition: str = ""
    """What class-conditional models are told; empty where the dataset names no condition."""


def conditions_of_rows(rows: Sequence[LayoutRow], source: str) -> list[str]:
    """The conditions that rows have; refused by `condition_names` if they cannot serve."""
    return condition_names([row.condition for row in rows], [row.split for row in rows], source)


@contextmanager
def writing_layouts(path: Path, classes: list[dict] | None) -> Iterator["LayoutsWriter"]:
    """Write a layouts file; it appears under its name when the block succeeds."""
    attributes = (
        {"kind": "layouts", "classes": json.dumps(classes)} if classes else {"kind": "layouts"}
    )
    with hdf5.writing(path, attributes) as file:
        writer = LayoutsWriter(file, path)
        yield writer
        writer.finish()


class LayoutsWriter:
    """Appends layouts one by one; made by `writing_layouts`."""

    def __init__(self, file: h5py.File, path: Path) -> None:
        self._file = file
        self._path = path
        self._rows: list[LayoutRow] = []
        self._dataset: h5py.Dataset | None = None

    def append(self, layout: np.ndarray, row: LayoutRow) -> None:
        """Add uint8 class ids `[H,W]` or RGB `[H,W,3]`."""
        if self._dataset is None:
            self._dataset = hdf5.growing(self._file, "layouts", layout.shape, np.uint8)
        hdf5.append(self._file, self._dataset, layout[None])
        self._rows.append(row)

    def finish(self) -> None:
        """Write the columns."""
        for name in ("sample_id", "original_id", "group", "split"):
            hdf5.write_strings(self._file, name, [getattr(row, name) for row in self._rows])
        flags = np.array([row.is_augmented for row in self._rows], dtype=bool)
        self._file.create_dataset("is_augmented", data=flags)
        if conditions_of_rows(self._rows, str(self._path)):
            hdf5.write_strings(self._file, COLUMN, [row.condition for row in self._rows])


class Layouts:
    """A packed dataset. Small ones are held in memory, large ones read row by row."""

    memory_limit = 256 * 1024**2

    def __init__(self, path: Path) -> None:
        self.path = path
        with hdf5.reading(path, "layouts") as file:
            self.shape: tuple[int, ...] = file["layouts"].shape
            self.classes: list[dict] | None = json.loads(
                hdf5.attributes(file).get("classes", "null")
            )
            self.sample_id = hdf5.read_strings(file, "sample_id")
            self.original_id = hdf5.read_strings(file, "original_id")
            splits = hdf5.read_strings(file, "split")
            self.is_augmented: np.ndarray = file["is_augmented"][:]
            conditions = hdf5.read_strings(file, COLUMN) if COLUMN in file else []
        self.split = np.array(splits, dtype=object)
        self.conditions = condition_names(conditions, splits[: len(conditions)], str(path))
        """Their names; [] where the dataset names none."""
        self.condition = numbered(conditions, self.conditions)
        """The number of each row's condition among them, `[N]`, or `[0]`."""

    @property
    def side(self) -> int:
        """Pixels along a side."""
        return self.shape[1]

    @property
    def num_classes(self) -> int:
        """Class ids run from 0 to this minus one; 0 where the dataset names no classes."""
        return 1 + max(entry["id"] for entry in self.classes) if self.classes else 0

    @cached_property
    def palette(self) -> np.ndarray:
        """RGB of each class id, uint8 `[K,3]`; ids without a class are black."""
        palette = np.zeros((self.num_classes, 3), dtype=np.uint8)
        for entry in self.classes or []:
            palette[entry["id"]] = entry["rgb"]
        return palette

    @cached_property
    def roles(self) -> Roles | None:
        """Which classes are walls, doors and outside; None where the dataset names no classes."""
        return Roles.of(self.classes) if self.classes else None

    def rows(self, split: str) -> np.ndarray:
        """Row numbers of a split; refuses an empty one."""
        rows = np.flatnonzero(self.split == split)
        if len(rows) == 0:
            raise UserError(f"{self.path}: split {split!r} has no rows; add some to the manifest")
        return rows

    def originals(self, split: str) -> np.ndarray:
        """Row numbers of a split without augmented copies."""
        rows = self.rows(split)
        return rows[~self.is_augmented[rows]]

    def read(self, rows: np.ndarray) -> np.ndarray:
        """Class ids `[B,H,W]` or RGB `[B,H,W,3]`, uint8."""
        if self._in_memory is not None:
            return self._in_memory[rows]
        with hdf5.reading(self.path, "layouts") as file:
            return np.stack([file["layouts"][row] for row in rows])

    def rgb(self, layouts: np.ndarray) -> np.ndarray:
        """RGB `[B,H,W,3]` uint8 of what `read` gave."""
        return self.palette[layouts] if self.classes else layouts

    @cached_property
    def _in_memory(self) -> np.ndarray | None:
        if int(np.prod(self.shape)) > self.memory_limit:
            return None
        with hdf5.reading(self.path, "layouts") as file:
            return file["layouts"][:]
