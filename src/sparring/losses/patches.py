"""Adversarial losses on patch discriminators.

MONAI's PatchAdversarialLoss is not used: it squashes logits by tanh before the hinge, so that no
margin is ever reached, and by a sigmoid before the logarithm.
"""

from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

Kind = Literal["hinge", "vanilla"]


def discriminator_loss(real: Tensor, fake: Tensor, kind: Kind) -> Tensor:
    """Half the loss on reals plus half that on fakes.   [B,1,*], [B,1,*] logits -> [B].

    `hinge`: max(0, 1 - real) and max(0, 1 + fake), Lim & Ye 2017, eq. 4.
    `vanilla`: cross-entropy, Goodfellow et al. 2014, eq. 1.
    """
    if kind == "hinge":
        losses = F.relu(1 - real), F.relu(1 + fake)
    else:
        losses = F.softplus(-real), F.softplus(fake)
    return 0.5 * (_per_sample(losses[0]) + _per_sample(losses[1]))


def generator_loss(fake: Tensor, kind: Kind) -> Tensor:
    """`hinge`: -fake; `vanilla`: -log sigmoid(fake), non-saturating.   [B,1,*] logits -> [B]."""
    return _per_sample(-fake if kind == "hinge" else F.softplus(-fake))


def feature_matching_loss(real: Sequence[Tensor], fake: Sequence[Tensor]) -> Tensor:
    """Mean absolute distance of features `[B,C_l,*]`, mean over layers l, `[B]`.

    Wang et al. 2018, eq. 3. Reals get no gradient.
    """
    layers = [_per_sample((r.detach() - f).abs()) for r, f in zip(real, fake, strict=True)]
    return torch.stack(layers).mean(0)


def told_right(real: Tensor, fake: Tensor) -> Tensor:
    """Share of places where the sign of the logit names the right class.   [B,1,*] twice -> [B]."""
    return 0.5 * (_per_sample((real > 0).float()) + _per_sample((fake <= 0).float()))


def _per_sample(values: Tensor) -> Tensor:
    return values.float().flatten(1).mean(1)
