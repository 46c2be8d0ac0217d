"""Datasets of CT volumes: a manifest of NIfTI files, or procedural phantoms."""

import csv
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from .base import Settings
from .splits import SplitFractions

_ENDS = {"L": 0, "R": 0, "P": 1, "A": 1, "I": 2, "S": 2}


class HUWindow(Settings):
    """What both forms share: how Hounsfield units become numbers in [-1, 1]."""

    hu_window: tuple[float, float] = (-1000.0, 1000.0)
    """From and to in HU, mapped to -1 and 1; what lies outside is clipped. Fixed, never measured
    per volume, so that it can be inverted and figures of different volumes be compared."""

    @model_validator(mode="after")
    def _window_is_a_range(self) -> "HUWindow":
        low, high = self.hu_window
        if not -(2**15) <= low < high < 2**15:
            raise ValueError(
                f"hu_window is [{low:g}, {high:g}], expected -32768 <= from < to <= 32767"
            )
        return self


class VolumeGrid(Settings):
    """Which way the axes run, and how far voxels lie apart."""

    orientation: str = Field("RAS", pattern="^[LRPAIS]{3}$")
    """Axis directions that volumes are turned to: R or L, A or P, S or I, in any order."""
    spacing: tuple[float, float, float] | None = None
    """Millimetres per voxel along the three axes to resample to; by default as it is."""

    @model_validator(mode="after")
    def _axes_differ(self) -> "VolumeGrid":
        if {_ENDS[end] for end in self.orientation} != {0, 1, 2}:
            raise ValueError(
                f"orientation is {self.orientation!r}, expected one of R or L, one of A or P and "
                "one of S or I, such as RAS"
            )
        if self.spacing is not None and min(self.spacing) <= 0:
            raise ValueError(f"spacing is {list(self.spacing)}, expected millimetres above 0")
        return self


class WindowSettings(Settings):
    """How a whole volume goes through a network that takes windows."""

    window: int = Field(128, ge=8)
    """Voxels along a window's side; the model's downsampling divides it."""
    overlap: float = Field(0.25, ge=0, lt=0.95)
    """Share of the window that it has in common with the next, over which one fades into the
    other; 0 lays them side by side, with seams."""
    batch_size: int = Field(1, ge=1)
    """Windows at once; does not change the result but for rounding."""


class VolumeDataset(VolumeGrid, HUWindow):
    """CT volumes in NIfTI files named by a CSV file."""

    kind: Literal["nifti"]
    """Selects this form."""
    manifest: Path
    """CSV with `volume_path` and `patient_id`; optional `sample_id`, `split`, `slab`. Paths are
    relative to the manifest."""
    volume_column: str = "volume_path"
    """The column that names the files."""
    split_column: str = "split"
    """The column that says train, val or test; without it patients are drawn."""
    split_by: Literal["patient", "slab"] = "patient"
    """`slab` lets one patient stand in several splits, for a handful of volumes: rows are parts of
    volumes, given in column `slab` as slices from:to along the third axis. Held-out slabs of
    volumes that also train are easier than new patients; reports say so."""
    squeeze: bool = False
    """Drop axes of length 1 from volumes of more than three dimensions, instead of refusing."""
    pad: bool = False
    """Surround volumes smaller than a patch with air, instead of refusing."""
    split: SplitFractions = SplitFractions()
    """Shares of the patients, used when the manifest has no split column."""
    split_seed: int = 42
    """Draws the patients of each split when the manifest has no split column, and those of
    `max_patients`."""
    max_patients: int | None = Field(None, ge=1)
    """Train on so many patients only, to try things out. Validation and test stay whole, so that
    figures compare; a greater number takes the same patients and more."""

    def files(self) -> list[Path]:
        """The manifest and the volumes that it names, as far as they are there.

        Reading them all to tell whether one has changed is little beside unpacking them.
        """
        if not self.manifest.is_file():
            return []
        try:
            with open(self.manifest, newline="", encoding="utf-8-sig") as file:
                named = [row.get(self.volume_column) for row in csv.DictReader(file)]
        except (OSError, UnicodeDecodeError, csv.Error):
            named = []
        paths = dict.fromkeys(self.manifest.parent / name for name in named if name)
        return [self.manifest, *(path for path in paths if path.is_file())]


class PhantomDataset(HUWindow):
    """Chest phantoms from the built-in generator: body, lungs, bones, vessels, in HU."""

    kind: Literal["phantoms"]
    """Selects this form."""
    num_volumes: int = Field(12, ge=3)
    """How many to draw; each is a patient of its own."""
    size: int = Field(64, ge=32, le=256, multiple_of=8)
    """Voxels along a side."""
    seed: int = 42
    """The generator's seed."""
    split: SplitFractions = SplitFractions()
    """Shares of the volumes."""

    def files(self) -> list[Path]:
        """None: everything follows from the seed."""
        return []


AnyVolumes = VolumeDataset | PhantomDataset
VolumeSettings = Annotated[AnyVolumes, Field(discriminator="kind")]
