"""Refusals before any job starts: what the settings and the data's own files already tell."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ..data.images import classes_file, read_classes
from ..errors import UserError
from ..settings.dataset import ManifestDataset
from ..settings.experiment import AdversarialExperiment, PretrainExperiment, StartedExperiment
from .conditions import check_conditions
from .denoiser_checks import check_preset, check_start, check_steps
from .discriminator_checks import check_discriminator
from .encodings import is_layouts_autoencoder
from .loading import Rounds
from .objectives import check_objective
from .semantic import check_semantic
from .shapes import data_facts, latent_shape
from .volume_checks import check_encoding, require_known_autoencoder
from .vqgan import check_vqgans


def check_rounds(rounds: Rounds) -> None:
    """Raise UserError for the first thing that cannot work; collect warnings in `rounds`."""
    _check_tracker(rounds)
    check_vqgans(rounds)
    for name, experiment in rounds.experiments.items():
        _require_known(rounds, name, "dataset", experiment.dataset, rounds.config.datasets)
        require_known_autoencoder(rounds, name)
    for name in rounds.experiments:
        check_encoding(rounds, name)
    for name in rounds.config.autoencoders:
        _check_autoencoder(rounds, name)
    for name, experiment in rounds.experiments.items():
        if rounds.repeat_of(name):  # told apart by its seed alone
            continue
        shape = latent_shape(rounds, name)
        check_steps(rounds, name, experiment)
        check_conditions(rounds, name)
        if isinstance(experiment, PretrainExperiment):
            check_preset(rounds, name, experiment, shape)
            continue
        check_start(rounds, name, experiment, shape)
        check_semantic(rounds, name)
        if isinstance(experiment, AdversarialExperiment):
            check_objective(rounds, name, experiment)
            check_discriminator(rounds, name, experiment, shape)
            _check_shards(rounds, name, experiment)
            _check_reals(rounds, name, experiment)
        _check_held_out(rounds, name, experiment)


def _check_tracker(rounds: Rounds) -> None:
    tracker = rounds.config.tracker
    if tracker != "none" and find_spec(tracker) is None:
        raise UserError(
            f"{rounds.source}: tracker is {tracker!r}, but the package {tracker} is not installed; "
            f"run pip install -e '.[{tracker}]' where Sparring's pyproject.toml lies, or set "
            "tracker: none"
        )


def _check_autoencoder(rounds: Rounds, name: str) -> None:
    settings, datasets = rounds.config.autoencoders[name], rounds.config.datasets
    where = f"{rounds.source}: autoencoders.{name}"
    if settings.dataset not in datasets:
        raise UserError(
            f"{where}.dataset is {settings.dataset!r}, expected one of "
            f"{', '.join(sorted(datasets))}"
        )
    dataset = datasets[settings.dataset]
    used = name in {rounds.data_of(experiment)[1] for experiment in rounds.experiments}
    if not used or not isinstance(dataset, ManifestDataset):
        return
    classes = classes_file(dataset)
    if classes is not None:
        read_classes(classes)
    elif settings.input == "classes" and settings.start_from is None:
        raise UserError(
            f"{where}.input is 'classes', but dataset {settings.dataset} names no classes; put "
            f"a classes.json beside {dataset.manifest}, or set input: rgb"
        )


def _require_known(
    rounds: Rounds, name: str, key: str, value: str | None, known: dict[str, Any]
) -> None:
    if value is not None and value not in known:
        raise UserError(
            f"{rounds.file(name)}: {key} is {value!r}, but {rounds.source} has only "
            f"{', '.join(sorted(known))}"
        )


def _check_shards(rounds: Rounds, name: str, experiment: AdversarialExperiment) -> None:
    size, shards = experiment.sampling.batch_size, experiment.sampling.shards
    for iteration in range(experiment.iterations):
        count = experiment.num_samples_at(iteration)
        batches = -(-count // size)
        if shards > batches:
            raise UserError(
                f"{rounds.file(name)}: sampling.shards is {shards}, but num_samples {count} in "
                f"batches of {size} gives only {batches} to share out; set shards: {batches} or a "
                "smaller sampling.batch_size"
            )


def _check_reals(rounds: Rounds, name: str, experiment: AdversarialExperiment) -> None:
    if not rounds.needs(name).discriminator:  # nobody else is shown reals of its own
        return
    dataset = rounds.data_of(name)[0]
    facts = data_facts(rounds, name)
    as_training = experiment.discriminator.reals == "as_training" and experiment.diffusion.augmented
    available = facts.train_rows if as_training else facts.train_originals
    wanted = max(experiment.num_samples_at(n) for n in range(experiment.iterations))
    if wanted > available and not experiment.allow_fewer_reals:
        raise UserError(
            f"{rounds.file(name)}: num_samples is {wanted}, but dataset {dataset} has {available} "
            f"training {facts.unit} to draw reals from; set num_samples: {available} or "
            "allow_fewer_reals: true"
        )
    copies = facts.train_rows > facts.train_originals and experiment.diffusion.augmented
    if copies and not as_training:
        rounds.warnings.append(
            f"{name}: the denoiser trains on augmented copies but reals are originals only, so "
            "orientation is a cue; set discriminator.reals: as_training or diffusion.augmented: "
            "false"
        )


def _check_inception(rounds: Rounds, name: str, path: Path) -> None:
    where = f"{rounds.file(name)}: evaluation.inception_weights"
    if not path.is_file():
        raise UserError(
            f"{where}: {path} is missing; fetch pt_inception-2015-12-05-6726825d.pth on a machine "
            "with network, or leave the key out"
        )
    if not is_layouts_autoencoder(rounds, name):
        raise UserError(
            f"{where}: dataset {rounds.data_of(name)[0]} is of volumes, and Inception takes "
            "pictures; leave the key out"
        )


def _check_held_out(rounds: Rounds, name: str, experiment: StartedExperiment) -> None:
    dataset = rounds.data_of(name)[0]
    facts = data_facts(rounds, name)
    if facts.ignores_latents:
        rounds.warnings.append(
            f"{name}: the manifest of dataset {dataset} has a latent_path column, which is not "
            "read: layouts are encoded by the experiment's autoencoder; to take those latents "
            f"instead, set datasets.{dataset}.latents: manifest"
        )
    if experiment.evaluation.inception_weights is not None:
        _check_inception(rounds, name, experiment.evaluation.inception_weights)
    if facts.test_originals < 2 * experiment.evaluation.feature_dim:
        raise UserError(
            f"{rounds.file(name)}: evaluation.feature_dim is {experiment.evaluation.feature_dim}, "
            f"but dataset {dataset} holds out only {facts.test_originals} test {facts.unit}; set "
            f"at most {facts.test_originals // 2}"
        )
