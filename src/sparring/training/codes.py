"""What a training does to a codebook: begin it, follow the latents, restart dead codes."""

from typing import NamedTuple

import torch
from torch import Tensor

from ..distributed import Group
from ..models.codebook import EmaCodebook, Usage
from ..randomness import numpy_generator
from ..settings.vqgan import CodebookSettings


class Seen(NamedTuple):
    """Latents `[B,C,d,h,w]` of some patches, and the codes that they took, `[B,d,h,w]`."""

    latents: Tensor
    indices: Tensor


class CodebookTraining:
    """Keeps the codebooks of all processes alike."""

    def __init__(
        self, codebook: EmaCodebook, settings: CodebookSettings, group: Group, seed: int
    ) -> None:
        self.codebook, self.settings = codebook, settings
        self._group, self._seed = group, seed

    def should_begin(self, n: int) -> bool:
        """Whether latents are rounded from step n on, but the codes have no place yet."""
        return n >= self.settings.start_step and not self.codebook.initialised

    def begin(self, latents: Tensor, n: int) -> None:
        """Place the codes at latents `[B,C,d,h,w]` drawn at random."""
        self.codebook.initialise(self._drawn([latents], n))

    @torch.no_grad()
    def follow(self, seen: list[Seen], part: float, n: int) -> Tensor:
        """Move the codes to the latents of a batch that took them, and restart dead ones when
        their time has come; how many are dead, a scalar.

        `part` is 0 in a process that had no patch of its own.
        """
        book = self.codebook
        if not book.initialised:
            return seen[0].latents.new_zeros(())
        usages = [book.usage(*one) for one in seen]
        counts, sums = (torch.stack(parts).sum(0) for parts in zip(*usages, strict=True))
        if part == 0:
            counts, sums = torch.zeros_like(counts), torch.zeros_like(sums)
        self._group.sum_([counts, sums])
        book.update(Usage(counts, sums))
        dead = book.dead(self.settings.restart_below)
        if (n + 1) % self.settings.restart_interval == 0:
            book.restart(dead, self._drawn([one.latents for one in seen], n))
        return dead.sum().float()

    def _drawn(self, latents: list[Tensor], n: int) -> Tensor:
        """One cell per code, `[K,C]`, from the main process's latents, alike in all processes."""
        cells = torch.cat([one.movedim(1, -1).flatten(0, -2) for one in latents])
        draw, count = numpy_generator(self._seed, "codes", n), self.codebook.num_codes
        chosen = draw.choice(len(cells), size=count, replace=len(cells) < count)
        drawn = cells[torch.from_numpy(chosen).to(cells.device)]
        if not self._group.is_main:
            drawn = torch.zeros_like(drawn)
        self._group.sum_([drawn])
        return drawn
