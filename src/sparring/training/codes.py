"""What a training does to a codebook: begin it, follow the latents, restart dead codes."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..distributed import Group
from ..models.codebook import EmaCodebook, Usage
from ..randomness import numpy_generator
from ..settings.vqgan import CodebookTraining


class Seen(NamedTuple):
    """What a process saw of a batch."""

    numbers: Sequence[int]
    """Which of its patches."""
    latents: Tensor
    """`[B,C,d,h,w]`."""
    indices: Tensor | None = None
    """The codes that they took, `[B,d,h,w]`; None where they were not rounded."""


class CodeKeeper:
    """Keeps the codebooks of all processes alike."""

    def __init__(
        self,
        codebook: EmaCodebook,
        settings: CodebookTraining,
        group: Group,
        batch_size: int,
        seed: int,
    ) -> None:
        """`batch_size` is that of all processes together."""
        self.codebook, self.settings = codebook, settings
        self._group, self._batch_size, self._seed = group, batch_size, seed

    def should_begin(self, n: int) -> bool:
        """Whether latents are rounded from step n on, but the codes have no place yet."""
        return n >= self.settings.start_step and not self.codebook.initialised

    def begin(self, seen: list[Seen], part: float, n: int) -> None:
        """Place the codes at latents drawn at random."""
        self.codebook.initialise(self._drawn(seen, part, n))

    @torch.no_grad()
    def follow(self, seen: list[Seen], part: float, n: int) -> Tensor:
        """Move the codes to the latents of a batch that took them, and restart dead ones when
        their time has come; how many are dead, a scalar.

        `part` is 0 in a process that had no patch of its own.
        """
        book = self.codebook
        if not book.initialised:
            return seen[0].latents.new_zeros(())
        usages = [book.usage(one.latents, one.indices) for one in seen if one.indices is not None]
        counts, sums = (torch.stack(parts).sum(0) for parts in zip(*usages, strict=True))
        if part == 0:
            counts, sums = torch.zeros_like(counts), torch.zeros_like(sums)
        self._group.sum_([counts, sums])
        book.update(Usage(counts, sums))
        dead = book.dead(self.settings.restart_below)
        if (n + 1) % self.settings.restart_interval == 0:
            book.restart(dead, self._drawn(seen, part, n))
        return dead.sum().float()

    def _drawn(self, seen: list[Seen], part: float, n: int) -> Tensor:
        """One cell per code, `[K,C]`, drawn from the whole batch; each process gives its own."""
        own = [number for one in seen for number in one.numbers] if part else []
        latents = torch.cat([one.latents for one in seen])
        cells = latents.movedim(1, -1).flatten(1, -2)
        per_patch, count = cells.shape[1], self.codebook.num_codes
        total, draw = self._batch_size * per_patch, numpy_generator(self._seed, "codes", n)
        chosen = draw.choice(total, size=count, replace=total < count)
        drawn = cells.new_zeros(count, cells.shape[2])
        for place, number in enumerate(own):
            codes = np.flatnonzero(chosen // per_patch == number)
            drawn[codes] = cells[place, chosen[codes] % per_patch]
        self._group.sum_([drawn])
        return drawn
