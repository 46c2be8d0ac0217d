"""Whole sets of latents in memory, from files of this workflow or of others."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import UserError
from .foreign_latents import SUFFIXES, ForeignLatents, foreign_latents, require_storable
from .latent_manifests import read_latent_manifest
from .latents import (
    DTYPE,
    LatentsInfo,
    latents_columns,
    latents_info,
    read_column,
    read_conditions,
    read_latents,
)


@dataclass(frozen=True)
class LatentSet:
    """Latents `[N,C,H,W]` in half precision, and whose copies they are."""

    info: LatentsInfo
    latents: np.ndarray
    original_id: np.ndarray
    """`[N]`; where nothing is said of originals, the row numbers."""
    condition: np.ndarray | None = None
    """The number of each one's condition, `[N]`; None where the file names no conditions."""


def read_latent_set(path: Path) -> LatentSet:
    """From a latents file (.h5) or a bare tensor (.pt, .pth, .npy).

    A bare tensor does not say which autoencoder it is of: its info has no digest.
    """
    if path.suffix in SUFFIXES:
        return _foreign_set(foreign_latents(path))
    info = latents_info(path)
    named = "original_id" in latents_columns(path)
    ids = read_column(path, "original_id") if named else np.arange(info.count)
    return LatentSet(info, read_latents(path), ids, read_conditions(info))


def read_labelled_sets(manifest: Path) -> tuple[LatentSet, LatentSet]:
    """Reals and fakes that a manifest names by `label`, or where it has none by `is_viable`."""
    column = "label"
    rows = read_latent_manifest(manifest)
    if all(row.label is None for row in rows):
        column = "is_viable"
    for row in rows:
        if getattr(row, column) is None:
            raise UserError(
                f"{manifest}: {row.sample_id} has an empty {column!r}, expected 1 (real) or 0 "
                "(fake); fill it or remove the row"
            )
    real, fake = (read_latent_manifest(manifest, **{column: flag}) for flag in (True, False))
    return _foreign_set(ForeignLatents(manifest, real)), _foreign_set(
        ForeignLatents(manifest, fake)
    )


def _foreign_set(found: ForeignLatents) -> LatentSet:
    batches = []
    for batch in found.batches():
        require_storable(batch, found.path)
        batches.append(batch.astype(DTYPE))
    info = LatentsInfo(found.path, len(found), found.shape, {})
    return LatentSet(info, np.concatenate(batches), np.array(found.original_id, dtype=object))
