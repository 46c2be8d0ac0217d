"""Statistics of decoded layouts or volumes: by whose they are, a column per name and a row each."""

from pathlib import Path

import h5py
import numpy as np

from . import hdf5

Columns = dict[str, np.ndarray]

MAPS = "maps"
"""The column of the layouts themselves: uint8 class ids `[N,H,W]`, or RGB `[N,H,W,3]`."""
_CHUNK = 64  # rows


def write_statistics(path: Path, statistics: dict[str, Columns]) -> None:
    """Columns by whose they are: `samples`, of the null also `held_out` and `decoded_reals`.

    Numbers become float32 or int64, text stays text; maps are compressed.
    """
    with hdf5.writing(path, {"kind": "decoded_statistics"}) as file:
        for whose, columns in statistics.items():
            for name, values in columns.items():
                _write(file, f"{whose}/{name}", values)


def read_statistics(path: Path, whose: str) -> Columns:
    """What `write_statistics` wrote of someone, without the maps; text as `str` objects."""
    with hdf5.reading(path, whose) as file:
        return {name: _read(file[whose], name) for name in file[whose] if name != MAPS}


def read_maps(path: Path, whose: str) -> np.ndarray:
    """The layouts of someone, uint8 `[N,H,W]` or `[N,H,W,3]`."""
    with hdf5.reading(path, f"{whose}/{MAPS}") as file:
        return file[whose][MAPS][:]


def _write(file: h5py.File, name: str, values: np.ndarray) -> None:
    if name.endswith(f"/{MAPS}"):
        chunks = (min(len(values), _CHUNK), *values.shape[1:])
        file.create_dataset(
            name, data=values, dtype=np.uint8, chunks=chunks, compression="gzip", shuffle=True
        )
    elif values.dtype.kind in "OU":
        hdf5.write_strings(file, name, [str(value) for value in values])
    else:
        dtype = np.float32 if values.dtype.kind == "f" else np.int64
        file.create_dataset(name, data=values.astype(dtype))


def _read(group: h5py.Group, name: str) -> np.ndarray:
    if group[name].dtype.kind == "S":
        return np.array(hdf5.read_strings(group, name), dtype=object)
    return group[name][:]
