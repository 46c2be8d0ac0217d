"""The configured experiments and everything they start from."""

from dataclasses import dataclass, field
from functools import cached_property

from ..errors import UserError
from ..objectives.table import NEEDS, Needs
from ..settings.config import Config
from ..settings.experiment import (
    AdversarialExperiment,
    FinetuneExperiment,
    LatentExperiment,
    PretrainExperiment,
    StartedExperiment,
)
from ..settings.parts import BETTER_SOLVER, MATCHED, SamplingSettings
from ..settings.semantic import SemanticLoss
from ..settings.volumes import AnyVolumes
from ..settings.vqgan_experiment import VqganExperiment
from .experiment_files import ExperimentFiles
from .references import Reference, parse_reference

ARMS = ("adversarial", "control", "control_time")


@dataclass
class Rounds:
    """Resolved experiments: paths of models, and which dataset and autoencoder each uses."""

    config: Config
    source: str
    requested: list[str]
    experiments: dict[str, LatentExperiment]
    files: ExperimentFiles
    vqgans: dict[str, VqganExperiment] = field(default_factory=dict)
    """Those on volumes, apart: they have neither autoencoder nor denoiser."""
    warnings: list[str] = field(default_factory=list)
    repeats: dict[str, list[str]] = field(default_factory=dict)
    """By name, the copies of an experiment with its other `seeds`."""

    def file(self, name: str) -> str:
        """The file an experiment was read from, with the member of a sweep, for messages."""
        return self.files.describe(self.repeat_of(name) or name)

    def repeat_of(self, name: str) -> str | None:
        """The experiment that this is a repeat of with another seed, if it is."""
        return next((main for main, copies in self.repeats.items() if name in copies), None)

    @property
    def judged_names(self) -> list[str]:
        """The experiments that have a table of figures: repeats are in their experiment's."""
        return [name for name in self.started_names if self.repeat_of(name) is None]

    def adversarial(self, name: str) -> AdversarialExperiment:
        """An experiment that has rounds."""
        experiment = self.experiments[name]
        assert isinstance(experiment, AdversarialExperiment), name
        return experiment

    def pretrain(self, name: str) -> PretrainExperiment:
        """An experiment that trains from scratch."""
        experiment = self.experiments[name]
        assert isinstance(experiment, PretrainExperiment), name
        return experiment

    @property
    def adversarial_names(self) -> list[str]:
        """The experiments that have rounds."""
        return [n for n, e in self.experiments.items() if isinstance(e, AdversarialExperiment)]

    def finetune(self, name: str) -> FinetuneExperiment:
        """An experiment that goes on with semantic losses."""
        experiment = self.experiments[name]
        assert isinstance(experiment, FinetuneExperiment), name
        return experiment

    def started(self, name: str) -> StartedExperiment:
        """An experiment that goes on from a denoiser; its models are judged."""
        experiment = self.experiments[name]
        assert not isinstance(experiment, PretrainExperiment), name
        return experiment

    @property
    def started_names(self) -> list[str]:
        """The experiments whose models are judged."""
        return [n for n, e in self.experiments.items() if not isinstance(e, PretrainExperiment)]

    def semantic(self, name: str) -> SemanticLoss | None:
        """An experiment's semantic losses, if it has any."""
        experiment = self.experiments[name]
        return None if isinstance(experiment, PretrainExperiment) else experiment.semantic

    def arms(self, name: str) -> tuple[str, ...]:
        """The arms of an adversarial experiment."""
        e = self.adversarial(name)
        run = (True, e.control, e.control and e.control_time)
        return tuple(arm for arm, runs in zip(ARMS, run, strict=True) if runs)

    def models(self, name: str) -> list[str]:
        """Every model that is judged: `start`, its baselines, then the candidates after it.

        Repeats leave out the start and its baselines, which are their experiment's.
        """
        candidates = self.candidates(name)
        baselines = [] if self.repeat_of(name) else self.baselines(name)
        return [*candidates[:1], *baselines, *candidates[1:]]

    def candidates(self, name: str) -> list[str]:
        """The models that can be handed on: `start`, then `trained` or `{arm}/iteration_{n}`.

        Repeats leave out the start, which is their experiment's.
        """
        if isinstance(self.experiments[name], FinetuneExperiment):
            return ["start", "trained"]
        iterations = range(self.adversarial(name).iterations)
        models = [f"{arm}/iteration_{n}" for arm in self.arms(name) for n in iterations]
        return models if self.repeat_of(name) else ["start", *models]

    def baselines(self, name: str) -> dict[str, SamplingSettings]:
        """How the start is sampled besides, by the name of the judged model.

        What costs no training must be beaten too. One that is sampled as the start is left out.
        """
        sampling, evaluation = self.started(name).sampling, self.started(name).evaluation
        changes = {
            BETTER_SOLVER: dict(evaluation.better_solver),
            MATCHED: {"moments": "match"},
        }
        sampled = {model: sampling.model_copy(update=keys) for model, keys in changes.items()}
        return {model: other for model, other in sampled.items() if other != sampling}

    def compared(self, name: str) -> dict[str, tuple[str, str]]:
        """What an experiment's verdict compares: (experiment, model) by the name in its tables.

        Models of repeats are called `seed_43/adversarial/iteration_0`.
        """
        found = {model: (name, model) for model in self.models(name)}
        for repeat in self.repeats.get(name, []):
            seed = self.experiments[repeat].seed
            found |= {f"seed_{seed}/{model}": (repeat, model) for model in self.models(repeat)}
        return found

    def data_of(self, name: str) -> tuple[str, str]:
        """(dataset, autoencoder) of an experiment, its own or its start's."""
        experiment = self.experiments[name]
        if isinstance(experiment, PretrainExperiment):
            return experiment.dataset, experiment.autoencoder
        dataset, autoencoder = experiment.dataset, experiment.autoencoder
        if dataset and autoencoder:
            return dataset, autoencoder
        reference = self.reference(name, "start_from", experiment.start_from)
        if reference.experiment is None:
            missing = "dataset" if dataset is None else "autoencoder"
            raise UserError(
                f"{self.file(name)}: {missing!r} is missing; starting from a model directory, both "
                "dataset and autoencoder must be named"
            )
        inherited = self.data_of(reference.experiment)
        return dataset or inherited[0], autoencoder or inherited[1]

    def volumes(self, dataset: str) -> AnyVolumes:
        """A dataset of volumes; refuses layouts."""
        settings = self.config.datasets[dataset]
        if not isinstance(settings, AnyVolumes):
            raise UserError(
                f"{self.source}: datasets.{dataset}.kind is {settings.kind!r}, layouts, but "
                "volumes are wanted; name a dataset of kind nifti or phantoms"
            )
        return settings

    def vqgan(self, name: str) -> VqganExperiment:
        """An experiment on volumes."""
        return self.vqgans[name]

    def of_any_kind(self, name: str) -> LatentExperiment | VqganExperiment:
        """An experiment, on latents or volumes."""
        return self.vqgans[name] if name in self.vqgans else self.experiments[name]

    def device_of(self, name: str) -> str:
        """Where an experiment's jobs run."""
        return self.of_any_kind(name).device or self.config.device

    def gpus_of(self, name: str) -> int:
        """GPUs (processes) of each of an experiment's training jobs."""
        return self.of_any_kind(name).gpus or self.config.gpus

    def incoming_denoiser(self, name: str, arm: str, iteration: int) -> str:
        """Directory of the denoiser entering an iteration: the start, then the predecessor's."""
        if iteration == 0:
            return self.start_denoiser(name)
        return f"{self.config.results}/{name}/{arm}/iteration_{iteration - 1}/denoiser"

    def start_denoiser(self, name: str) -> str:
        """Directory of the denoiser that an experiment starts from."""
        return self.denoiser(name, "start_from", self.started(name).start_from)

    def judged_denoiser(self, name: str, model: str) -> str:
        """Directory of one of an experiment's `models`."""
        if model in ("start", BETTER_SOLVER, MATCHED):
            return self.start_denoiser(name)
        place = f"{self.config.results}/{name}"
        return f"{place}/denoiser" if model == "trained" else f"{place}/{model}/denoiser"

    def fakes_denoiser(self, name: str, iteration: int) -> str:
        """Directory of the denoiser that an iteration's fakes are sampled from."""
        fakes_from = self.adversarial(name).fakes_from
        if iteration == 0 and fakes_from is not None:
            return self.denoiser(name, "fakes_from", fakes_from)
        return self.incoming_denoiser(name, "adversarial", iteration)

    def needs(self, name: str) -> Needs:
        """What the objective of an experiment's rounds changes outside its loss."""
        return NEEDS[self.adversarial(name).adversarial.objective]

    def replayed(self, name: str, iteration: int) -> range:
        """Earlier iterations whose fakes an iteration's discriminator is trained on too."""
        return range(max(0, iteration - self.adversarial(name).discriminator.replay), iteration)

    def incoming_discriminator(self, name: str, iteration: int) -> str | None:
        """Directory of the discriminator that an iteration's training starts from, if any."""
        settings = self.adversarial(name).discriminator
        if iteration > 0:
            previous = f"{self.config.results}/{name}/adversarial/iteration_{iteration - 1}"
            return f"{previous}/discriminator" if settings.warm_start else None
        if settings.start_from is None:
            return None
        key = "discriminator.start_from"
        reference = self.reference(name, key, settings.start_from)
        if reference.directory is not None:
            return str(reference.directory)
        return f"{self._iteration_directory(name, key, reference)}/discriminator"

    def denoiser(self, name: str, key: str, text: str) -> str:
        """Directory of the denoiser that a reference in experiment `name` means."""
        reference = self.reference(name, key, text)
        if reference.directory is not None:
            return str(reference.directory)
        assert reference.experiment is not None
        if not isinstance(self.experiments[reference.experiment], AdversarialExperiment):
            return f"{self.config.results}/{reference.experiment}/denoiser"
        if reference.selected:
            return f"{self.config.results}/{reference.experiment}/selected/denoiser"
        return f"{self._iteration_directory(name, key, reference)}/denoiser"

    def reference(self, name: str, key: str, text: str) -> Reference:
        """A parsed reference whose experiment and iteration exist."""
        reference = parse_reference(text, self.file(name), key)
        if reference.experiment is None:
            return reference
        target = self.experiments[reference.experiment]
        if not isinstance(target, AdversarialExperiment):
            if reference.iteration is not None or reference.selected:
                raise UserError(
                    f"{self.file(name)}: {key} is {text!r}, but {reference.experiment} is a "
                    f"{target.kind} experiment without iterations; write {reference.experiment!r}"
                )
        elif reference.iteration is not None and reference.iteration >= target.iterations:
            raise UserError(
                f"{self.file(name)}: {key} is {text!r}, but {reference.experiment} has iterations "
                f"0 to {target.iterations - 1}"
            )
        return reference

    @cached_property
    def datasets(self) -> list[str]:
        """Datasets that some experiment on latents or its autoencoder uses."""
        used = [self.data_of(name) for name in self.experiments]
        known = self.config.autoencoders
        own = [known[autoencoder].dataset for _, autoencoder in used if autoencoder in known]
        return sorted({dataset for dataset, _ in used} | set(own))

    def _iteration_directory(self, name: str, key: str, reference: Reference) -> str:
        assert reference.experiment is not None
        target = self.experiments[reference.experiment]
        if not isinstance(target, AdversarialExperiment) or reference.selected:
            raise UserError(
                f"{self.file(name)}: {key} is {reference.text!r}, expected an adversarial "
                "experiment (name or name@2) or a model directory"
            )
        iteration = reference.iteration
        last = target.iterations - 1 if iteration is None else iteration
        return f"{self.config.results}/{reference.experiment}/adversarial/iteration_{last}"
