"""noised: as x0_bce, but the discriminator sees reals and predictions at one noise level.

    x_s = sqrt(ab_s) x0 + sqrt(1 - ab_s) eps',   s uniform in [t, T)
    L_adv = sum_i w_i softplus(-D(noised(x0_pred_i, s_i), s_i)) / sum_i w_i

A discriminator that is told the noise level, as in Diffusion-GAN (Wang et al. 2023) and DMD2 (Yin
et al. 2024). x0_pred at t lacks the detail that the noise of level t has hidden; noised to s >= t
at least as much is hidden of the reals it is compared with, so that a perfect denoiser's prediction
is hard to tell from data, which of a clean x0_pred is only true near t = 0.
"""

import torch
from torch import Tensor


def levels(timesteps: Tensor, num_timesteps: int, uniform: Tensor, above: bool = True) -> Tensor:
    """s, int64 `[B]`: uniform in [t, T), or with `above` off in [0, T).

    `uniform` in [0, 1), `[B]`.
    """
    low = timesteps if above else torch.zeros_like(timesteps)
    return low + ((num_timesteps - low) * uniform.to(timesteps.device)).long()
