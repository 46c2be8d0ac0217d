"""Which conditions samples of a class-conditional denoiser have."""

from dataclasses import dataclass

import numpy as np

from ..artefacts.latents import LatentsInfo, read_conditions
from ..errors import UserError
from ..randomness import Key, key_seed


@dataclass(frozen=True)
class Conditions:
    """Conditions drawn as often as latents of the training data have them.

    A sample's condition is keyed like its noise, so that neither batches nor shards change it.
    """

    names: list[str]
    drawn_from: np.ndarray
    """Numbers of conditions, int64 `[N]`."""
    key: tuple[Key, ...]
    """The seed, then what the samples are for."""

    def of(self, numbers: range) -> np.ndarray:
        """The numbers of the conditions of these samples, int64 `[B]`."""
        seed, *key = self.key
        rows = [key_seed(int(seed), *key, "condition", n) % len(self.drawn_from) for n in numbers]
        return self.drawn_from[rows]


def conditions_of(latents: LatentsInfo, *key: Key, only: str | None = None) -> Conditions:
    """As the latents have them, or all samples of one condition, by name.

    Raises UserError where no condition has that name.
    """
    drawn_from = read_conditions(latents)
    if drawn_from is None:
        raise UserError(f"{latents.path}: names no conditions; give latents of a dataset with them")
    if only is not None:
        if only not in latents.conditions:
            raise UserError(
                f"condition is {only!r}, but {latents.path} knows only "
                f"{', '.join(latents.conditions)}"
            )
        drawn_from = np.array([latents.conditions.index(only)], dtype=np.int64)
    return Conditions(latents.conditions, drawn_from, key)
