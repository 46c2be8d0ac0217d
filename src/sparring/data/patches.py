"""Cubic patches of packed volumes: random ones to train on, a grid of them to validate on."""

from collections.abc import Iterator, Sequence
from itertools import product

import numpy as np
import torch
from torch import Tensor

from ..artefacts.volumes import Box, Volumes, normalise
from ..errors import UserError
from ..randomness import Key, numpy_generator


class PatchSampler:
    """Random patches of one split, each keyed by its number.

    A volume is drawn in proportion to its voxels, then a place in it uniformly. Patch n of a step
    follows from (seed, key, step, n) alone: batches, processes and resuming do not change it.
    Volumes smaller than the patch are surrounded by air (the window's lower end) where `pad`.
    """

    def __init__(
        self, volumes: Volumes, split: str, size: int, seed: int, key: Key, pad: bool = False
    ) -> None:
        """`size` is the patch's side in voxels; raises UserError for volumes smaller than that."""
        self.rows = volumes.rows(split)
        if not pad:
            require_size(volumes, self.rows, size)
        self._volumes, self._size, self._seed, self._key = volumes, size, seed, key
        voxels = np.array([np.prod(volumes.shapes[row]) for row in self.rows], dtype=float)
        self._ends = np.cumsum(voxels / voxels.sum())

    def patches(self, step: Key, numbers: Sequence[int]) -> Tensor:
        """float32 `[B,1,p,p,p]` in [-1, 1], patch b keyed by the step (or epoch) and numbers[b]."""
        drawn = [self._patch(*self.place(step, number)) for number in numbers]
        return torch.from_numpy(np.stack(drawn)[:, None])

    def place(self, step: Key, number: int) -> tuple[int, tuple[int, ...]]:
        """Row and corner, in voxels, of one patch."""
        draw = numpy_generator(self._seed, self._key, step, number)
        index = int(np.searchsorted(self._ends, draw.random(), side="right"))
        row = int(self.rows[min(index, len(self.rows) - 1)])
        free = [max(0, side - self._size) + 1 for side in self._volumes.shapes[row]]
        return row, tuple(int(draw.integers(count)) for count in free)

    def _patch(self, row: int, corner: Sequence[int]) -> np.ndarray:
        return read_patch(self._volumes, row, corner, self._size)


def grid_patches(
    volumes: Volumes, rows: Sequence[int] | np.ndarray, size: int, limit: int | None = None
) -> Iterator[Tensor]:
    """Patches float32 `[1,1,p,p,p]` side by side that cover the volumes once, to validate on.

    What is left over at the far ends of a volume is not covered; a volume smaller than the patch
    gives one patch along that axis, surrounded by air. Of more than `limit`, those evenly spaced.
    """
    places = grid_places(volumes, rows, size)
    if limit is not None and len(places) > limit:
        places = [places[(2 * n + 1) * len(places) // (2 * limit)] for n in range(limit)]
    for row, corner in places:
        yield torch.from_numpy(read_patch(volumes, row, corner, size)[None, None])


def grid_places(
    volumes: Volumes, rows: Sequence[int] | np.ndarray, size: int
) -> list[tuple[int, tuple[int, ...]]]:
    """Row and corner of every patch of `grid_patches`, centred along every axis."""
    places = []
    for row in map(int, rows):
        starts = []
        for side in volumes.shapes[row]:
            count = max(1, side // size)
            first = max(0, side - count * size) // 2
            starts.append([first + n * size for n in range(count)])
        places += [(row, corner) for corner in product(*starts)]
    return places


def read_patch(volumes: Volumes, row: int, corner: Sequence[int], size: int) -> np.ndarray:
    """float32 `[p,p,p]` in [-1, 1] from a corner on; air where the volume is too small."""
    shape = volumes.shapes[row]
    box: Box = tuple(  # type: ignore[assignment]
        slice(start, min(start + size, side)) for start, side in zip(corner, shape, strict=True)
    )
    patch = normalise(volumes.read(row, box), volumes.hu_window)
    missing = [size - side for side in patch.shape]
    if not any(missing):
        return patch
    around = [(m // 2, m - m // 2) for m in missing]
    return np.pad(patch, around, constant_values=-1.0)


def require_size(volumes: Volumes, rows: Sequence[int] | np.ndarray, size: int) -> None:
    """Refuse volumes smaller than a patch along some axis."""
    for row in map(int, rows):
        shape = volumes.shapes[row]
        if min(shape) < size:
            raise UserError(
                f"{volumes.path}: {volumes.sample_id[row]} is "
                f"{' x '.join(map(str, shape))} voxels, smaller than the patch of {size}; set "
                f"pad: true in the dataset to surround it with air, or patches of at most "
                f"{min(shape)}"
            )
