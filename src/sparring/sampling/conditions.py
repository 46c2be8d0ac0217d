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
    seed: int
    key: tuple[Key, ...]
    """What the samples are for."""

    def of(self, numbers: range) -> np.ndarray:
        """The numbers of the conditions of these samples, int64 `[B]`."""
        count, key = len(self.drawn_from), (*self.key, "condition")
        return self.drawn_from[[key_seed(self.seed, *key, n) % count for n in numbers]]


def conditions_of(
    latents: LatentsInfo, seed: int, *key: Key, only: str | None = None
) -> Conditions:
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
    return Conditions(latents.conditions, drawn_from, seed, key)
