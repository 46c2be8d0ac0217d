"""Random convolution features: nothing to download, nothing trained, the same for every model."""

from itertools import pairwise

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..randomness import generator

_WIDTHS = (32, 64, 64)


class RandomConvolutions:
    """Latents `[N,C,H,W]` to features `[N,d]`, fixed by channels, d and seed.

    Three random convolutions (He et al. 2015 scale), the first at full resolution and two strided;
    mean and standard deviation over the plane of every level, projected to d dimensions by a
    random orthogonal map. Untrained convolutions see edges, corners and densities of latents
    without knowing any of the discriminators that training used.
    """

    def __init__(self, channels: int, dim: int, seed: int) -> None:
        self.dim = dim
        draw = generator(seed, "evaluation", "features")
        widths = (channels, *_WIDTHS)
        self._kernels = [
            torch.randn(w_out, w_in, 3, 3, generator=draw) * (2 / (9 * w_in)) ** 0.5
            for w_in, w_out in pairwise(widths)
        ]
        pooled = 2 * sum(_WIDTHS)
        self._projection = torch.linalg.qr(torch.randn(pooled, dim, generator=draw)).Q

    @torch.no_grad()
    def __call__(self, latents: np.ndarray) -> np.ndarray:
        """[N,C,H,W] -> float64 [N,d]."""
        batches = torch.from_numpy(latents).float().split(256)
        return torch.cat([self._features(batch) for batch in batches]).double().numpy()

    def _features(self, x: Tensor) -> Tensor:
        levels = []
        for level, kernel in enumerate(self._kernels):
            x = F.leaky_relu(F.conv2d(x, kernel, stride=1 if level == 0 else 2, padding=1), 0.2)
            levels += [x.mean((-2, -1)), x.std((-2, -1))]
        return torch.cat(levels, 1) @ self._projection
