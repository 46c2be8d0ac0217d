"""Real against fake, on logits: no sigmoid is ever followed by a logarithm."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor


def discriminator_loss(logits: Tensor, is_real: Tensor) -> Tensor:
    """Binary cross-entropy, real 1 and fake 0, `[B]`. Goodfellow et al. 2014, eq. 1."""
    return F.binary_cross_entropy_with_logits(logits, is_real.to(logits.dtype), reduction="none")


def accuracy(logits: Tensor, is_real: Tensor) -> Tensor:
    """1 where the sign of the logit names the right class, else 0, `[B]`."""
    return ((logits > 0) == is_real.bool()).to(torch.float32)


def relativistic_loss(more_real: Tensor, less_real: Tensor) -> Tensor:
    """softplus(-(a - b)) of pairs of logits, `[B]`.

    Jolicoeur-Martineau 2018 (RSGAN): the discriminator's with a real and a fake, the denoiser's
    with the two exchanged.
    """
    return F.softplus(less_real - more_real)


def gradient_penalty(logits_of: Callable[[Tensor], Tensor], inputs: Tensor) -> Tensor:
    """|grad D(x)|^2 / 2 at each input, `[B]`; weigh it by gamma.   [B,...] -> [B].

    R1 on reals, R2 on fakes (Mescheder et al. 2018, eq. 9 and 10). To be computed in fp32, without
    autocast: squares of small gradients vanish in half precision.
    """
    x = inputs.detach().to(torch.promote_types(inputs.dtype, torch.float32)).requires_grad_()
    with torch.enable_grad():
        gradient = torch.autograd.grad(logits_of(x).sum(), x, create_graph=True)[0]
    return 0.5 * gradient.square().flatten(1).sum(1)
