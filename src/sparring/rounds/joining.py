"""Reading the requested experiments, and through their keys all that they need."""

from pathlib import Path
from typing import Any

from ..errors import UserError
from ..settings.config import Config
from ..settings.experiment import AdversarialExperiment, LatentExperiment, PretrainExperiment
from ..settings.reading import validate
from ..settings.vqgan_experiment import VqganExperiment
from .experiment_files import ExperimentFiles
from .loading import Rounds
from .references import parse_reference, parse_vqgan_reference
from .sweeps import SEPARATOR


def load_rounds(config: dict[str, Any], source: str = "config/config.yaml") -> Rounds:
    """Read the requested experiments and, through `start_from` and its like, all they need.

    Raises UserError for unknown keys and wrong types, unknown experiments and cycles.
    """
    settings: Config = validate(config, Config, source)
    files = ExperimentFiles(Path(settings.experiments_dir))
    rounds = Rounds(settings, source, [], {}, files)
    for wanted in settings.experiments:
        for name in files.members(wanted):
            if name not in rounds.requested:
                rounds.requested.append(name)
            _load(rounds, name, chain=(), wanted_by=f"{source}: experiments")
    return rounds


def _load(rounds: Rounds, name: str, chain: tuple[str, ...], wanted_by: str) -> None:
    if name in chain:
        raise UserError(f"{wanted_by}: experiments form a cycle: {' -> '.join((*chain, name))}")
    if name in rounds.experiments or name in rounds.vqgans:
        return
    experiment = rounds.files.read(name, wanted_by)
    if isinstance(experiment, VqganExperiment):
        _load_vqgan(rounds, name, experiment, chain)
        return
    _add(rounds, name, experiment)
    _load_encoder(rounds, name, experiment, chain)
    for key, text in _references(rounds.experiments[name]):
        reference = parse_reference(text, rounds.file(name), key)
        if reference.experiment is not None:
            _load(rounds, reference.experiment, (*chain, name), f"{rounds.file(name)}: {key}")
            _require_kind(rounds, name, key, text, reference.experiment, of_volumes=False)


def _load_encoder(
    rounds: Rounds, name: str, experiment: LatentExperiment, chain: tuple[str, ...]
) -> None:
    """The VQ-GAN whose latents an experiment works on, where it names an experiment's."""
    text = experiment.autoencoder
    if text is None or text in rounds.config.autoencoders:
        return
    other = text.partition("@")[0]
    if other in rounds.files:
        _load(rounds, other, (*chain, name), f"{rounds.file(name)}: autoencoder")
        _require_kind(rounds, name, "autoencoder", text, other, of_volumes=True)


def _load_vqgan(
    rounds: Rounds, name: str, experiment: VqganExperiment, chain: tuple[str, ...]
) -> None:
    rounds.vqgans[name] = experiment
    text = experiment.start_from
    reference = parse_vqgan_reference(text, rounds.file(name)) if text else ""
    if text and not isinstance(reference, str):
        _load(rounds, reference[0], (*chain, name), f"{rounds.file(name)}: start_from")
        _require_kind(rounds, name, "start_from", text, reference[0], of_volumes=True)


def _require_kind(
    rounds: Rounds, name: str, key: str, text: str, target: str, of_volumes: bool
) -> None:
    """Models of layouts and of volumes do not go on from each other."""
    if (target in rounds.vqgans) != of_volumes:
        found = rounds.of_any_kind(target).kind
        wanted = "vqgan" if of_volumes else "pretrain, finetune or adversarial"
        raise UserError(
            f"{rounds.file(name)}: {key} is {text!r}, but {target} is of kind {found}, expected "
            f"one of kind {wanted}"
        )


def _add(rounds: Rounds, name: str, experiment: LatentExperiment) -> None:
    """An experiment, and a copy of it for every further seed."""
    seeds = getattr(experiment, "seeds", ())
    if not seeds:
        rounds.experiments[name] = experiment
        return
    first, *others = [experiment.model_copy(update={"seed": s, "seeds": ()}) for s in seeds]
    rounds.experiments[name] = first
    rounds.repeats[name] = [f"{name}{SEPARATOR}seed_{other.seed}" for other in others]
    rounds.experiments |= dict(zip(rounds.repeats[name], others, strict=True))


def _references(experiment: LatentExperiment) -> list[tuple[str, str]]:
    if isinstance(experiment, PretrainExperiment):
        return []
    keys: dict[str, str | None] = {"start_from": experiment.start_from}
    if isinstance(experiment, AdversarialExperiment):
        keys |= {
            "fakes_from": experiment.fakes_from,
            "discriminator.start_from": experiment.discriminator.start_from,
        }
    return [(key, text) for key, text in keys.items() if text is not None]
