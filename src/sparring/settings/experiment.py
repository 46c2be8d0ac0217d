"""Experiments: what one file under config/experiments may say."""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from .base import Settings
from .config import Device
from .objective import AdversarialLoss
from .parts import (
    DenoiserSettings,
    DiscriminatorOverride,
    DiscriminatorSettings,
    EvaluationSettings,
    FinetuneOverride,
    FinetuneSettings,
    NoiseScheduleSettings,
    PretrainSettings,
    SamplingSettings,
    SemanticTraining,
)
from .semantic import SemanticLoss
from .vqgan_experiment import VqganExperiment

Iteration = Annotated[int, Field(ge=0)]


class PretrainExperiment(Settings):
    """Stage 1: a denoiser from scratch by noise prediction."""

    kind: Literal["pretrain"]
    """Selects this form."""
    dataset: str
    """Name of a dataset in config.yaml; of volumes, the one its VQ-GAN was trained on."""
    autoencoder: str
    """Name of an autoencoder in config.yaml. On volumes: an experiment of kind vqgan (`name` is its
    last phase, `name@control` or `name@reconstruction` another) or the directory of its model (a
    path with a `/`)."""
    patch_size: int | None = Field(None, ge=4)
    """Side in voxels of the patches of volumes to encode, where `autoencoder` is a directory; an
    experiment's VQ-GAN encodes patches as it was trained on."""
    seed: int = 42
    """Every random number of the experiment follows from it."""
    device: Device | None = None
    """Overrides config.yaml's `device`."""
    gpus: int | None = Field(None, ge=1)
    """Overrides config.yaml's `gpus`."""
    denoiser: DenoiserSettings = DenoiserSettings()
    """The network."""
    noise_schedule: NoiseScheduleSettings = NoiseScheduleSettings()
    """Forward process and what the network predicts."""
    diffusion: PretrainSettings = PretrainSettings()
    """How it is trained."""


class FinetuneExperiment(Settings):
    """Stage 2, semantic: a trained denoiser goes on with losses on its decoded predictions."""

    kind: Literal["finetune"]
    """Selects this form."""
    start_from: str
    """The denoiser to go on from: an experiment (`name`, `name@2`, `name@selected`) or a model
    directory (a path with a `/`)."""
    dataset: str | None = None
    """Default: the starting experiment's."""
    autoencoder: str | None = None
    """Default: the starting experiment's."""
    seed: int = 42
    """Every random number of the experiment follows from it."""
    device: Device | None = None
    """Overrides config.yaml's `device`."""
    gpus: int | None = Field(None, ge=1)
    """Overrides config.yaml's `gpus`."""
    diffusion: SemanticTraining = SemanticTraining()
    """How it is trained."""
    semantic: SemanticLoss = SemanticLoss()
    """The losses beside the noise loss. With both weights 0 it is its own control."""
    sampling: SamplingSettings = SamplingSettings()
    """How models are sampled to be judged."""
    evaluation: EvaluationSettings = EvaluationSettings()
    """How the start and the result are judged."""

    @model_validator(mode="after")
    def _something_is_trained(self) -> "FinetuneExperiment":
        weights = self.semantic.segmentation_weight, self.semantic.perceptual_weight
        if self.diffusion.noise_weight == 0 and not any(weights):
            raise ValueError(
                "diffusion.noise_weight and all weights of semantic are 0: nothing would be "
                "learnt; set one above 0"
            )
        return self


class Override(Settings):
    """Settings of one iteration that differ from the experiment's."""

    iteration: Iteration
    """Which iteration, from 0."""
    num_samples: int | None = Field(None, ge=2)
    """Fakes and reals of this iteration."""
    discriminator: DiscriminatorOverride = DiscriminatorOverride()
    """Keys of `discriminator` to replace."""
    diffusion: FinetuneOverride = FinetuneOverride()
    """Keys of `diffusion` to replace."""


