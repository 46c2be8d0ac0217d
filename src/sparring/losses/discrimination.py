"""Real against fake, on logits: no sigmoid is ever followed by a logarithm."""

import torch
import torch.nn.functional as F
from torch import Tensor


def discriminator_loss(logits: Tensor, is_real: Tensor) -> Tensor:
    """Binary cross-entropy, real 1 and fake 0, `[B]`. Goodfellow et al. 2014, eq. 1."""
    return F.binary_cross_entropy_with_logits(logits, is_real.to(logits.dtype), reduction="none")


def accuracy(logits: Tensor, is_real: Tensor) -> Tensor:
    """1 where the sign of the logit names the right class, else 0, `[B]`."""
    return ((logits > 0) == is_real.bool()).to(torch.float32)
