"""Refusals before any job starts: what the settings and the data's own files already tell."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ..data.images import classes_file
from ..errors import UserError
from ..models.presets import PRESETS
from ..settings.dataset import ManifestDataset
from ..settings.experiment import (
    AdversarialExperiment,
    LatentExperiment,
    PretrainExperiment,
    StartedExperiment,
)
from .conditions import check_conditions
from .encodings import DENOISERS
from .facts import LatentShape
from .given_models import given_model
from .loading import Rounds
from .objectives import check_guided_start, check_objective
from .semantic import check_semantic, measures_layouts
from .shapes import data_facts, latent_shape
from .volume_checks import check_encoding, check_patients, require_known_autoencoder
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
        _check_steps(rounds, name, experiment)
        check_conditions(rounds, name)
        if isinstance(experiment, PretrainExperiment):
            _check_preset(rounds, name, experiment, shape)
            continue
        _check_start(rounds, name, experiment, shape)
        check_semantic(rounds, name)
        if isinstance(experiment, AdversarialExperiment):
            check_objective(rounds, name, experiment)
            _check_discriminator(rounds, name, experiment, shape)
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
    if not used or settings.start_from is not None or not isinstance(dataset, ManifestDataset):
        return
    if settings.input == "classes" and classes_file(dataset) is None:
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


def _check_preset(
    rounds: Rounds, name: str, experiment: PretrainExperiment, shape: LatentShape
) -> None:
    chosen, preset = experiment.denoiser.preset, PRESETS[experiment.denoiser.preset]
    if preset.dims != shape.dims:
        fitting = ", ".join(name for name, other in PRESETS.items() if other.dims == shape.dims)
        kinds = {2: "layouts", 3: "volumes"}
        raise UserError(
            f"{rounds.file(name)}: denoiser.preset {chosen} is for latents of "
            f"{kinds[preset.dims]}, but dataset {experiment.dataset} has {kinds[shape.dims]}; "
            f"choose one of {fitting}"
        )
    if any(side % preset.factor for side in shape.sides):
        larger = "layouts" if shape.dims == 2 else "patches"
        raise UserError(
            f"{rounds.file(name)}: denoiser.preset {chosen} needs latents "
            f"whose side is a multiple of {preset.factor}, found {shape.side}; choose a preset "
            f"with fewer levels or larger {larger}"
        )


def _check_steps(rounds: Rounds, name: str, experiment: LatentExperiment) -> None:
    """No sampler can take more steps than the noise schedule has timesteps."""
    limit = _num_timesteps(rounds, name)
    wanted = {"diffusion.sample_grid.num_steps": experiment.diffusion.sample_grid.num_steps}
    if experiment.diffusion.sample_interval == 0:
        wanted = {}
    if not isinstance(experiment, PretrainExperiment):
        wanted["sampling.num_steps"] = experiment.sampling.num_steps
    for key, steps in wanted.items():
        if limit is not None and steps > limit:
            raise UserError(
                f"{rounds.file(name)}: {key} is {steps}, but the noise schedule has only {limit} "
                f"timesteps; set at most {limit}"
            )


def _num_timesteps(rounds: Rounds, name: str) -> int | None:
    """T of an experiment's noise schedule; None where only the running job can tell."""
    experiment = rounds.experiments[name]
    if isinstance(experiment, PretrainExperiment):
        return experiment.noise_schedule.num_timesteps
    start = rounds.reference(name, "start_from", experiment.start_from)
    if start.experiment is not None:
        return _num_timesteps(rounds, start.experiment)
    return None


