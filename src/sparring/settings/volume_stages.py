"""What the jobs on volumes are told."""

from pathlib import Path

from .stages import StageSettings
from .volumes import VolumeSettings


class PackVolumes(StageSettings):
    """A dataset's volumes into one HDF5 file."""

    stage = "pack_volumes"
    dataset: VolumeSettings

    def files(self) -> list[Path]:
        """The manifest and the volumes that it names."""
        return self.dataset.files()