class AdversarialExperiment(Settings):
    """Rounds: sample fakes, train the discriminator, fine-tune the denoiser against it; repeat."""

    kind: Literal["adversarial"]
    """Selects this form."""
    start_from: str
    """The denoiser entering iteration 0: an experiment (`name`, `name@2`, `name@selected`) or a
    model directory (a path with a `/`)."""
    dataset: str | None = None
    """Default: the starting experiment's."""
    autoencoder: str | None = None
    """Default: the starting experiment's."""
    fakes_from: str | None = None
    """Another denoiser to sample iteration 0's fakes from; same forms as `start_from`. Not for
    objectives `ddo` and `guidance`."""
    iterations: int = Field(3, ge=1)
    """Rounds."""
    num_samples: int = Field(5000, ge=2)
    """Fakes sampled and reals drawn per iteration."""
    allow_fewer_reals: bool = False
    """Use all reals there are where the dataset has fewer than `num_samples`, instead of refusing.
    Fakes are then cut to the same number."""
    seed: int = 42
    """Every random number of the experiment follows from it."""
    seeds: tuple[int, ...] = ()
    """Instead of `seed`: repeat all arms with each of these, and judge all together. A claim needs
    three: training runs differ more than samples do. What is handed on comes from the first."""
    device: Device | None = None
    """Overrides config.yaml's `device`."""
    gpus: int | None = Field(None, ge=1)
    """Overrides config.yaml's `gpus`."""
    control: bool = True
    """Also run the control arm: the same updates from the same start without the discriminator."""
    control_time: bool = True
    """Also run a control of equal measured time: as many epochs as take as long as an iteration of
    the adversarial arm with its fakes. Needs the control, and goes with it."""
    sampling: SamplingSettings = SamplingSettings()
    """How fakes are sampled."""
    discriminator: DiscriminatorSettings = DiscriminatorSettings()
    """The discriminator and its training."""
    diffusion: FinetuneSettings = FinetuneSettings()
    """The denoiser's fine-tuning."""
    adversarial: AdversarialLoss = AdversarialLoss()
    """The adversarial objective."""
    semantic: SemanticLoss | None = None
    """Stage 3: losses on decoded predictions too, in all arms. `{}` takes the defaults."""
    evaluation: EvaluationSettings = EvaluationSettings()
    """How models are judged; never feeds the loop."""
    overrides: tuple[Override, ...] = ()
    """Per-iteration changes."""

    @model_validator(mode="after")
    def _something_is_trained(self) -> "AdversarialExperiment":
        if self.diffusion.noise_weight == 0 and (self.control or self.adversarial.weight == 0):
            arm = "control" if self.control else "adversarial"
            raise ValueError(
                f"diffusion.noise_weight is 0, so the {arm} arm has nothing to learn from; set it "
                "above 0, or control: false and adversarial.weight above 0"
            )
        return self

    @model_validator(mode="after")
    def _time_is_the_control_s(self) -> "AdversarialExperiment":
        if "control_time" in self.model_fields_set and self.control_time and not self.control:
            raise ValueError(
                "control_time is true, but control is false, whose time it is measured in; set "
                "control: true, or leave control_time out"
            )
        return self

    @model_validator(mode="after")
    def _seeds_differ(self) -> "AdversarialExperiment":
        if self.seeds and "seed" in self.model_fields_set:
            raise ValueError("seed and seeds are both given; list the seed first in seeds")
        if len(set(self.seeds)) < len(self.seeds):
            raise ValueError(f"seeds is {list(self.seeds)}, expected every seed once")
        if any(seed < 0 for seed in self.seeds):
            raise ValueError(f"seeds is {list(self.seeds)}, expected no negative numbers")
        return self

    @model_validator(mode="after")
    def _overrides_fit(self) -> "AdversarialExperiment":
        seen = [o.iteration for o in self.overrides]
        for iteration in seen:
            if iteration >= self.iterations:
                raise ValueError(
                    f"overrides: iteration {iteration} does not exist, the last of "
                    f"{self.iterations} is {self.iterations - 1}"
                )
            if seen.count(iteration) > 1:
                raise ValueError(f"overrides: iteration {iteration} is listed twice")
        return self

    def discriminator_at(self, iteration: int) -> DiscriminatorSettings:
        """The discriminator settings of one iteration, overrides applied."""
        override = self._override(iteration)
        return self.discriminator.model_copy(
            update=override.discriminator.given() if override else {}
        )

    def diffusion_at(self, iteration: int) -> FinetuneSettings:
        """The fine-tuning settings of one iteration, overrides applied."""
        override = self._override(iteration)
        return self.diffusion.model_copy(update=override.diffusion.given() if override else {})

    def num_samples_at(self, iteration: int) -> int:
        """Fakes and reals of one iteration, overrides applied."""
        override = self._override(iteration)
        return (override and override.num_samples) or self.num_samples

    def _override(self, iteration: int) -> Override | None:
        return next((o for o in self.overrides if o.iteration == iteration), None)


class SweepExperiment(Settings):
    """Many experiments in one file: another experiment with some keys varied."""

    kind: Literal["sweep"]
    """Selects this form."""
    base: str
    """Name of the experiment whose file every member is a copy of; it runs only if asked for."""
    vary: dict[str, Annotated[list[Any], Field(min_length=1)]] = Field(min_length=1)
    """The values of each key; keys of groups with dots, as in `denoiser.preset`."""
    zip: bool = False
    """Take the first values together, then the second, and so on, instead of every combination."""


StartedExperiment = FinetuneExperiment | AdversarialExperiment
LatentExperiment = PretrainExperiment | StartedExperiment
Experiment = LatentExperiment | VqganExperiment
ExperimentUnion = Annotated[Experiment, Field(discriminator="kind")]
ExperimentFile = Annotated[Experiment | SweepExperiment, Field(discriminator="kind")]
