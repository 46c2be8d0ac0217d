"""Opening and writing HDF5 files with clear errors."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from ..errors import UserError
from .atomic import replacing

FORMAT_VERSION = 1


@contextmanager
def reading(path: Path, dataset: str) -> Iterator[h5py.File]:
    """An open file that holds `dataset` and was written in this format."""
    if not path.is_file():
        raise UserError(f"{path}: missing; run the stage that writes it")
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise UserError(
            f"{path}: not a readable HDF5 file ({error}); delete it and run snakemake again"
        ) from error
    with file, _explaining_damage(path):
        if dataset not in file:
            raise UserError(
                f"{path}: holds {sorted(file)}, expected a dataset {dataset!r}; "
                "is it another kind of file?"
            )
        version = file.attrs.get("format_version")
        if version != FORMAT_VERSION:
            raise UserError(
                f"{path}: format version is {version}, expected {FORMAT_VERSION}; "
                "delete it and run snakemake again"
            )
        yield file


@contextmanager
def writing(path: Path, attributes: dict[str, Any]) -> Iterator[h5py.File]:
    """A new file with attributes, renamed to `path` when the block succeeds.

    HDF5's own time stamps stay off: the same inputs give the same bytes.
    """
    with replacing(path) as aside, _Bytes(aside) as target:
        with h5py.File(target, "w", libver="v110") as file:
            file.attrs["format_version"] = FORMAT_VERSION
            for key, value in sorted(attributes.items()):
                # Text of fixed length: HDF5 keeps other text in a heap without checksums.
                file.attrs[key] = np.bytes_(value.encode()) if isinstance(value, str) else value
            file.require_written = target.require_written
            yield file
        target.require_written()  # closing wrote the rest


def attributes(file: h5py.File) -> dict[str, Any]:
    """The attributes that `writing` wrote, text as `str`."""
    return {k: v.decode() if isinstance(v, bytes) else v for k, v in file.attrs.items()}


def growing(file: h5py.File, name: str, shape: tuple[int, ...], dtype: Any) -> h5py.Dataset:
    """A dataset of rows of `shape`, empty, chunked by row."""
    return file.create_dataset(
        name, shape=(0, *shape), maxshape=(None, *shape), chunks=(1, *shape), dtype=dtype
    )


def append(file: h5py.File, dataset: h5py.Dataset, rows: np.ndarray) -> None:
    """Add rows at the end."""
    start = dataset.shape[0]
    dataset.resize(start + len(rows), axis=0)
    dataset[start:] = rows
    file.require_written()


def write_strings(file: h5py.File, name: str, values: list[str]) -> None:
    """A column of UTF-8 text, of fixed width so that equal columns are equal bytes."""
    encoded = [value.encode() for value in values]
    width = max((len(value) for value in encoded), default=1) or 1
    file.create_dataset(name, data=np.array(encoded, dtype=f"S{width}"))


def read_strings(file: h5py.File, name: str) -> list[str]:
    """What `write_strings` wrote."""
    return [value.decode() for value in file[name][:]]


@contextmanager
def _explaining_damage(path: Path) -> Iterator[None]:
    """h5py reports damage as whatever exception suits the call that met it."""
    try:
        yield
    except (OSError, RuntimeError, KeyError, ValueError, MemoryError) as error:
        raise UserError(
            f"{path}: damaged HDF5 file ({error}); delete it and run snakemake again"
        ) from error


class _Bytes(io.FileIO):
    """The file under HDF5, which keeps the first error, as on a full disk, and drops what follows.

    Told of an error, HDF5 would write again whenever it closes something, and end with a
    segmentation fault.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path, "w+")
        self._error: OSError | None = None

    def write(self, data: Any) -> int:
        """All of it, as HDF5 expects."""
        view = memoryview(data).cast("B")
        done = 0
        try:
            while self._error is None and done < len(view):
                done += super().write(view[done:]) or 0
        except OSError as error:
            self._error = error
        return len(view)

    def truncate(self, size: int | None = None) -> int:
        """To the size that HDF5 has allocated."""
        try:
            return self.tell() if self._error else super().truncate(size)
        except OSError as error:
            self._error = error
            return self.tell()

    def require_written(self) -> None:
        """Raise what went wrong, if anything did."""
        if self._error is not None:
            raise self._error
