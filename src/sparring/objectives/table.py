"""What the workflow must know of an objective before any of its code runs."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Needs:
    """What an objective changes outside its loss."""

    discriminator: bool
    """Iterations have a discriminator stage."""
    fakes: bool
    """Iterations sample fakes."""
    guided_sampling: bool
    """Sampling uses the discriminator's gradient."""
    discriminator_input: Literal["clean", "noised"]
    """What the discriminator is trained on."""


NEEDS: dict[str, Needs] = {
    "x0_bce": Needs(
        discriminator=True, fakes=True, guided_sampling=False, discriminator_input="clean"
    ),
}
