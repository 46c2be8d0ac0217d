"""Opening and writing HDF5 files with clear errors."""

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
    with file:
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
        try:
            yield file
        except OSError as error:
            raise UserError(
                f"{path}: damaged HDF5 file ({error}); delete it and run snakemake again"
            ) from error


@contextmanager
def writing(path: Path, attributes: dict[str, Any]) -> Iterator[h5py.File]:
    """A new file with attributes, renamed to `path` when the block succeeds.

    HDF5's own time stamps stay off: the same inputs give the same bytes.
    """
    with replacing(path) as aside, h5py.File(aside, "w", libver="v110") as file:
        file.attrs["format_version"] = FORMAT_VERSION
        for key, value in sorted(attributes.items()):
            file.attrs[key] = value
        yield file


def growing(file: h5py.File, name: str, shape: tuple[int, ...], dtype: Any) -> h5py.Dataset:
    """A dataset of rows of `shape`, empty, chunked by row."""
    return file.create_dataset(
        name, shape=(0, *shape), maxshape=(None, *shape), chunks=(1, *shape), dtype=dtype
    )


def append(dataset: h5py.Dataset, rows: np.ndarray) -> None:
    """Add rows at the end."""
    start = dataset.shape[0]
    dataset.resize(start + len(rows), axis=0)
    dataset[start:] = rows


def write_strings(file: h5py.File, name: str, values: list[str]) -> None:
    """A column of UTF-8 text, of fixed width so that equal columns are equal bytes."""
    encoded = [value.encode() for value in values]
    width = max((len(value) for value in encoded), default=1) or 1
    file.create_dataset(name, data=np.array(encoded, dtype=f"S{width}"))


def read_strings(file: h5py.File, name: str) -> list[str]:
    """What `write_strings` wrote."""
    return [value.decode() for value in file[name][:]]
