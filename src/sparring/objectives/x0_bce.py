"""x0_bce: the one-step prediction x0_pred should look real to a frozen discriminator.

    L_adv = sum_i w_i softplus(-D(x0_pred_i)) / sum_i w_i

The non-saturating generator loss of Goodfellow et al. 2014 (section 3) per sample: the mean of
-log D, not -log of the mean, which a few easy low-noise samples would satisfy. The weights w keep
it to timesteps where x0_pred can look like data at all: a perfect denoiser's x0_pred is a posterior
mean, smoother than any layout, and at high noise pushing it towards "real" corrupts the score.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from ..diffusion.process import Prediction
from ..settings.objective import AdversarialLoss


def adversarial_loss(logits: Tensor) -> Tensor:
    """softplus(-logit) = -log sigmoid(logit), `[B]`."""
    return F.softplus(-logits)


def timestep_weights(
    prediction: Prediction, num_timesteps: int, settings: AdversarialLoss
) -> Tensor:
    """w, `[B]`: 1 inside the timestep range and 0 outside, or snr / (1 + snr) = alpha_bar."""
    if settings.weighting == "snr":
        return prediction.alpha_bar
    low, high = (bound * num_timesteps for bound in settings.timesteps)
    return ((prediction.timesteps >= low) & (prediction.timesteps < high)).to(torch.float32)


def weighted_mean(values: Tensor, weights: Tensor) -> Tensor:
    """sum w v / sum w, and 0 for a batch without weight."""
    return (values * weights).sum() / weights.sum().clamp_min(torch.finfo(weights.dtype).tiny)
