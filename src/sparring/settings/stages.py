"""What one job is told: one model per stage."""

from pathlib import Path
from typing import ClassVar

from pydantic import Field

from .autoencoder import AutoencoderSettings
from .dataset import LayoutSettings, ManifestDataset
from .objective import GUIDED, AdversarialLoss
from .parts import (
    BetterSolver,
    DenoiserSettings,
    DiscriminatorSettings,
    EvaluationSettings,
    FinetuneSettings,
    Moments,
    NoiseScheduleSettings,
    PretrainSettings,
    SamplingSettings,
    SemanticTraining,
)
from .semantic import SemanticLoss
from .stage_settings import StageSettings


class PackLayouts(StageSettings):
    """A dataset's images into one HDF5 file."""

    stage = "pack_layouts"
    dataset: LayoutSettings

    def files(self) -> list[Path]:
        """The manifest and what lies beside it."""
        return self.dataset.files()


class TrainAutoencoder(StageSettings):
    """An autoencoder from a packed dataset."""

    stage = "train_autoencoder"
    elsewhere = ("autoencoder.dataset",)
    autoencoder: AutoencoderSettings

    def files(self) -> list[Path]:
        """The directory that training goes on from."""
        start = self.autoencoder.start_from
        return [start] if start else []


class EncodeLayouts(StageSettings):
    """Every layout of a dataset, encoded once."""

    stage = "encode_layouts"
    batch_size: int = Field(64, ge=1)
    """Layouts encoded at once."""
    dataset: ManifestDataset | None = None
    """Where latents are taken from its manifest instead."""

    def files(self) -> list[Path]:
        """The manifest that names latents; these are too many to watch."""
        return [self.dataset.manifest] if self.dataset else []


class PretrainDiffusion(StageSettings):
    """Stage 1."""

    stage = "pretrain_diffusion"
    seed: int
    """Every random number of the stage follows from it."""
    denoiser: DenoiserSettings = DenoiserSettings()
    noise_schedule: NoiseScheduleSettings = NoiseScheduleSettings()
    diffusion: PretrainSettings = PretrainSettings()


class FinetuneSemantic(StageSettings):
    """Stage 2, semantic."""

    stage = "finetune_semantic"
    seed: int
    """Every random number of the stage follows from it."""
    diffusion: SemanticTraining = SemanticTraining()
    semantic: SemanticLoss = SemanticLoss()

    def files(self) -> list[Path]:
        """Weights of the perceptual features."""
        return self.semantic.files()


class EncodeReal(StageSettings):
    """One iteration's draw of reals."""

    stage = "encode_real"
    seed: int
    """Every random number of the stage follows from it."""
    iteration: int
    """The round, from 0; each draws anew."""
    num_samples: int
    """Reals to draw."""
    allow_fewer_reals: bool = False
    """Take all there are where there are fewer."""
    augmented: bool = False
    """Draw augmented copies too."""


class SampleFake(StageSettings):
    """One iteration's fakes."""

    stage = "sample_fake"
    elsewhere: ClassVar[tuple[str, ...]] = ("sampling.shards",)
    seed: int
    """Every random number of the stage follows from it."""
    iteration: int
    """The round, from 0; each draws anew."""
    num_samples: int
    """Fakes of the round."""
    sampling: SamplingSettings = SamplingSettings()


class SampleFakeShard(SampleFake):
    """One shard of an iteration's fakes."""

    stage = "sample_fake_shard"
    elsewhere = ("sampling.shards", "sampling.moments")
    shard: int
    """This share of the fakes, from 0."""
    shards: int
    """Shares in all."""


class GatherFake(StageSettings):
    """The shards of an iteration's fakes in one file."""

    stage = "gather_fake"
    batch_size: int
    """Latents copied at once."""
    moments: Moments = "keep"
    """See `sampling.moments`."""


class TrainDiscriminator(StageSettings):
    """Reals against fakes."""

    stage = "train_discriminator"
    elsewhere = (
        "discriminator.start_from",
        "discriminator.warm_start",
        "discriminator.reals",
        "discriminator.replay",
        "discriminator.online",
    )
    seed: int
    """Every random number of the stage follows from it."""
    iteration: int
    """The round, from 0; each draws anew."""
    noised: bool = False
    """It sees latents noised to a timestep that it is told, as the objective needs it."""
    discriminator: DiscriminatorSettings = DiscriminatorSettings()


