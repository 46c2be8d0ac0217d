"""Refusals before any job starts: what the settings and the data's own files already tell."""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from ..data.images import ImageSource
from ..data.manifest import count_originals, read_manifest
from ..errors import UserError
from ..models.presets import PRESETS
from ..settings.autoencoder import AutoencoderSettings
from ..settings.dataset import ManifestDataset, ProceduralDataset
from ..settings.experiment import AdversarialExperiment, Experiment, PretrainExperiment
from ..settings.parts import DiscriminatorSettings
from .loading import Rounds


@dataclass(frozen=True)
class DatasetFacts:
    """What is known of a dataset before it is packed."""

    side: int
    train_originals: int
    train_rows: int
    test_rows: int


@dataclass(frozen=True)
class LatentShape:
    """`[channels, side, side]`."""

    channels: int
    side: int


def check_rounds(rounds: Rounds) -> None:
    """Raise UserError for the first thing that cannot work; collect warnings in `rounds`."""
    for name, experiment in rounds.experiments.items():
        _require_known(rounds, name, "dataset", experiment.dataset, rounds.config.datasets)
        known = rounds.config.autoencoders
        _require_known(rounds, name, "autoencoder", experiment.autoencoder, known)
    for name, settings in rounds.config.autoencoders.items():
        where = f"config.yaml: autoencoders.{name}"
        if settings.dataset not in rounds.config.datasets:
            raise UserError(
                f"{where}.dataset is {settings.dataset!r}, expected one of "
                f"{', '.join(sorted(rounds.config.datasets))}"
            )
    for name, experiment in rounds.experiments.items():
        shape = latent_shape(rounds, name)
        _check_steps(rounds, name, experiment)
        if isinstance(experiment, PretrainExperiment):
            _check_preset(rounds, name, experiment, shape)
        else:
            _check_start(rounds, name, experiment, shape)
            _check_discriminator(rounds, name, experiment, shape)
            _check_counts(rounds, name, experiment)


def latent_shape(rounds: Rounds, name: str) -> LatentShape:
    """The latents of an experiment; refuses layouts that the autoencoder cannot halve evenly."""
    dataset, autoencoder = rounds.data_of(name)
    settings = rounds.config.autoencoders[autoencoder]
    channels, factor = _autoencoder_shape(settings, autoencoder)
    side = dataset_facts(rounds, dataset).side
    if side % factor:
        raise UserError(
            f"config.yaml: datasets.{dataset} has layouts of {side} pixels, not divisible by the "
            f"factor {factor} of autoencoder {autoencoder}; set datasets.{dataset}.resize to a "
            f"multiple of {factor}"
        )
    return LatentShape(channels, side // factor)


def dataset_facts(rounds: Rounds, dataset: str) -> DatasetFacts:
    """Size and counts of a dataset from its manifest and first image."""
    settings = rounds.config.datasets[dataset]
    if isinstance(settings, ProceduralDataset):
        n = settings.num_layouts
        num_val = max(1, round(settings.split.val * n))
        num_test = max(1, round(settings.split.test * n))
        train = n - num_val - num_test
        return DatasetFacts(settings.size, train, train, num_test)
    return _manifest_facts(settings.model_dump_json())


@cache
def _manifest_facts(settings_json: str) -> DatasetFacts:
    settings = ManifestDataset.model_validate_json(settings_json)
    entries = read_manifest(settings)
    copies = 8 if settings.augmented == "dihedral" else 1
    rows = {s: sum(e.row.split == s for e in entries) * copies for s in ("train", "test")}
    side = settings.resize
    if side is None:
        side = ImageSource(settings.manifest).open(entries[0].layout_path).width
    return DatasetFacts(side, count_originals(entries), rows["train"], rows["test"])


def _require_known(
    rounds: Rounds, name: str, key: str, value: str | None, known: dict[str, Any]
) -> None:
    if value is not None and value not in known:
        raise UserError(
            f"{rounds.file(name)}: {key} is {value!r}, but config.yaml has only "
            f"{', '.join(sorted(known))}"
        )


def _autoencoder_shape(settings: AutoencoderSettings, name: str) -> tuple[int, int]:
    if settings.start_from is None:
        return settings.latent_channels, settings.factor
    where = f"config.yaml: autoencoders.{name}.start_from"
    config = _model_config(settings.start_from, "AutoencoderKL", where)
    return config["latent_channels"], 2 ** (len(config["block_out_channels"]) - 1)


def _check_preset(
    rounds: Rounds, name: str, experiment: PretrainExperiment, shape: LatentShape
) -> None:
    factor = PRESETS[experiment.denoiser.preset].factor
    if shape.side % factor:
        raise UserError(
            f"{rounds.file(name)}: denoiser.preset {experiment.denoiser.preset} needs latents "
            f"whose side is a multiple of {factor}, found {shape.side}; choose a preset with fewer "
            "levels or larger layouts"
        )


def _check_steps(rounds: Rounds, name: str, experiment: Experiment) -> None:
    """No sampler can take more steps than the noise schedule has timesteps."""
    limit = _num_timesteps(rounds, name)
    wanted = {"diffusion.sample_grid.num_steps": experiment.diffusion.sample_grid.num_steps}
    if experiment.diffusion.sample_interval == 0:
        wanted = {}
    if isinstance(experiment, AdversarialExperiment):
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
    rounds: Rounds, name: str, experiment: AdversarialExperiment, shape: LatentShape
) -> None:
    for key in ("start_from", "fakes_from"):
        text = getattr(experiment, key)
        if text is None:
            continue
        reference = rounds.reference(name, key, text)
        rounds.denoiser(name, key, text)
        if reference.directory is not None:
            where = f"{rounds.file(name)}: {key}"
            config = _model_config(reference.directory, "UNet2DModel", where)
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
                    "a dataset with layouts of the same size"
                )


