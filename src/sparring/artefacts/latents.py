"""Latents: `[N,C,H,W]`, of volumes `[N,C,D,H,W]`, in HDF5, streamed."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from ..errors import UserError
from . import hdf5
from .conditions import COLUMN, names_in
from .layouts import Layouts

Side = int | Sequence[int]
"""How large latents are: one number of square ones of layouts, three of volumes'."""

DTYPE = np.float16  # fakes and reals alike, so that rounding tells a discriminator nothing
_IN_CACHE = 1 << 18


class LatentsWriter:
    """Appends batches of latents; made by `writing_latents`."""

    def __init__(self, file: h5py.File, path: Path, count: int) -> None:
        self._file = file
        self._path = path
        self._count = count
        self._written = 0

    def append(self, latents: np.ndarray) -> None:
        """Add `[B,C,H,W]` float latents; NaN and values beyond half precision are refused.

        Raises ValueError where they are more than announced.
        """
        rows = storable(latents, self._path)
        if "latents" not in self._file:  # rows lie one after another and are read in one piece
            self._file.create_dataset("latents", (self._count, *rows.shape[1:]), DTYPE)
        if self._written + len(rows) > self._count:
            raise ValueError(f"{self._path}: more latents than the {self._count} announced")
        self._file["latents"][self._written : self._written + len(rows)] = rows
        self._written += len(rows)
        self._file.require_written()

    def require_all(self) -> None:
        """Raise ValueError where latents are missing."""
        if self._written != self._count:
            raise ValueError(f"{self._path}: {self._written} latents of {self._count} announced")

    def column(self, name: str, values: list[str] | np.ndarray) -> None:
        """Write one value per latent: text or numbers."""
        if isinstance(values, np.ndarray):
            self._file.create_dataset(name, data=values)
        else:
            hdf5.write_strings(self._file, name, values)

    def columns_of(self, layouts: Layouts, rows: np.ndarray) -> None:
        """Whose latents these are, as the packed layouts say it."""
        self.column("sample_id", [layouts.sample_id[r] for r in rows])
        self.column("original_id", [layouts.original_id[r] for r in rows])
        self.column("is_augmented", layouts.is_augmented[rows])
        if layouts.conditions:
            self.column(COLUMN, layouts.condition[rows])


def storable(latents: np.ndarray, path: Path) -> np.ndarray:
    """`[B,C,H,W]` in half precision, as files hold them; NaN and what overflows are refused."""
    rows = latents.astype(DTYPE)
    if not _all_finite(rows):
        bad = int((~np.isfinite(rows)).reshape(len(rows), -1).any(axis=1).sum())
        raise UserError(
            f"{path}: {bad} of {len(rows)} latents of a batch are NaN or infinite; the model that "
            "made them has diverged or its latent statistics are wrong"
        )
    return rows


@contextmanager
def writing_latents(path: Path, count: int, attributes: dict[str, Any]) -> Iterator[LatentsWriter]:
    """Write a file of `count` latents; it appears under its name when the block succeeds.

    `attributes` should say kind, autoencoder_digest, seed and whatever made the latents.
    """
    with hdf5.writing(path, attributes) as file:
        writer = LatentsWriter(file, path, count)
        yield writer
        writer.require_all()


@dataclass(frozen=True)
class LatentsInfo:
    """What a latents file says of itself."""

    path: Path
    count: int
    shape: tuple[int, ...]
    attributes: dict[str, Any]

    @property
    def autoencoder_digest(self) -> str:
        """The autoencoder whose latents these are."""
        return str(self.attributes.get("autoencoder_digest", "unknown"))

    @property
    def conditions(self) -> list[str]:
        """The names of the conditions that its rows may have; [] where they have none."""
        return names_in(self.attributes)

    @property
    def names_autoencoder(self) -> bool:
        """Whether the file says which autoencoder that is; imported ones need not."""
        return "autoencoder_digest" in self.attributes


