"""What the jobs of a VQ-GAN are told."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from .stage_settings import StageSettings
from .volumes import WindowSettings
from .vqgan import VqganAdversarial, VqganLosses, VqganModel, VqganTraining


class TrainVqgan(StageSettings):
    """What both phases have."""

    seed: int
    """Every random number of the stage follows from it."""
    steps: int = Field(10_000, ge=0)
    """Steps of this phase, a multiple of `training.eval_interval`."""
    total_steps: int | None = None
    """Steps of both phases, which a cosine schedule runs over; by default those up to the end of
    this one."""
    spacing: tuple[float, float, float] | None = None
    """Millimetres per voxel that the dataset was resampled to; written beside the model."""
    pad: bool = False
    """Surround volumes smaller than a patch with air."""
    training: VqganTraining = VqganTraining()
    losses: VqganLosses = VqganLosses()

    def files(self) -> list[Path]:
        """Weights of the perceptual features."""
        return self.losses.files()


class TrainVqganReconstruction(TrainVqgan):
    """Phase one."""

    stage = "train_vqgan_reconstruction"
    model: VqganModel = VqganModel()
    """The network, unless a start is given."""


class TrainVqganAdversarial(TrainVqgan):
    """Phase two, or its control."""

    stage = "train_vqgan_adversarial"
    steps: int = Field(20_000, ge=0)
    """Steps of this phase, a multiple of `training.eval_interval`."""
    first_step: int = Field(10_000, ge=0)
    """Steps of phase one."""
    adversarial: VqganAdversarial | None = VqganAdversarial()
    """The discriminators; none in the control."""


class ReconstructVolumes(StageSettings):
    """All held-out volumes through a model."""

    stage = "reconstruct_volumes"
    split: Literal["val", "test"] = "test"
    """Which volumes."""
    inference: WindowSettings = WindowSettings()
    """How windows are laid over a volume."""


class EvaluateVqgan(StageSettings):
    """Reconstructed volumes against the originals, and how codes are used."""

    stage = "evaluate_vqgan"
    patch_size: int = Field(128, ge=4)
    """Side of the patches of the validation split whose codes are counted."""


class EncodeVolumes(StageSettings):
    """Patches of all volumes as standardised latents and codes."""

    stage = "encode_volumes"
    patch_size: int = Field(128, ge=4)
    """Side of the patches."""
    batch_size: int = Field(1, ge=1)
    """Patches encoded at once."""


class SummariseVolumes(StageSettings):
    """The figures of all phases in one table, and a picture of them."""

    stage = "summarise_volumes"
