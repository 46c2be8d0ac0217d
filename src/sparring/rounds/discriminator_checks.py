"""Refusals of discriminators that do not fit the latents, or that nothing trains."""

from pathlib import Path
from typing import Any

from ..errors import UserError
from ..settings.experiment import AdversarialExperiment
from .facts import LatentShape
from .given_models import given_model
from .loading import Rounds
from .shapes import latent_shape
from .volume_checks import check_patients


def check_discriminator(
    rounds: Rounds, name: str, experiment: AdversarialExperiment, shape: LatentShape
) -> None:
    """Refuse a discriminator that does not fit the latents, or that nothing trains; on volumes also
    patients too few to be split."""
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