def latents_info(path: Path) -> LatentsInfo:
    """Count, shape `[C,H,W]` and attributes, without reading the latents."""
    with hdf5.reading(path, "latents") as file:
        shape = file["latents"].shape
        return LatentsInfo(path, shape[0], tuple(shape[1:]), hdf5.attributes(file))


def read_latents(path: Path, rows: np.ndarray | None = None) -> np.ndarray:
    """`[N,C,H,W]` float16, all or the given ascending rows; NaN is refused."""
    with hdf5.reading(path, "latents") as file:
        dataset = file["latents"]
        latents = dataset[:] if rows is None else _rows(dataset, rows)
    if not _all_finite(latents):
        bad = int((~np.isfinite(latents)).reshape(len(latents), -1).any(axis=1).sum())
        raise UserError(
            f"{path}: {bad} of {len(latents)} latents hold NaN or infinity; delete the file and "
            "run snakemake again, or see the log of the stage that wrote it"
        )
    return latents


def read_column(path: Path, name: str) -> np.ndarray:
    """One value per latent; text comes as `str` objects."""
    with hdf5.reading(path, "latents") as file:
        if name not in file:
            raise UserError(f"{path}: has no column {name!r}; it holds {sorted(file)}")
        if file[name].dtype.kind == "S":
            return np.array(hdf5.read_strings(file, name), dtype=object)
        return file[name][:]


def read_conditions(info: LatentsInfo) -> np.ndarray | None:
    """The number of each latent's condition, int64 `[N]`; None where they have none."""
    return read_column(info.path, COLUMN) if info.conditions else None


def latents_columns(path: Path) -> list[str]:
    """The names of the columns beside the latents."""
    with hdf5.reading(path, "latents") as file:
        return sorted(set(file) - {"latents"})


def require_same_autoencoder(*files: LatentsInfo | tuple[Path, str]) -> None:
    """Refuse latents (or directories with their autoencoder digests) of different autoencoders."""
    named = [(f.path, f.autoencoder_digest) if isinstance(f, LatentsInfo) else f for f in files]
    first_path, first = named[0]
    for path, digest in named[1:]:
        if digest != first:
            raise UserError(
                f"{path}: latents of autoencoder {digest}, but {first_path} has autoencoder "
                f"{first}; encode and sample with one autoencoder (delete the older file and run "
                "snakemake again)"
            )


def latent_shape(channels: int, side: Side) -> tuple[int, ...]:
    """`[channels, side, side]`, or of three sides `[channels, D, H, W]`."""
    return (channels, side, side) if isinstance(side, int) else (channels, *side)


def side_of(shape: Sequence[int]) -> Side:
    """The side in a shape `[C,H,W]` or `[C,D,H,W]`."""
    return shape[-1] if len(shape) == 3 else tuple(shape[1:])


def require_shape(info: LatentsInfo, channels: int, side: Side, owner: str) -> None:
    """Refuse latents that are not of this shape, as `owner` expects."""
    expected = latent_shape(channels, side)
    if info.shape != expected:
        raise UserError(
            f"{info.path}: latents are {list(info.shape)} but {owner} expects "
            f"{list(expected)}; re-encode with its autoencoder, or start from a model "
            "made for these latents"
        )


def _all_finite(latents: np.ndarray) -> bool:
    """Of half precision by bits: NumPy would make a float32 of every number."""
    if latents.dtype != np.float16:
        return bool(np.isfinite(latents).all())
    bits = np.ascontiguousarray(latents).view(np.uint16).reshape(-1)
    parts = (bits[i : i + _IN_CACHE] for i in range(0, bits.size, _IN_CACHE))
    return all((part & 0x7FFF).max() < 0x7C00 for part in parts)


def _rows(dataset: h5py.Dataset, rows: np.ndarray) -> np.ndarray:
    out = np.empty((len(rows), *dataset.shape[1:]), dtype=dataset.dtype)
    for position, row in enumerate(rows):
        out[position] = dataset[row]
    return out