def _check_discriminator(
    rounds: Rounds, name: str, experiment: AdversarialExperiment, shape: LatentShape
) -> None:
    settings = experiment.discriminator
    if shape.side < 2**settings.num_layers:
        raise UserError(
            f"{rounds.file(name)}: discriminator.num_layers is {settings.num_layers}, which halves "
            f"latents of side {shape.side} to nothing; set at most {shape.side.bit_length() - 1}"
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
        for key, value in _architecture(settings, shape).items():
            if found.get(key) != value:
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
        return _model_config(Path(text), "LatentDiscriminator", f"{rounds.file(name)}: {key}")
    own, other = rounds.data_of(name)[1], rounds.data_of(reference.experiment)[1]
    if own != other:
        raise UserError(
            f"{rounds.file(name)}: autoencoder is {own!r}, but {key} {text!r} was trained on "
            f"latents of {other!r}; give a discriminator for these latents"
        )
    settings = rounds.adversarial(reference.experiment).discriminator
    return _architecture(settings, latent_shape(rounds, reference.experiment))


def _architecture(settings: DiscriminatorSettings, shape: LatentShape) -> dict[str, Any]:
    return {
        "latent_channels": shape.channels,
        "base_channels": settings.base_channels,
        "num_layers": settings.num_layers,
    }


def _check_counts(rounds: Rounds, name: str, experiment: AdversarialExperiment) -> None:
    dataset = rounds.data_of(name)[0]
    facts = dataset_facts(rounds, dataset)
    as_training = experiment.discriminator.reals == "as_training" and experiment.diffusion.augmented
    available = facts.train_rows if as_training else facts.train_originals
    wanted = max(experiment.num_samples_at(n) for n in range(experiment.iterations))
    if wanted > available and not experiment.allow_fewer_reals:
        raise UserError(
            f"{rounds.file(name)}: num_samples is {wanted}, but dataset {dataset} has {available} "
            f"training layouts to draw reals from; set num_samples: {available} or "
            "allow_fewer_reals: true"
        )
    if facts.test_rows < 2 * experiment.evaluation.feature_dim:
        raise UserError(
            f"{rounds.file(name)}: evaluation.feature_dim is {experiment.evaluation.feature_dim}, "
            f"but dataset {dataset} holds out only {facts.test_rows} test layouts; set at most "
            f"{facts.test_rows // 2}"
        )
    copies = facts.train_rows > facts.train_originals and experiment.diffusion.augmented
    if copies and not as_training:
        rounds.warnings.append(
            f"{name}: the denoiser trains on augmented copies but reals are originals only, so "
            "orientation is a cue; set discriminator.reals: as_training or diffusion.augmented: "
            "false"
        )


def _model_config(directory: Path, kind: str, where: str) -> dict[str, Any]:
    """config.json of a model directory that holds a model of class `kind`."""
    path = directory / "config.json"
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(
            f"{where} is {str(directory)!r}, but {path} cannot be read ({error}); expected a "
            "diffusers model directory"
        ) from error
    found = config.get("_class_name") if isinstance(config, dict) else None
    if found != kind:
        raise UserError(
            f"{where} is {str(directory)!r}, which holds a {found}, expected a diffusers model "
            f"directory of a {kind}"
        )
    return config
