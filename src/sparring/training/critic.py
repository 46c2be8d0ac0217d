"""A discriminator and how it learns, in its own stage or while a denoiser is fine-tuned."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from ..compute import Compute, Pass
from ..losses.discrimination import (
    accuracy,
    discriminator_loss,
    gradient_penalty,
    relativistic_loss,
)
from ..models.backbone import BackboneDiscriminator
from ..models.discriminator import LatentDiscriminator
from ..settings.parts import DiscriminatorSettings

Discriminator = LatentDiscriminator | BackboneDiscriminator
_BETAS = (0.5, 0.999)  # Radford et al. 2016


class Seen(NamedTuple):
    """What a discriminator is shown: latents, perhaps noised, and what it is told of them."""

    latents: Tensor
    """`[B,C,...]`."""
    labels: Tensor | None = None
    """Numbers of conditions, `[B]`."""
    timesteps: Tensor | None = None
    """Noise levels, `[B]`; None for clean latents."""


def adam(model: torch.nn.Module, settings: DiscriminatorSettings) -> torch.optim.Optimizer:
    """The optimiser of a discriminator; with weight decay AdamW."""
    return torch.optim.AdamW(
        model.parameters(),
        settings.learning_rate,
        betas=_BETAS,
        weight_decay=settings.weight_decay,
        fused=True,
    )


Score = Callable[[Seen], Tensor]
"""What a discriminator is shown to logits `[B]`."""


def scorer(model: Discriminator, compute: Compute) -> Score:
    """Logits as `compute` runs networks."""
    passes: dict[tuple[bool, bool], Pass] = {}

    def score(seen: Seen) -> Tensor:
        known = seen.labels is not None, seen.timesteps is not None
        if known not in passes:
            passes[known] = Pass(lambda x, *told: model(x, *_told(known, told)), model, compute)
        told = (part for part in (seen.labels, seen.timesteps) if part is not None)
        return passes[known](seen.latents, *told)

    return score


def _told(known: tuple[bool, bool], given: tuple[Tensor, ...]) -> list[Tensor | None]:
    """Labels and timesteps, of which only those that there are were given."""
    rest = iter(given)
    return [next(rest) if there else None for there in known]


def critic_losses(
    score: Score, model: Discriminator, reals: Seen, fakes: Seen, settings: DiscriminatorSettings
) -> dict[str, Tensor]:
    """`loss` and `accuracy` on as many reals as fakes, scalars; with penalties `r1` and `r2`.

    `loss` is what is minimised, penalties included.
    """
    logits = score(_joined(reals, fakes))
    real, fake = logits.split([len(reals.latents), len(fakes.latents)])
    truth = torch.cat([torch.ones_like(real), torch.zeros_like(fake)])
    if settings.relativistic:
        loss = relativistic_loss(real, fake).mean()
        right = (real > fake).float().mean()
    else:
        loss, right = discriminator_loss(logits, truth).mean(), accuracy(logits, truth).mean()
    terms = {"loss": loss, "accuracy": right}
    for name, gamma, seen in (("r1", settings.r1, reals), ("r2", settings.r2, fakes)):
        if gamma:
            terms[name] = penalty(model, seen)
            terms["loss"] = terms["loss"] + gamma * terms[name]
    return terms


def penalty(model: Discriminator, seen: Seen) -> Tensor:
    """The mean gradient penalty of some inputs, in fp32, a scalar.

    Attention, which a backbone has, is computed step by step: the fused kernels have no derivative
    of their derivative.
    """
    plain = sdpa_kernel(SDPBackend.MATH)
    with torch.autocast(seen.latents.device.type, enabled=False), plain:
        return gradient_penalty(
            lambda x: model(x, seen.labels, seen.timesteps), seen.latents
        ).mean()


def _joined(reals: Seen, fakes: Seen) -> Seen:
    def both(a: Tensor | None, b: Tensor | None) -> Tensor | None:
        return None if a is None or b is None else torch.cat([a, b])

    latents = torch.cat([reals.latents, fakes.latents])
    labels = both(reals.labels, fakes.labels)
    return Seen(latents, labels, both(reals.timesteps, fakes.timesteps))
