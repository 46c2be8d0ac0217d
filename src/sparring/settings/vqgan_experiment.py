"""Experiments on volumes: what a file of kind `vqgan` may say."""

from typing import Literal

from pydantic import Field, model_validator

from .base import Settings
from .config import Device
from .volumes import WindowSettings
from .vqgan import VqganAdversarial, VqganLosses, VqganModel, VqganTraining

Phase = Literal["reconstruction", "adversarial", "control"]


class VqganExperiment(Settings):
    """A 3D VQ-GAN on volumes: it learns to reconstruct, then against discriminators too."""

    kind: Literal["vqgan"]
    """Selects this form."""
    dataset: str
    """Name of a dataset of volumes in config.yaml."""
    start_from: str | None = None
    """A model to go on from: an experiment of this kind (`name` is its last phase, `name@control`
    or `name@reconstruction` another) or a model directory (a path with a `/`)."""
    seed: int = 42
    """Every random number of the experiment follows from it."""
    device: Device | None = None
    """Overrides config.yaml's `device`."""
    gpus: int | None = Field(None, ge=1)
    """Overrides config.yaml's `gpus`."""
    model: VqganModel = VqganModel()
    """The network; with `start_from` it is the start's, and nothing may be said here."""
    steps: int = Field(30_000, ge=1)
    """Steps of the generator in both phases together."""
    discriminator_iter_start: int = Field(10_000, ge=0)
    """Steps of the generator before the discriminators begin: phase one, without them, is so
    long. Raising `steps`, or changing anything of `adversarial`, leaves phase one as it is."""
    training: VqganTraining = VqganTraining()
    """How the generator is trained."""
    losses: VqganLosses = VqganLosses()
    """Weights of its losses in both phases."""
    adversarial: VqganAdversarial | None = VqganAdversarial()
    """The discriminators of phase two. `null` leaves phase two out: `steps` is then phase one."""
    control: bool = True
    """Also go on from phase one for the same further steps without discriminators."""
    inference: WindowSettings = WindowSettings()
    """How whole held-out volumes are reconstructed."""

    @property
    def first_steps(self) -> int:
        """Steps of phase one."""
        return self.steps if self.adversarial is None else self.discriminator_iter_start

    @property
    def phases(self) -> tuple[Phase, ...]:
        """What is trained, and judged."""
        if self.adversarial is None:
            return ("reconstruction",)
        both: tuple[Phase, ...] = ("reconstruction", "adversarial")
        return (*both, "control") if self.control else both

    @property
    def last_phase(self) -> Phase:
        """What `start_from: name` means."""
        return "reconstruction" if self.adversarial is None else "adversarial"

    @model_validator(mode="after")
    def _phases_fit(self) -> "VqganExperiment":
        if self.adversarial is not None and self.discriminator_iter_start >= self.steps:
            raise ValueError(
                f"discriminator_iter_start is {self.discriminator_iter_start}, but training ends "
                f"after steps {self.steps}: the discriminators would never begin; raise steps, "
                "lower discriminator_iter_start, or set adversarial: null to train without them"
            )
        interval = self.training.eval_interval
        phases = {"discriminator_iter_start": self.first_steps, "steps": self.steps}
        for key, count in phases.items():
            if count % interval:
                raise ValueError(
                    f"{key} is {count}, not a multiple of training.eval_interval {interval}; set "
                    f"{key}: {-(-count // interval) * interval}"
                )
        return self

    @model_validator(mode="after")
    def _model_is_said_once(self) -> "VqganExperiment":
        if self.start_from is not None and "model" in self.model_fields_set:
            raise ValueError(
                "model is that of start_from; leave model out, or leave start_from out to train a "
                "new one"
            )
        return self

    @model_validator(mode="after")
    def _codes_begin_in_phase_one(self) -> "VqganExperiment":
        start = self.training.codebook.start_step
        learns = self.start_from is None and self.model.codebook.quantiser == "ema"
        if learns and 0 < self.first_steps <= start:
            raise ValueError(
                f"training.codebook.start_step is {start}, but phase one ends after "
                f"{self.first_steps} steps without codes; set at most {self.first_steps // 2}"
            )
        return self
