"""Noise prediction."""

from torch import Tensor

from ..diffusion.process import Prediction


def noise_loss(prediction: Prediction) -> Tensor:
    """Mean squared error of the network's output to eps (or v), `[B]`. Ho et al. 2020, eq. 14."""
    return (prediction.output - prediction.target).square().flatten(1).mean(1)