class FinetuneDiffusion(StageSettings):
    """The denoiser against the discriminator, or a control without one."""

    stage = "finetune_diffusion"
    revision = 2
    seed: int
    """Every random number of the stage follows from it."""
    iteration: int
    """The round, from 0; each draws anew."""
    diffusion: FinetuneSettings = FinetuneSettings()
    adversarial: AdversarialLoss | None = None
    discriminator: DiscriminatorSettings | None = None
    """How it goes on learning, and whether it judges pairs; None where it does neither."""
    semantic: SemanticLoss | None = None

    def files(self) -> list[Path]:
        """Weights of the perceptual features."""
        return self.semantic.files() if self.semantic else []


class MeasureTime(StageSettings):
    """How long an iteration took beside its control: the epochs of a control of equal time."""

    stage = "measure_time"
    epochs: int = Field(50, ge=1)
    """The control's passes over the train split in this iteration."""
    usual_ratio: float = Field(1.25, gt=0)
    """Time of the iteration in those of its control, where it was not measured."""


class GuideDenoiser(StageSettings):
    """A denoiser that sampling guides by the iteration's discriminator; nothing is trained."""

    stage = "guide_denoiser"
    guidance_weight: float = Field(1.0, gt=0)
    """1 follows the gradient of the logit as it is."""
    timesteps: tuple[float, float] = GUIDED
    """From and to, as fractions of T: where samples are guided."""


class SampleEvaluation(StageSettings):
    """Samples to judge a model by."""

    stage = "sample_evaluation"
    revision = 2
    elsewhere = ("sampling.shards",)
    seed: int
    """Every random number of the stage follows from it."""
    num_samples: int
    """Samples."""
    sampling: SamplingSettings = SamplingSettings()


_BETTER_SOLVER = tuple(f"evaluation.better_solver.{key}" for key in BetterSolver.model_fields)


class Evaluate(StageSettings):
    """A model's samples, or training reals, against held-out reals."""

    stage = "evaluate"
    revision = 4
    elsewhere = (
        "evaluation.grid",
        "evaluation.decoded",
        "evaluation.inception_weights",
        *_BETTER_SOLVER,
    )
    evaluation: EvaluationSettings = EvaluationSettings()


class MeasureLayouts(StageSettings):
    """A model's decoded samples and predictions as layouts."""

    stage = "measure_layouts"
    revision = 3
    seed: int
    """Noise of the predictions, and the draw of training layouts."""
    num_samples: int = Field(1000, ge=8)
    """At most so many samples, and held-out layouts, are decoded."""
    inception_weights: Path | None = None
    """See `evaluation.inception_weights`."""
    batch_size: int = Field(32, ge=1)
    """Latents decoded at once."""

    def files(self) -> list[Path]:
        """Inception's weights, where it is used."""
        return [self.inception_weights] if self.inception_weights else []


class CompareModels(StageSettings):
    """All models of an experiment beside each other, and what their differences say."""

    stage = "compare_models"
    revision = 3
    elsewhere = (
        *(
            f"evaluation.{key}"
            for key in ("num_samples", "feature_dim", "decoded", "grid", "inception_weights")
        ),
        *_BETTER_SOLVER,
    )
    evaluation: EvaluationSettings = EvaluationSettings()


class CompareSamples(StageSettings):
    """Reals, reconstructions and samples of every model in one picture."""

    stage = "compare_samples"
    grid: int
    """Samples per model."""
    neighbours: int = Field(3, ge=1)
    """Nearest training layouts beside each sample."""


class SelectBest(StageSettings):
    """The model that the experiment hands on as `name@selected`."""

    stage = "select_best"
    revision = 2


class Summarise(StageSettings):
    """All evaluations of an experiment in one table and plot."""

    stage = "summarise"
    revision = 3
    seed: int = 42
    """The training seed of the models whose names say none."""


class ExportPipeline(StageSettings):
    """A model as a diffusers pipeline."""

    stage = "export_pipeline"
    moments: Moments = "keep"
    """`match` brings what the pipeline samples to the train latents' mean and standard deviation
    per channel, by those of given samples."""
