"""What the jobs on volumes are told."""

from pathlib import Path

from pydantic import Field

from .stage_settings import StageSettings
from .volumes import HUWindow, VolumeGrid, VolumeSettings, WindowSettings


class PackVolumes(StageSettings):
    """A dataset's volumes into one HDF5 file."""

    stage = "pack_volumes"
    dataset: VolumeSettings

    def files(self) -> list[Path]:
        """The manifest and the volumes that it names."""
        return self.dataset.files()


class ReconstructVolume(StageSettings, VolumeGrid, HUWindow):
    """One NIfTI file through a VQ-GAN.

    Orientation, spacing and HU window are those that the model was trained with; where its
    config.json names them, that counts.
    """

    stage = "reconstruct"
    squeeze: bool = False
    """Drop axes of length 1 from volumes of more than three dimensions, instead of refusing."""
    inference: WindowSettings = WindowSettings()
    """How windows are laid over the volume."""


class MeasureVolumes(StageSettings):
    """A model's decoded samples as volumes."""

    stage = "measure_volumes"
    revision = 2
    seed: int
    """The draw of training volumes."""
    num_samples: int = Field(1000, ge=8)
    """At most so many samples, and held-out volumes, are decoded."""
