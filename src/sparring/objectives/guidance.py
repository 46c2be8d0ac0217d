"""guidance: the denoiser stays as it is, and sampling follows a discriminator.

    score_guided = score + w grad_x logit(x_t, t)
    eps_guided   = eps - w sqrt(1 - alpha_bar) grad_x logit(x_t, t)

Kim et al. 2023 (discriminator guidance): a discriminator D(x_t, t) of noised reals against
noised samples of the denoiser has the logit log p_real(x_t) - log p_model(x_t) at its best, and the
gradient of that is exactly what the denoiser's score lacks. The next iteration's fakes are sampled
with guidance, so its discriminator learns what is still lacking, and the logits add up.

This file is copied into exported pipelines: it imports nothing but torch.
"""

from typing import Literal

from torch import Tensor


def guided_output(
    output: Tensor,
    gradient: Tensor,
    alpha_bar: Tensor,
    target: Literal["epsilon", "v_prediction"],
    weight: float = 1.0,
) -> Tensor:
    """The network's output at x_t, corrected.   [B,...], [B,...], [B] -> [B,...].

    `gradient` is that of the logit by x_t. With v = (eps - sqrt(1 - ab) x_t) / sqrt(ab), a change
    of eps is one of v by 1 / sqrt(ab); where nothing of x0 is left (ab = 0) there is nothing to
    tell and v stays.
    """
    ab = alpha_bar.reshape(-1, *[1] * (output.ndim - 1))
    change = weight * (1 - ab).sqrt() * gradient
    if target == "v_prediction":
        change = change / ab.clamp_min(1e-12).sqrt() * (ab > 0)
    return output - change.to(output.dtype)
