"""An old file as a flat list of values, each under the usual name of its place."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

FLAG_RANK, SPECIFIC_RANK, USUAL_RANK = 0, 1, 2

# Groups that mean the same: the usual one, and what is taken for it, replaced in this order. What
# was said of one stage only counts before what was said of all.
SAME_GROUPS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("discriminator", ("adversarial.discriminator",)),
    ("training", ("adversarial.diffusion_finetune", "train", "trainer")),
    ("experiment", ("exp",)),
    ("sampling", ("adversarial.fake_sampling", "adversarial.generation", "generation",
                  "training.sampling", "diffusion.sampling")),
    ("autoencoder", ("diffusion.autoencoder", "model.autoencoder", "vae", "ae")),
    ("autoencoder", ("autoencoder.config", "autoencoder.encoder")),
    ("dataset", ("data",)),
    ("dataset.split", ("dataset.splits", "training.split")),
    ("training.optimizer", ("optimizer",)),
    ("training.optimizer", ("training.optimizer.params", "training.optimizer.config")),
    ("training.scheduler", ("lr_scheduler", "training.lr_scheduler")),
    ("training.scheduler", ("training.scheduler.params", "training.scheduler.config")),
    ("training.loss", ("loss", "losses", "training.losses")),
    ("diffusion", ("model",)),
    ("diffusion.unet", ("unet", "denoiser", "diffusion.model")),
    ("diffusion.unet", ("diffusion.unet.params", "diffusion.unet.config")),
    ("diffusion.scheduler", ("scheduler", "noise_scheduler", "noise_schedule",
                             "diffusion.noise_scheduler", "diffusion.noise_schedule")),
    ("diffusion.scheduler", ("diffusion.scheduler.params", "diffusion.scheduler.config")),
    ("discriminator", ("discriminator.config", "discriminator.training")),
)  # fmt: skip
_OF_ONE_STAGE = ("adversarial.discriminator", "adversarial.diffusion_finetune")


@dataclass(frozen=True)
class Leaf:
    """One value of an old file, or one flag."""

    old: str
    """Where it stands, as the user wrote it: `training.loss.losses[0].weight`, `--seed`."""
    name: str
    """The usual name of that place: lower case, underscores, the usual groups."""
    value: Any
    """A number, a text, true or false, nothing, or a list of such; or an empty group."""
    rank: int = USUAL_RANK
    """Less counts before more where two places say the same thing."""


def leaves_of(data: Any, place: str = "") -> Iterator[Leaf]:
    """Every value below a mapping, in its order; nothing of it is left out."""
    if isinstance(data, dict) and data:
        for key, value in data.items():
            yield from leaves_of(value, f"{place}.{key}" if place else str(key))
    elif isinstance(data, list) and any(isinstance(item, dict | list) for item in data):
        for position, item in enumerate(data):
            yield from leaves_of(item, f"{place}[{position}]")
    else:
        name, rank = usual_name(place)
        yield Leaf(place, name, data, rank)


def flag(name: str, value: Any) -> Leaf:
    """One flag of a call, `--seed 3`; flags count before what a file says."""
    return Leaf(name, name, value, FLAG_RANK)


def usual_name(place: str) -> tuple[str, int]:
    """The usual name of a place, and its rank."""
    name, rank = place.lower().replace("-", "_"), USUAL_RANK
    for usual, others in SAME_GROUPS:
        for other in others:
            if name == other or name.startswith((f"{other}.", f"{other}[")):
                name = usual + name[len(other) :]
                rank = SPECIFIC_RANK if other in _OF_ONE_STAGE else rank
    return name, rank
