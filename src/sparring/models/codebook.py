"""What latents are rounded to: a learnt codebook, or a fixed grid."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

_SMALLEST_COUNT = 1e-5


class Quantised(NamedTuple):
    """Latents and what they were rounded to."""

    latents: Tensor
    """`[B,C,d,h,w]`, rounded; the gradient passes as if they were not."""
    indices: Tensor
    """The code of each cell, int64 `[B,d,h,w]`."""
    commitment: Tensor
    """Mean squared distance of the latents to their codes, `[B]`; the codes get no gradient."""


class Usage(NamedTuple):
    """What a batch says about the codes."""

    counts: Tensor
    """Cells that took each code, `[K]`."""
    sums: Tensor
    """Sum of the latents that took it, `[K,C]`."""


class EmaCodebook(nn.Module):
    """Codes that follow the latents which take them (van den Oord et al. 2017, eq. 6 to 8).

    Until it is initialised from data it lets latents pass as they are: rounded to codes from the
    first step on, they all move to one of them before the decoder has learnt to tell them apart.

    All of its state is in buffers, saved with the model's weights: a model that goes on from its
    directory goes on with the codebook and its averages, and is not initialised again.
    """

    codes: Tensor
    counts: Tensor
    sums: Tensor
    initialised: Tensor

    def __init__(self, num_codes: int, code_dim: int, decay: float) -> None:
        super().__init__()
        self.decay = decay
        self.register_buffer("codes", torch.zeros(num_codes, code_dim))
        self.register_buffer("counts", torch.zeros(num_codes))
        self.register_buffer("sums", torch.zeros(num_codes, code_dim))
        self.register_buffer("initialised", torch.zeros((), dtype=torch.bool))

    @property
    def num_codes(self) -> int:
        """K."""
        return len(self.codes)

    def forward(self, latents: Tensor) -> Quantised:
        """Round each cell of `[B,C,d,h,w]` float32 to its nearest code."""
        if not self.initialised:
            nothing = torch.zeros_like(latents[:, 0], dtype=torch.long)
            return Quantised(latents, nothing, latents.new_zeros(len(latents)))
        cells = _cells(latents)
        indices = self.nearest(cells.detach()).view(latents.shape[0], *latents.shape[2:])
        rounded = self.lookup(indices)
        commitment = (latents - rounded).square().flatten(1).mean(1)
        return Quantised(latents + (rounded - latents).detach(), indices, commitment)

    def nearest(self, cells: Tensor) -> Tensor:
        """Index of the code with the least squared distance.   [N,C] -> [N] int64.

        The cell's own square is the same for all codes and left out.
        """
        distances = torch.addmm(self.codes.square().sum(1), cells, self.codes.T, alpha=-2)
        return distances.argmin(1)

    def lookup(self, indices: Tensor) -> Tensor:
        """Codes of indices.   [B,d,h,w] -> [B,C,d,h,w]."""
        return self.codes[indices].movedim(-1, 1)

    def usage(self, latents: Tensor, indices: Tensor) -> Usage:
        """What these latents `[B,C,d,h,w]` say about the codes; nothing is changed."""
        cells, taken = _cells(latents.detach()), indices.flatten()
        counts = torch.bincount(taken, minlength=self.num_codes).to(cells.dtype)
        return Usage(counts, torch.zeros_like(self.codes).index_add_(0, taken, cells))

    @torch.no_grad()
    def initialise(self, cells: Tensor) -> None:
        """Start from cells `[K,C]` of the data, each counting alike."""
        self.codes.copy_(cells)
        self.sums.copy_(cells)
        self.counts.fill_(1.0)
        self.initialised.fill_(True)

    @torch.no_grad()
    def update(self, usage: Usage) -> None:
        """Move the averages, and the codes with them."""
        self.counts.lerp_(usage.counts, 1 - self.decay)
        self.sums.lerp_(usage.sums, 1 - self.decay)
        followed = self.counts > _SMALLEST_COUNT
        means = self.sums / self.counts.clamp_min(_SMALLEST_COUNT)[:, None]
        self.codes.copy_(torch.where(followed[:, None], means, self.codes))

    def dead(self, below: float) -> Tensor:
        """Which codes are used less than a share of the mean code, `[K]` bool."""
        return self.counts < below * self.counts.mean()

    @torch.no_grad()
    def restart(self, dead: Tensor, cells: Tensor) -> None:
        """Put dead codes `[K]` bool at `cells` `[K,C]`.

        Their averages go there too, with the weight of a mean code: with the code alone moved, the
        next update would put it back to where the averages still are.
        """
        count = self.counts.mean().expand_as(self.counts)
        self.codes.copy_(torch.where(dead[:, None], cells, self.codes))
        self.sums.copy_(torch.where(dead[:, None], cells * count[:, None], self.sums))
        self.counts.copy_(torch.where(dead, count, self.counts))


class FiniteScalars(nn.Module):
    """Each channel bounded and rounded to a few levels (Mentzer et al. 2023, section 3)."""

    levels: Tensor
    strides: Tensor

    def __init__(self, levels: tuple[int, ...]) -> None:
        super().__init__()
        counts = torch.tensor(levels)
        strides = torch.cat([torch.ones(1, dtype=torch.long), counts.cumprod(0)[:-1]])
        self.register_buffer("levels", counts, persistent=False)
        self.register_buffer("strides", strides, persistent=False)

    @property
    def num_codes(self) -> int:
        """The product of the levels."""
        return int(self.levels.prod())

    def forward(self, latents: Tensor) -> Quantised:
        """Round `[B,C,d,h,w]` float32, C as many as there are levels; codes lie in [-1, 1]."""
        bounded = self._bounded(latents)
        steps = bounded + (bounded.round() - bounded).detach()
        half = self._along(self.levels // 2)
        places = (steps.detach() + half).round().long()
        indices = (places * self._along(self.strides)).sum(1)
        return Quantised(steps / half, indices, latents.new_zeros(latents.shape[0]))

    def lookup(self, indices: Tensor) -> Tensor:
        """Codes of indices.   [B,d,h,w] -> [B,C,d,h,w]."""
        places = (indices[:, None] // self._along(self.strides)) % self._along(self.levels)
        half = self._along(self.levels // 2)
        return (places - half) / half

    def _bounded(self, latents: Tensor) -> Tensor:
        """Squeezed into the range of the levels; even numbers of levels are shifted by a half."""
        reach = self._along(self.levels - 1) * (1 + 1e-3) / 2
        offset = torch.where(self._along(self.levels) % 2 == 0, 0.5, 0.0)
        shift = (offset / reach).atanh()
        return (latents + shift).tanh() * reach - offset

    def _along(self, values: Tensor) -> Tensor:
        return values.view(1, -1, 1, 1, 1)


def perplexity(counts: Tensor) -> float:
    """exp of the entropy of how often each code is taken, `[K]`: K where all are alike, 1 where
    one takes all."""
    shares = counts.double() / counts.sum().clamp_min(1)
    return float(torch.special.entr(shares).sum().exp())


def _cells(latents: Tensor) -> Tensor:
    """[B,C,d,h,w] -> [B d h w, C]."""
    return latents.movedim(1, -1).flatten(0, -2)
