"""What stages are told that no experiment plans: their programs are run by hand."""

from pydantic import Field

from .dataset import LayoutSettings
from .parts import SamplingSettings
from .stage_settings import StageSettings


class BuildDiscriminatorDataset(StageSettings):
    """Reals of a dataset and as many fakes, with their labels."""

    stage = "build_discriminator_dataset"
    elsewhere = ("sampling.shards",)
    dataset: LayoutSettings
    seed: int = 42
    """Draws the reals and the noise of the fakes."""
    iteration: int = 0
    """The round, from 0; each draws anew."""
    num_samples: int | None = Field(None, ge=1)
    """Reals to draw, and fakes; by default all training originals."""
    allow_fewer_reals: bool = False
    """Take all there are where there are fewer."""
    sampling: SamplingSettings = SamplingSettings()


class Sample(StageSettings):
    """Samples of a denoiser as latents and pictures."""

    stage = "sample"
    elsewhere = ("sampling.shards",)
    seed: int = 42
    """Every random number of the stage follows from it."""
    num_samples: int = Field(64, ge=1)
    """Samples."""
    sampling: SamplingSettings = SamplingSettings()
    condition: str | None = None
    """Of class-conditional denoisers: the condition of all samples, by name. Default: as often as
    the training data has them."""
    grid: int = Field(64, ge=1)
    """Samples in grid.png."""


class Decode(StageSettings):
    """Latents as pictures."""

    stage = "decode"
    num_samples: int | None = Field(None, ge=1)
    """The first so many; by default all."""
    batch_size: int = Field(32, ge=1)
    """Latents decoded at once."""
    grid: int = Field(64, ge=1)
    """Samples in grid.png."""
