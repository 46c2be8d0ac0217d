"""Discriminators of all kinds from their directories, and fresh ones as the settings say."""

from pathlib import Path

from ..artefacts.latents import LatentsInfo, require_shape, side_of
from ..artefacts.models import load_model, read_config
from ..errors import UserError
from ..models.backbone import BackboneDiscriminator, from_denoiser
from ..models.denoiser import load_denoiser
from ..models.discriminator import LatentDiscriminator
from ..models.guided import GuidedDenoiser
from ..randomness import seeded_initialisation
from ..settings.stages import TrainDiscriminator
from ..training.critic import Discriminator


def load_discriminator(directory: Path, info: LatentsInfo, noised: bool = False) -> Discriminator:
    """A discriminator for latents of this shape; it may know their conditions or none.

    Raises UserError also for one of clean latents where it is to see `noised` ones, or vice versa.
    """
    kinds = {kind.__name__: kind for kind in (LatentDiscriminator, BackboneDiscriminator)}
    name = read_config(directory).get("_class_name")
    model: Discriminator = load_model(kinds.get(str(name), LatentDiscriminator), directory)
    require_shape(info, model.config.latent_channels, side_of(info.shape), str(directory))
    if model.config.spatial_dims != len(info.shape) - 1:
        raise UserError(
            f"{directory}: a discriminator of latents of {model.config.spatial_dims} dimensions, "
            f"but {info.path} has {list(info.shape)}; give one for these latents"
        )
    if model.config.num_conditions not in (0, len(info.conditions)):
        raise UserError(
            f"{directory}: a discriminator of {model.config.num_conditions} conditions, but "
            f"{info.path} has {len(info.conditions) or 'none'}; give one for these latents"
        )
    if model.config.noised != noised:
        kind, other = ("noised", "clean") if model.config.noised else ("clean", "noised")
        raise UserError(
            f"{directory}: a discriminator of {kind} latents, but the objective shows it {other} "
            "ones; give one that was trained with the same kind of objective"
        )
    return model


def build_discriminator(
    s: TrainDiscriminator, info: LatentsInfo, num_conditions: int, denoiser: Path | None
) -> Discriminator:
    """A fresh one; with `backbone: denoiser` it begins as the encoder of that denoiser."""
    dims = len(info.shape) - 1
    with seeded_initialisation(s.seed, "discriminator", s.iteration):
        if s.discriminator.backbone == "denoiser":
            if denoiser is None:
                raise UserError("--denoiser is missing, which discriminator.backbone names")
            model = load_denoiser(denoiser)[0]
            inner = model.unguided if isinstance(model, GuidedDenoiser) else model
            return from_denoiser(inner, num_conditions, dims, s.noised)
        return LatentDiscriminator(
            info.shape[0],
            s.discriminator.base_channels,
            s.discriminator.num_layers,
            num_conditions,
            spatial_dims=dims,
            noised=s.noised,
            spectral=s.discriminator.spectral_norm,
        )
