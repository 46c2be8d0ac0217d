"""ddo: direct discriminative optimisation; the denoiser itself is the discriminator.

    delta(x) = -(|output_theta(x_t) - target|^2 - |output_ref(x_t) - target|^2)
    L = softplus(-beta delta(real)) + alpha softplus(beta delta(fake))

Zheng et al. 2025 (Direct Discriminative Optimization): the log ratio of the likelihoods of a model
theta and of the frozen reference that the fakes were sampled from is the logit of a discriminator
between reals and fakes, and delta is its one-sample estimate at one noise level. Squares are summed
over dimensions; x_t, t and noise are the same for theta and reference, and neither has dropout, so
that at the start, where both are the same network, delta is 0 and the loss log 2 (1 + alpha). A
real and its fake have the same t and noise too.

With beta < 1 the least loss lies past the data: theta / ref is then (data / ref)^(1 / beta). So the
loss says where to go, not where to stop, and does not choose the epoch.

The part on reals is bounded below, the part on fakes is not: a large alpha pushes fakes away
without an end, and reals with them.
"""

from math import log
from typing import Literal

import torch.nn.functional as F
from torch import Tensor

from ..diffusion.process import Prediction

_SUMMED = 100.0


def log_ratio(prediction: Prediction, reference_output: Tensor) -> Tensor:
    """delta, `[B]`: by how much the model errs less than the reference, which has no gradient."""
    reference = reference_output.detach()
    return _squares(reference - prediction.target) - _squares(prediction.output - prediction.target)


def real_loss(delta: Tensor, beta: float) -> Tensor:
    """softplus(-beta delta) on reals, `[B]`."""
    return F.softplus(-beta * delta)


def fake_loss(delta: Tensor, beta: float) -> Tensor:
    """softplus(beta delta) on fakes, `[B]`; alpha weighs it."""
    return F.softplus(beta * delta)


def steepness(beta: float | Literal["auto"], dimensions: int) -> float:
    """beta, which `auto` makes 100 / dimensions: delta grows with the dimensions it sums over."""
    return _SUMMED / dimensions if beta == "auto" else beta


def scale(beta: float, dimensions: int) -> float:
    """1 / (beta dimensions), which makes gradients as large as those of the noise loss.

    At theta = ref the gradient of the part on reals is beta / 2 times that of the summed squares,
    so clipping by norm and the learning rate mean the same for any beta and size of latents.
    """
    return 1.0 / (beta * dimensions)


def at_reference(alpha: float) -> float:
    """The loss before the first update: log 2 (1 + alpha)."""
    return log(2) * (1 + alpha)


def _squares(errors: Tensor) -> Tensor:
    return errors.square().flatten(1).sum(1)
