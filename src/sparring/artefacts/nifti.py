"""NIfTI files: headers alone, HU slice by slice, and volumes written back on the original grid.

nibabel, the reader under MONAI's, comes with the extra `volumes`; it is imported when first needed.
"""

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import UserError
from .atomic import replacing
from .volumes import spacing_of

_BLOCK_BYTES = 16 * 1024**2
_INT16 = np.iinfo(np.int16)
_UNREADABLE = (OSError, EOFError, ValueError, zlib.error)


@dataclass(frozen=True)
class Nifti:
    """A NIfTI file whose header was found sound: three axes, none empty, a regular affine."""

    path: Path
    image: Any
    """nibabel's image; its voxels are not loaded."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """Voxels along the three axes as they lie in the file."""
        return tuple(self.image.shape[axis] for axis in self._axes)

    @property
    def affine(self) -> np.ndarray:
        """Voxel indices to millimetres, float64 `[4,4]`."""
        return np.asarray(self.image.affine, dtype=np.float64)

    @property
    def dtype(self) -> np.dtype:
        """Of the stored numbers, before slope and intercept."""
        return np.dtype(self.image.header.get_data_dtype())

    def turned(self, orientation: str) -> "Turned":
        """The grid with axes in the directions of `orientation`, such as RAS."""
        return Turned(self, orientation)

    @cached_property
    def _axes(self) -> tuple[int, ...]:
        """The file's three axes among those of length 1."""
        shape = self.image.shape
        extra = len(shape) - 3
        dropped = [axis for axis in reversed(range(len(shape))) if shape[axis] == 1][:extra]
        return tuple(axis for axis in range(len(shape)) if axis not in dropped)

    def blocks(self) -> Iterator[tuple[slice, np.ndarray]]:
        """Voxel values, slope and intercept applied, some slices of the third axis at a time.

        Reads the file once from front to end: memory does not grow with it, and a damaged gzip
        file fails its checksum. Raises UserError for a truncated or damaged file.
        """
        proxy, shape = self.image.dataobj, self.shape
        slice_bytes = shape[0] * shape[1] * proxy.dtype.itemsize
        step = max(1, _BLOCK_BYTES // slice_bytes)
        opened = gzip.open if self.path.name.endswith(".gz") else open
        try:
            with opened(self.path, "rb") as file:
                file.seek(proxy.offset)
                for start in range(0, shape[2], step):
                    stop = min(start + step, shape[2])
                    data = file.read((stop - start) * slice_bytes)
                    if len(data) < (stop - start) * slice_bytes:
                        raise EOFError(f"it ends within slice {start + len(data) // slice_bytes}")
                    stored = np.frombuffer(data, proxy.dtype)
                    stored = stored.reshape((*shape[:2], stop - start), order="F")
                    yield slice(start, stop), self._scaled(stored)
                while file.read(_BLOCK_BYTES):  # to the end, where gzip keeps its checksum
                    pass
        except _UNREADABLE as error:
            raise UserError(
                f"{self.path}: truncated or damaged ({error}), expected {shape[2]} slices; copy it "
                "anew from where it came"
            ) from error

    def _scaled(self, stored: np.ndarray) -> np.ndarray:
        slope, inter = float(self.image.dataobj.slope), float(self.image.dataobj.inter)
        return stored if (slope, inter) == (1.0, 0.0) else stored * slope + inter


@dataclass(frozen=True)
class Turned:
    """A NIfTI file's grid with its axes permuted and flipped to an orientation."""

    nifti: Nifti
    orientation: str

    @cached_property
    def _transform(self) -> np.ndarray:
        """nibabel's orientation transform from the file's axes to these."""
        o = nibabel().orientations
        return o.ornt_transform(
            o.io_orientation(self.nifti.affine), o.axcodes2ornt(tuple(self.orientation))
        )

    @property
    def shape(self) -> tuple[int, int, int]:
        """Voxels along the turned axes."""
        shape = [0, 0, 0]
        for axis, target in enumerate(self._transform[:, 0].astype(int)):
            shape[target] = self.nifti.shape[axis]
        return shape[0], shape[1], shape[2]

    @property
    def affine(self) -> np.ndarray:
        """Turned voxel indices to millimetres, `[4,4]`."""
        inverse = nibabel().orientations.inv_ornt_aff(self._transform, self.nifti.shape)
        return self.nifti.affine @ inverse

    @property
    def spacing(self) -> np.ndarray:
        """Millimetres per voxel along the turned axes, `[3]`."""
        return spacing_of(self.affine)

    def apply(self, volume: np.ndarray) -> np.ndarray:
        """A volume on the file's grid as a view on the turned one."""
        return nibabel().orientations.apply_orientation(volume, self._transform)

    def undo(self, volume: np.ndarray) -> np.ndarray:
        """A volume on the turned grid as a view on the file's one."""
        back = np.empty_like(self._transform)
        for axis, (target, flip) in enumerate(self._transform):
            back[int(target)] = axis, flip
        return nibabel().orientations.apply_orientation(volume, back)


def nibabel() -> Any:
    """The package, or how to get it."""
    try:
        import nibabel
    except ImportError as error:
        raise UserError(
            "volumes in NIfTI need the package nibabel, which is not installed; run pip install "
            "-e '.[volumes]' where Sparring's pyproject.toml lies"
        ) from error
    return nibabel


def open_nifti(path: Path, squeeze: bool = False) -> Nifti:
    """Read and check a header; no voxels.

    Raises UserError for a missing file, one that is no NIfTI, other than three dimensions (axes of
    length 1 are dropped with `squeeze`), an empty axis, no affine or a singular one.
    """
    if not path.is_file():
        raise UserError(f"{path}: volume is missing; manifests name volumes relative to themselves")
    nib = nibabel()
    try:
        image = nib.load(path)
    except (
        *_UNREADABLE,
        nib.filebasedimages.ImageFileError,
        nib.spatialimages.HeaderDataError,
    ) as e:
        raise UserError(f"{path}: not a readable NIfTI file ({e}); copy it anew") from e
    if not isinstance(image, nib.Nifti1Image):
        raise UserError(f"{path}: found {type(image).__name__}, expected a NIfTI file")
    _require_three_axes(path, image.shape, squeeze)
    _require_affine(path, image)
    if np.dtype(image.header.get_data_dtype()).kind not in "iuf":
        raise UserError(
            f"{path}: holds {image.header.get_data_dtype()}, expected whole or real numbers in HU"
        )
    return Nifti(path, image)


def read_hu(nifti: Nifti) -> np.ndarray:
    """The voxels as int16 HU on the file's grid; refuses what cannot be HU of a CT volume."""
    volume = np.empty(nifti.shape, dtype=np.int16, order="F")
    bad, low, high = 0, np.inf, -np.inf
    for where, block in nifti.blocks():
        if block.dtype.kind == "f":
            finite = np.isfinite(block)
            bad += int((~finite).sum())
            block = np.rint(block, where=finite, out=np.zeros_like(block))
        low, high = min(low, block.min()), max(high, block.max())
        volume[:, :, where] = np.clip(block, _INT16.min, _INT16.max)
    path = nifti.path
    if bad:
        raise UserError(
            f"{path}: {bad} of {volume.size} voxels are NaN or infinite, expected finite HU; "
            "replace them, for example by -1000 (air)"
        )
    if low == high:
        raise UserError(f"{path}: every voxel is {low:g} HU, expected an image; leave it out")
    if low >= 0:
        raise UserError(
            f"{path}: lowest value is {low:g}, expected HU with air near -1000; the rescale "
            "intercept seems to be missing: subtract it (often 1024) or set scl_inter"
        )
    if low < _INT16.min or high > _INT16.max:
        raise UserError(
            f"{path}: values from {low:g} to {high:g}, expected HU within {_INT16.min} to "
            f"{_INT16.max}; check scl_slope and scl_inter"
        )
    return volume


def write_like(nifti: Nifti, hu: np.ndarray, path: Path) -> None:
    """Write HU on the file's grid with its affine, header and dtype; the same input, same bytes.

    The stored numbers are the HU less intercept over slope, rounded where the dtype is whole.
    """
    nib = nibabel()
    slope, inter = float(nifti.image.dataobj.slope), float(nifti.image.dataobj.inter)
    data = _stored(hu, slope, inter, nifti.dtype).reshape(nifti.image.shape)
    image = type(nifti.image)(data, nifti.image.affine, nifti.image.header)
    image.header.set_slope_inter(slope, inter)
    with replacing(path) as aside, _stream(aside, path) as stream:
        image.to_file_map({"image": nib.FileHolder(fileobj=stream)})


def _stored(hu: np.ndarray, slope: float, inter: float, dtype: np.dtype) -> np.ndarray:
    """What stands for HU in a file, slice by slice: no second copy in floating point."""
    if (slope, inter, hu.dtype) == (1.0, 0.0, dtype):
        return hu
    stored = np.empty(hu.shape, dtype=dtype, order="F")
    for n in range(hu.shape[2]):
        values = (hu[:, :, n].astype(np.float64) - inter) / slope
        if dtype.kind in "iu":
            limits = np.iinfo(dtype)
            values = np.clip(np.rint(values), limits.min, limits.max)
        stored[:, :, n] = values
    return stored


@contextmanager
def _stream(aside: Path, path: Path) -> Iterator[Any]:
    """A file to write to, compressed where its final name says so, without a time stamp."""
    with open(aside, "wb") as file:
        if not path.name.endswith(".gz"):
            yield file
            return
        with gzip.GzipFile("", "wb", compresslevel=4, fileobj=file, mtime=0) as packed:
            yield packed


def _require_three_axes(path: Path, shape: tuple[int, ...], squeeze: bool) -> None:
    found = " x ".join(map(str, shape))
    if 0 in shape:
        raise UserError(f"{path}: shape is {found}, expected no axis of length 0; copy it anew")
    longer = [side for side in shape if side > 1]
    if len(shape) == 3:
        return
    if len(shape) < 3 or len(longer) > 3:
        raise UserError(f"{path}: shape is {found}, expected a volume of three dimensions")
    if not squeeze:
        raise UserError(
            f"{path}: shape is {found}, expected three dimensions; set squeeze: true to drop axes "
            "of length 1"
        )


def _require_affine(path: Path, image: Any) -> None:
    if int(image.header["sform_code"]) == 0 and int(image.header["qform_code"]) == 0:
        raise UserError(
            f"{path}: has no affine (sform_code and qform_code are 0), so left and right are "
            "unknown; convert it again from DICOM, or set one"
        )
    axes = np.asarray(image.affine, dtype=float)[:3, :3]
    if not np.isfinite(axes).all() or abs(np.linalg.det(axes)) < 1e-9:
        rows = "; ".join(" ".join(f"{v:g}" for v in row) for row in axes)
        raise UserError(
            f"{path}: affine is singular ({rows}), expected three independent axes; convert it "
            "again from DICOM"
        )


def write_new(hu: np.ndarray, affine: np.ndarray, path: Path) -> None:
    """Write int16 HU `[D,H,W]` with an affine `[4,4]`, as a volume of its own."""
    nib = nibabel()
    image = nib.Nifti1Image(hu.astype(np.int16, copy=False), affine)
    image.header.set_xyzt_units("mm")
    with replacing(path) as aside, _stream(aside, path) as stream:
        image.to_file_map({"image": nib.FileHolder(fileobj=stream)})
