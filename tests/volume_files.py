"""Small CT volumes in NIfTI files, sound ones and damaged ones."""

import csv
from pathlib import Path

import numpy as np

AFFINE = np.diag([-1.5, -1.5, 2.0, 1.0]) + np.array(
    [[0, 0, 0, 70], [0, 0, 0, 90], [0] * 4, [0] * 4]
)


def ct(shape=(16, 17, 18), seed=0) -> np.ndarray:
    """int16 HU: air around soft tissue, without any symmetry."""
    noise = np.random.default_rng(seed).normal(0, 60, shape)
    line = np.ix_(*(np.linspace(-1, 1.2, side) for side in shape))
    tissue = sum(c**2 for c in line) < 0.9
    return np.rint(np.where(tissue, 50, -1000) + noise).clip(-1024, 3000).astype(np.int16)


def write_nifti(path: Path, data, affine=AFFINE, slope=None, inter=None, code=1, **_) -> Path:
    """Save an array as it is; `slope` and `inter` say how stored numbers become HU."""
    import nibabel

    image = nibabel.Nifti1Image(np.asarray(data), affine)
    image.header.set_data_dtype(np.asarray(data).dtype)
    image.set_sform(affine, code)
    image.set_qform(None if code == 0 else affine, code)
    if slope is not None:
        image.header.set_slope_inter(slope, inter)
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(image, path)
    return path


def write_manifest(path: Path, rows: list[dict[str, str]]) -> Path:
    """A manifest with the columns of the first row."""
    with open(path, "w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path