def _check_start(
    rounds: Rounds, name: str, experiment: StartedExperiment, shape: LatentShape
) -> None:
    for key in ("start_from", "fakes_from"):
        text = getattr(experiment, key, None)
        if text is None:
            continue
        reference = rounds.reference(name, key, text)
        rounds.denoiser(name, key, text)
        if key == "start_from":
            check_guided_start(rounds, name, reference)
        if reference.directory is not None:
            where = f"{rounds.file(name)}: {key}"
            config = given_model(reference.directory, DENOISERS[shape.dims], where)
            found = config.get("in_channels"), config.get("sample_size")
            if found != (shape.channels, shape.side):
                raise UserError(
                    f"{rounds.file(name)}: {key} is a denoiser for latents of {found[0]} channels "
                    f"and side {found[1]}, but the autoencoder makes {shape.channels} channels and "
                    f"side {shape.side}; choose the autoencoder that it was trained with"
                )
        elif reference.experiment is not None:
            own, other = rounds.data_of(name)[1], rounds.data_of(reference.experiment)[1]
            if own != other:
                raise UserError(
                    f"{rounds.file(name)}: autoencoder is {own!r}, but {key} {text!r} was trained "
                    f"on latents of {other!r}; remove the key or start from another experiment"
                )
            trained = latent_shape(rounds, reference.experiment)
            if trained != shape:
                raise UserError(
                    f"{rounds.file(name)}: dataset {rounds.data_of(name)[0]} gives latents of side "
                    f"{shape.side}, but {key} {text!r} was trained on side {trained.side}; choose "
                    f"a dataset with {data_facts(rounds, name).unit} of the same size"
                )


def _check_discriminator(
    rounds: Rounds, name: str, experiment: AdversarialExperiment, shape: LatentShape
) -> None:
    settings, least = experiment.discriminator, min(shape.sides)
    if shape.dims == 3:
        check_patients(rounds, name, experiment)
    if not rounds.needs(name).discriminator:
        return
    if settings.backbone == "convolutions" and least < 2**settings.num_layers:
        raise UserError(
            f"{rounds.file(name)}: discriminator.num_layers is {settings.num_layers}, which halves "
            f"latents of side {least} to nothing; set at most {least.bit_length() - 1}"
        )
    for iteration in range(experiment.iterations):
        start = rounds.incoming_discriminator(name, iteration)
        if experiment.discriminator_at(iteration).epochs == 0 and start is None:
            raise UserError(
                f"{rounds.file(name)}: discriminator.epochs is 0 in iteration {iteration}, where "
                "none is given; set discriminator.start_from (iteration 0) or warm_start"
            )
    if settings.start_from is not None:
        found = _discriminator_shape(rounds, name, settings.start_from)
        for key, value in _architecture(rounds, name, shape).items():
            if (found.get(key) or False) != value:
                raise UserError(
                    f"{rounds.file(name)}: discriminator.start_from {settings.start_from!r} has "
                    f"{key} {found.get(key)}, expected {value}; give a discriminator for these "
                    "latents, or set base_channels and num_layers as it has them"
                )


def _discriminator_shape(rounds: Rounds, name: str, text: str) -> dict[str, Any]:
    """The architecture of a given discriminator: its directory's, or its experiment's."""
    key = "discriminator.start_from"
    reference = rounds.reference(name, key, text)
    if reference.experiment is None:
        backbone = rounds.adversarial(name).discriminator.backbone == "denoiser"
        kind = "BackboneDiscriminator" if backbone else "LatentDiscriminator"
        return given_model(Path(text), kind, f"{rounds.file(name)}: {key}")
    own, other = rounds.data_of(name)[1], rounds.data_of(reference.experiment)[1]
    if own != other:
        raise UserError(
            f"{rounds.file(name)}: autoencoder is {own!r}, but {key} {text!r} was trained on "
            f"latents of {other!r}; give a discriminator for these latents"
        )
    if not rounds.needs(reference.experiment).discriminator:
        raise UserError(
            f"{rounds.file(name)}: {key} is {text!r}, but the objective of {reference.experiment} "
            "trains no discriminator; give one of another experiment"
        )
    return _architecture(rounds, reference.experiment, latent_shape(rounds, reference.experiment))


def _architecture(rounds: Rounds, name: str, shape: LatentShape) -> dict[str, Any]:
    settings = rounds.adversarial(name).discriminator
    of_volumes = {"spatial_dims": 3} if shape.dims == 3 else {}  # older ones do not say 2
    seen = {
        "latent_channels": shape.channels,
        "noised": rounds.needs(name).discriminator_input == "noised",
    }
    if settings.backbone == "denoiser":
        return of_volumes | seen
    layers = {
        "base_channels": settings.base_channels,
        "num_layers": settings.num_layers,
        "spectral": settings.spectral_norm,
    }
    return of_volumes | seen | layers


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
    if not measures_layouts(rounds, name):
        raise UserError(
            f"{where}: dataset {rounds.data_of(name)[0]} names no classes, so that samples are not "
            "decoded to be judged; add a classes.json, or leave the key out"
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
