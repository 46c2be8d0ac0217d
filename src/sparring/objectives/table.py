"""What the workflow must know of an objective before any of its code runs."""

from dataclasses import dataclass
from typing import Literal

from ..settings.objective import Objective

FEWEST_FAKES = 8
"""Of fakes that train; with fewer, what chooses the epoch would hang on a single one of them."""
_HELD_OUT = 0.2


def held_out_fakes(count: int) -> int:
    """How many of the fakes that train validate instead."""
    return max(1, round(_HELD_OUT * count))


@dataclass(frozen=True)
class Needs:
    """What an objective changes outside its loss."""

    discriminator: bool
    """Iterations have a discriminator stage, and draw reals for it."""
    fakes: bool
    """Iterations sample fakes."""
    fakes_in_training: bool
    """Fine-tuning reads the fakes."""
    guided_sampling: bool
    """The denoiser is not trained: sampling follows the discriminator's gradient."""
    discriminator_input: Literal["clean", "noised"]
    """What the discriminator is trained on."""
    usual_ratio: float = 1.25
    """Time of an iteration in those of its control: for where it was not measured."""


NEEDS: dict[Objective, Needs] = {
    "x0_bce": Needs(
        discriminator=True,
        fakes=True,
        fakes_in_training=False,
        guided_sampling=False,
        discriminator_input="clean",
    ),
    "noised": Needs(
        discriminator=True,
        fakes=True,
        fakes_in_training=False,
        guided_sampling=False,
        discriminator_input="noised",
    ),
    "guidance": Needs(
        discriminator=True,
        fakes=True,
        fakes_in_training=False,
        guided_sampling=True,
        discriminator_input="noised",
    ),
    "ddo": Needs(
        discriminator=False,
        fakes=True,
        fakes_in_training=True,
        guided_sampling=False,
        discriminator_input="clean",
        usual_ratio=3.0,
    ),
}
