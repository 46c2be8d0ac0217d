"""What chooses a round's epoch: how far samples are from latents that nothing was trained on."""

from collections.abc import Iterable
from functools import cached_property

import numpy as np
import torch
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from torch import Tensor

from ..compute import Compute
from ..errors import UserError
from ..evaluation.distances import kernel_distance
from ..evaluation.features import RandomConvolutions
from ..models.denoiser import Denoiser
from ..randomness import key_seed, permutation
from ..sampling.sampler import Sampler
from ..settings.parts import FinetuneSettings, SampleGrid
from .latents import Latents

_KEY = "selection"
_DIM = 64
_MOST_REALS = 2048  # the kernel of all pairs is computed anew at every validation
_LEAST_BATCH = 64


class SampleDistance:
    """The kernel distance of a denoiser's samples to the validation split.

    Samples begin with the same noise every time, and features, reals and conditions are the same
    too: two values differ only because the weights do. The features are not those that judge.
    """

    def __init__(
        self,
        model: Denoiser,
        schedule: DDIMScheduler,
        latents: Latents,
        settings: FinetuneSettings,
        compute: Compute,
        seed: int,
    ) -> None:
        """`model` may change its weights in place between calls."""
        self._count = settings.selection_samples
        if len(latents.val) < 2:
            raise UserError(
                f"the validation split has {len(latents.val)} latents, but the epoch is chosen by "
                "the distance of samples to them; give it some hundreds, or set "
                "diffusion.selection_samples: 0 to choose by the noise loss"
            )
        grid = SampleGrid(
            num_samples=self._count, sampler="dpmsolver++", num_steps=settings.selection_steps
        )
        self._sampler = Sampler(model, schedule, grid, compute)
        self._batch_size = max(_LEAST_BATCH, settings.batch_size)
        self._latents, self._seed = latents, seed
        self._rows = permutation(len(latents.val), seed, _KEY, "reals")[:_MOST_REALS]
        self._convolutions = RandomConvolutions(
            latents.val.shape[1], _DIM, key_seed(seed, _KEY), latents.val.ndim - 2
        )

    def __call__(self) -> float:
        """Squared MMD, near 0 or below where samples are like the reals."""
        samples = self._sampler.batches(
            self._count, self._batch_size, self._seed, _KEY, labels=self._labels()
        )
        reals, mean, std = self._reals
        return kernel_distance((self._features(samples) - mean) / std, reals)

    @cached_property
    def _reals(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Standardised features `[N,d]`, and the mean and deviation `[d]` that they had. Only the
        process that validates asks for them."""
        rows = self._rows.split(self._batch_size)
        found = self._features(self._latents.val[part] for part in rows)
        mean, std = found.mean(0), np.maximum(found.std(0), 1e-6)
        return (found - mean) / std, mean, std

    def _features(self, batches: Iterable[Tensor]) -> np.ndarray:
        """`[N,d]`; batch by batch, for samples of volumes are large."""
        return np.concatenate([self._convolutions(batch.cpu().numpy()) for batch in batches])

    def _labels(self) -> Tensor | None:
        """The conditions of the reals, in turn, `[count]`; None without conditions."""
        if self._latents.val_labels is None:
            return None
        rows = self._rows[torch.arange(self._count) % len(self._rows)]
        return self._latents.val_labels[rows]
