"""Refusals about conditions: models and data must know the same ones."""

from ..errors import UserError
from ..settings.experiment import AdversarialExperiment, PretrainExperiment
from .encodings import DENOISERS, is_layouts_autoencoder
from .given_models import given_model
from .loading import Rounds
from .shapes import data_facts


def check_conditions(rounds: Rounds, name: str) -> None:
    """Raise UserError where an experiment's denoisers or discriminator know other conditions than
    its data, or where guidance is asked of an unconditional one."""
    experiment = rounds.experiments[name]
    own = _conditions(rounds, name)
    _check_guidance(rounds, name, bool(own))
    if isinstance(experiment, PretrainExperiment):
        return
    for key in ("start_from", "fakes_from"):
        text = getattr(experiment, key, None)
        if text is not None:
            _check_denoiser(rounds, name, key, text)
    if isinstance(experiment, AdversarialExperiment) and experiment.discriminator.start_from:
        _check_discriminator(rounds, name, experiment.discriminator.start_from)


def _check_denoiser(rounds: Rounds, name: str, key: str, text: str) -> None:
    own, reference = _conditions(rounds, name), rounds.reference(name, key, text)
    where = f"{rounds.file(name)}: {key}"
    if reference.experiment is not None:
        other = _conditions(rounds, reference.experiment)
        if own != other:
            raise _other_conditions(rounds, name, f"{where} {text!r} was trained", other)
        return
    assert reference.directory is not None
    kind = DENOISERS[2 if is_layouts_autoencoder(rounds, name) else 3]
    embeddings = given_model(reference.directory, kind, where).get("num_class_embeds")
    known = embeddings - 1 if embeddings else 0  # the last stands for no condition
    if known != len(own):
        raise UserError(
            f"{where} is {text!r}, a denoiser of {known or 'no'} conditions, but dataset "
            f"{rounds.data_of(name)[0]} has {len(own) or 'none'}; set the dataset's condition as "
            "it was when the denoiser was trained"
        )


def _check_discriminator(rounds: Rounds, name: str, text: str) -> None:
    """A discriminator without conditions may judge latents that have some."""
    key, own = "discriminator.start_from", _conditions(rounds, name)
    where, reference = f"{rounds.file(name)}: {key}", rounds.reference(name, key, text)
    if reference.experiment is not None:
        other = _conditions(rounds, reference.experiment)
        if other and own != other:
            raise _other_conditions(rounds, name, f"{where} {text!r} was trained", other)
        return
    assert reference.directory is not None
    config = given_model(reference.directory, "LatentDiscriminator", where)
    if config.get("num_conditions", 0) not in (0, len(own)):
        raise UserError(
            f"{where} is {text!r}, a discriminator of {config['num_conditions']} conditions, but "
            f"dataset {rounds.data_of(name)[0]} has {len(own) or 'none'}; give one for this data"
        )


def _check_guidance(rounds: Rounds, name: str, conditional: bool) -> None:
    experiment = rounds.experiments[name]
    scales = {"diffusion.sample_grid": experiment.diffusion.sample_grid.guidance_scale}
    if not isinstance(experiment, PretrainExperiment):
        scales["sampling"] = experiment.sampling.guidance_scale
    for group, scale in scales.items():
        if scale != 1 and not conditional:
            raise UserError(
                f"{rounds.file(name)}: {group}.guidance_scale is {scale:g}, but dataset "
                f"{rounds.data_of(name)[0]} names no condition, so that its denoisers are "
                "unconditional; set the dataset's condition, or leave the key out"
            )
        if scale != 1 and experiment.diffusion.condition_dropout == 0:
            rounds.warnings.append(
                f"{name}: {group}.guidance_scale is {scale:g}, but diffusion.condition_dropout is "
                "0, so that training never shows the denoiser a latent without its condition"
            )


def _conditions(rounds: Rounds, name: str) -> tuple[str, ...]:
    return data_facts(rounds, name).conditions


def _other_conditions(rounds: Rounds, name: str, start: str, other: tuple[str, ...]) -> UserError:
    own = _conditions(rounds, name)
    return UserError(
        f"{start} with {_listed(other)}, but dataset {rounds.data_of(name)[0]} has {_listed(own)}; "
        "use the dataset that it was trained on"
    )


def _listed(conditions: tuple[str, ...]) -> str:
    shown = ", ".join(conditions[:5]) + (", ..." if len(conditions) > 5 else "")
    return f"the conditions {shown}" if conditions else "no conditions"
