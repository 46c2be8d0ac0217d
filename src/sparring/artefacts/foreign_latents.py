"""Latents that other programs wrote: one bare tensor, or a file per sample."""

from collections.abc import Iterator
from functools import cached_property
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..errors import UserError
from .digests import file_digest
from .latent_manifests import LatentRow, read_latent_manifest, rows_digest
from .latents import DTYPE, latents_info, read_latents
from .torch_files import read_torch

SUFFIXES = (".pt", ".pth", ".npy")
_INSTEAD = "torch.save(latents, 'latents.pt') with latents a bare tensor"


class ForeignLatents:
    """Latents `[N,C,H,W]` that are read as they are needed: memory does not grow with N."""

    def __init__(self, path: Path, rows: list[LatentRow] | None) -> None:
        """From `rows`, a file each, or where there are none from the one tensor in `path`."""
        self.path = path
        self._rows = rows
        self._whole = read_array(path) if rows is None else None
        if self._whole is not None and (self._whole.ndim != 4 or not len(self._whole)):
            raise UserError(
                f"{path}: holds a tensor {list(self._whole.shape)}, expected [N,C,H,W] with N at "
                "least 1; stack latents of one shape before saving them"
            )

    def __len__(self) -> int:
        return len(self._rows) if self._rows is not None else len(self._tensor)

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """`[C,H,W]`."""
        if self._rows is None:
            return tuple(self._tensor.shape[1:])
        return _read_row(self._rows[0]).shape

    @property
    def sample_id(self) -> list[str]:
        """Names; in one tensor the row numbers."""
        if self._rows is None:
            return [str(number) for number in range(len(self))]
        return [row.sample_id for row in self._rows]

    @property
    def original_id(self) -> list[str]:
        """Whose copies they are; in one tensor every row is an original."""
        return self.sample_id if self._rows is None else [row.original_id for row in self._rows]

    @property
    def digest(self) -> str:
        """Digest of the content of all files."""
        return file_digest(self.path) if self._rows is None else rows_digest(self._rows)

    def batches(self, size: int = 64) -> Iterator[np.ndarray]:
        """`[B,C,H,W]` float32 in order.

        Raises UserError for other shapes at once, and for NaN or infinity at the end, counted.
        """
        broken: list[int] = []
        for start in range(0, len(self), size):
            batch = self._read(range(start, min(start + size, len(self))))
            finite = np.isfinite(batch).reshape(len(batch), -1).all(axis=1)
            broken += (start + np.flatnonzero(~finite)).tolist()
            if not broken:
                yield batch
        if broken:
            raise UserError(
                f"{self.path}: {len(broken)} of {len(self)} latents hold NaN or infinity, first "
                f"{self.sample_id[broken[0]]!r}; leave them out or encode them again"
            )

    @property
    def _tensor(self) -> Tensor:
        assert self._whole is not None
        return self._whole

    def _read(self, numbers: range) -> np.ndarray:
        if self._rows is None:
            return self._tensor[numbers.start : numbers.stop].float().numpy()
        samples = []
        for row in self._rows[numbers.start : numbers.stop]:
            samples.append(_read_row(row))
            if samples[-1].shape != self.shape:
                raise UserError(
                    f"{row.file}: latents are {list(samples[-1].shape)}, but {self._rows[0].file} "
                    f"has {list(self.shape)}; all must have one shape"
                )
        return np.stack(samples)


def foreign_latents(
    path: Path, label: bool | None = None, is_viable: bool | None = None
) -> ForeignLatents:
    """A bare tensor in .pt or .npy, a folder with a file per sample, or a manifest's latents.

    Only a manifest has labels to select by.
    """
    if path.suffix == ".csv":
        return ForeignLatents(path, read_latent_manifest(path, label, is_viable))
    if label is not None or is_viable is not None:
        raise UserError(
            f"{path}: has no labels to select rows by, expected a manifest (.csv) with columns "
            "latent_path and label or is_viable"
        )
    return ForeignLatents(path, _of_folder(path) if path.is_dir() else None)


def read_sample(path: Path) -> np.ndarray:
    """One latent `[C,H,W]` float32; a leading axis of length 1 is dropped."""
    tensor = read_array(path)
    if tensor.ndim == 4 and tensor.shape[0] == 1:
        tensor = tensor[0]
    if tensor.ndim != 3:
        raise UserError(
            f"{path}: holds a tensor {list(tensor.shape)}, expected one latent [C,H,W]; save one "
            "file per sample, or name the file itself if it holds all"
        )
    return tensor.float().numpy()


def read_array(path: Path) -> Tensor:
    """The one array of floating-point numbers in a .pt, .pth or .npy file, memory-mapped."""
    if path.suffix not in SUFFIXES:
        raise UserError(
            f"{path}: ends in {path.suffix!r}, expected latents in {', '.join(SUFFIXES)}"
        )
    found = _read_npy(path) if path.suffix == ".npy" else read_torch(path, _INSTEAD)
    if isinstance(found, dict):
        raise UserError(
            f"{path}: holds a dict with {', '.join(map(repr, list(found)[:5]))}, expected a bare "
            f"tensor; save the one that is meant: {_INSTEAD}"
        )
    if not isinstance(found, Tensor) or not found.is_floating_point():
        kind = f"tensor of {found.dtype}" if isinstance(found, Tensor) else type(found).__name__
        raise UserError(
            f"{path}: holds a {kind}, expected a tensor of floating-point numbers; {_INSTEAD}"
        )
    return found.detach()


def require_storable(latents: np.ndarray, path: Path) -> None:
    """Refuse finite numbers `[B,C,H,W]` beyond half precision, in which latents are kept."""
    with np.errstate(over="ignore"):
        overflow = int((~np.isfinite(latents.astype(DTYPE))).sum())
    if overflow:
        raise UserError(
            f"{path}: {overflow} numbers of a batch go beyond half precision, up to "
            f"{np.abs(latents).max():.3g}; latents are kept standardised, so standardise them with "
            "the mean and standard deviation of their own autoencoder"
        )


def _read_row(row: LatentRow) -> np.ndarray:
    """The latent that a row names, `[C,H,W]` float32."""
    if row.row is None:
        return read_sample(row.file)
    count = latents_info(row.file).count
    if row.row >= count:
        raise UserError(
            f"{row.file}: has {count} latents, but {row.sample_id} is said to be row {row.row}; "
            "rows count from 0"
        )
    return read_latents(row.file, np.array([row.row]))[0].astype(np.float32)


def _of_folder(path: Path) -> list[LatentRow]:
    files = [file for file in path.iterdir() if file.suffix in SUFFIXES and file.is_file()]
    files.sort(key=lambda file: (file.stem, file.suffix))
    if not files:
        raise UserError(f"{path}: has no {', '.join(SUFFIXES)} files, expected one per sample")
    for before, file in pairwise(files):
        if before.stem == file.stem:
            raise UserError(f"{path}: has {before.name} and {file.name}, expected one of them")
    return [LatentRow(file.stem, file.stem, file) for file in files]


def _read_npy(path: Path) -> Tensor:
    if not path.is_file():
        raise UserError(f"{path}: missing, expected latents that numpy.save wrote")
    try:
        # Mapped copy-on-write: torch takes only arrays that it may write to.
        array = np.load(path, mmap_mode="c", allow_pickle=False)
        return torch.from_numpy(array.astype(array.dtype.newbyteorder("="), copy=False))
    except (OSError, ValueError, EOFError, TypeError) as error:
        raise UserError(
            f"{path}: not a readable array of numbers ({error}); save it with numpy.save"
        ) from error
