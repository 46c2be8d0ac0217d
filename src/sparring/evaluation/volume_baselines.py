"""What simple coding of a volume reaches at the rate of a VQ-GAN's codes."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from math import floor, log, prod

import numpy as np
import torch
import torch.nn.functional as F

from ..artefacts.volumes import Window
from .volumes import SLAB, HUSlices, VolumeScores, compare, unit

_SAMPLE_BITS = (8, 7, 6, 5, 4)


@dataclass(frozen=True)
class Baseline:
    """A simple code's scores on one volume, and what it takes."""

    scores: VolumeScores
    bits_per_voxel: float


def baselines(
    hu: np.ndarray, window: Window, bits_per_voxel: float, factor: Sequence[int]
) -> dict[str, Baseline]:
    """Codes to hold a model's figures against, on HU `[D,H,W]`.

    `constant`: the best single value, the floor of every metric. `trilinear_equal_factor`: as many
    samples as the model has cells. `trilinear_equal_bits`: as many 8-bit samples as take the
    model's bits. `trilinear_tuned`: the same bits, in coarser but more samples where that has the
    higher PSNR: the strongest of its kind, chosen on the very volume.
    """
    code = _Coded(hu, window)
    at_bits = [
        code.baseline(samples_at_equal_bits(hu.shape, bits_per_voxel, bits), bits)
        for bits in _SAMPLE_BITS
    ]
    return {
        "constant": Baseline(compare(hu, best_constant(hu, window), window), 0.0),
        "trilinear_equal_factor": code.baseline(samples_at_equal_factor(hu.shape, factor), 8),
        "trilinear_equal_bits": at_bits[0],
        "trilinear_tuned": max(at_bits, key=lambda b: b.scores.psnr),
    }


def best_constant(original: HUSlices, window: Window) -> np.ndarray:
    """The volume of one value with the least squared error, float32 HU: what knowing nothing gets.

    No memory: a view of a single number.
    """
    low, high = window
    slabs = (np.asarray(original[slice(s, s + SLAB)]) for s in range(0, original.shape[0], SLAB))
    total = sum(float(np.clip(slab, low, high).sum(dtype=np.float64)) for slab in slabs)
    return np.broadcast_to(np.float32(total / prod(original.shape)), tuple(original.shape))


def trilinear(
    hu: np.ndarray,
    window: Window,
    samples: Sequence[int],
    bits: int = 8,
) -> np.ndarray:
    """HU `[D,H,W]`, float32, kept as a coarser grid of samples and interpolated back.

    `samples` along each axis, `bits` each over the HU window. Down by interpolation too: averages
    over all the voxels around a sample score worse (measured on CT: 0.2 to 0.9 dB).
    """
    x = unit(hu, window)
    coarse = F.interpolate(x, tuple(samples), mode="trilinear", align_corners=False)
    steps = 2**bits - 1
    coarse = torch.round(coarse * steps) / steps
    fine = F.interpolate(coarse, tuple(hu.shape), mode="trilinear", align_corners=False)
    low, high = window
    return fine[0, 0].numpy() * (high - low) + low


def samples_at_equal_bits(
    shape: Sequence[int], bits_per_voxel: float, bits: int = 8
) -> tuple[int, ...]:
    """Samples along each axis so that `bits` each take `bits_per_voxel`, as nearly as they can.

    The axes are thinned alike; each is rounded up or down, whichever comes nearest in all.
    """
    share = (bits_per_voxel / bits) ** (1 / 3)
    wanted = bits_per_voxel / bits * prod(shape)
    choices = [{max(1, floor(side * share)), min(side, floor(side * share) + 1)} for side in shape]
    return min(product(*map(sorted, choices)), key=lambda s: abs(log(prod(s) / wanted)))


def samples_at_equal_factor(shape: Sequence[int], factor: Sequence[int]) -> tuple[int, ...]:
    """Samples along each axis: as many as the model has latent cells."""
    return tuple(-(-side // f) for side, f in zip(shape, factor, strict=True))


@dataclass(frozen=True)
class _Coded:
    hu: np.ndarray
    window: Window

    def baseline(self, samples: Sequence[int], bits: int) -> Baseline:
        """Scores of a trilinear code."""
        decoded = trilinear(self.hu, self.window, samples, bits)
        rate = prod(samples) * bits / self.hu.size
        return Baseline(compare(self.hu, decoded, self.window), rate)
