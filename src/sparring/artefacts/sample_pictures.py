"""Small pictures of an experiment's samples and of the training reals nearest to them."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from . import hdf5

HELD_OUT = "held-out reals"
"""The name of the reals among `SamplePictures.names`."""


@dataclass(frozen=True)
class SamplePictures:
    """N pictures per model, the same noise in the same place; uint8 RGB."""

    names: tuple[str, ...]
    """`HELD_OUT`, then the models."""
    pictures: np.ndarray
    """`[R,N,H,W,3]`, one row per name."""
    reconstructions: np.ndarray
    """`[N,H,W,3]`: the held-out reals through the autoencoder."""
    training: np.ndarray
    """`[T,H,W,3]`: every training layout that is nearest to something here."""
    training_id: tuple[str, ...]
    """What the dataset calls them."""
    nearest: np.ndarray
    """int64 `[R,N,K]`, into `training`, nearest first."""
    distance: np.ndarray
    """float32 `[R,N,K]`: root mean square between standardised latents."""


def write_pictures(path: Path, shown: SamplePictures) -> None:
    """Write the file, aside first."""
    with hdf5.writing(path, {"kind": "sample_pictures"}) as file:
        for name in ("pictures", "reconstructions", "training"):
            images = getattr(shown, name)
            chunks = (*(1,) * (images.ndim - 3), *images.shape[-3:])
            file.create_dataset(name, data=images, chunks=chunks, compression="gzip")
            file.require_written()
        for name in ("nearest", "distance"):
            file.create_dataset(name, data=getattr(shown, name))
        hdf5.write_strings(file, "names", list(shown.names))
        hdf5.write_strings(file, "training_id", list(shown.training_id))


def read_pictures(path: Path) -> SamplePictures:
    """What `write_pictures` wrote; UserError where it is damaged or another kind of file."""
    with hdf5.reading(path, "pictures") as file:
        arrays = ("pictures", "reconstructions", "training", "nearest", "distance")
        return SamplePictures(
            names=tuple(hdf5.read_strings(file, "names")),
            training_id=tuple(hdf5.read_strings(file, "training_id")),
            **{name: file[name][:] for name in arrays},
        )
