"""The reference recipe's work on random latents of 16x32x32, as the stages set it up."""

from collections.abc import Callable

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from sparring.compute import Compute
from sparring.models.costs import count_flop
from sparring.models.denoiser import Denoiser, build_denoiser, build_scheduler
from sparring.models.discriminator import LatentDiscriminator
from sparring.randomness import seeded_initialisation
from sparring.sampling.sampler import Sampler
from sparring.settings.parts import (
    DenoiserSettings,
    DiscriminatorSettings,
    FinetuneSettings,
    NoiseScheduleSettings,
    SamplingSettings,
)
from sparring.training.denoiser import DenoiserTraining
from sparring.training.discriminator import DiscriminatorTraining, split_rows
from sparring.training.latents import Latents

CHANNELS, SIDE, BATCH = 16, 32, 32
SHAPE = (CHANNELS, SIDE, SIDE)
FAKES, TRAIN, EPOCHS, DDIM_STEPS, SOLVER_STEPS = 5_000, 22_000, 50, 100, 20


def random_latents(count: int, seed: int = 0) -> torch.Tensor:
    """`[N,16,32,32]` with some structure: a network can learn something from them."""
    rng = torch.Generator().manual_seed(seed)
    coarse = torch.randn(count, CHANNELS, 4, 4, generator=rng)
    return torch.nn.functional.interpolate(coarse, SIDE, mode="bilinear") + 0.1 * torch.randn(
        count, *SHAPE, generator=rng
    )


def denoiser(preset: str) -> Denoiser:
    """Fresh, always with the same weights."""
    with seeded_initialisation(0, "bench"):
        return build_denoiser(DenoiserSettings.model_validate({"preset": preset}), CHANNELS, SIDE)


def forward_flop(preset: str) -> int:
    """Of one latent."""
    return count_flop(lambda: denoiser(preset), SHAPE)


def flop_of(build: Callable[[], torch.nn.Module], shape: tuple[int, ...]) -> int:
    """Operations of one forward of a network of one input, for one of a batch."""
    with torch.device("meta"):
        model, inputs = build().eval(), torch.empty(1, *shape)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(inputs)
    return counter.get_total_flops()


def training(
    preset: str, compute: Compute, latents: torch.Tensor, batch_size: int = BATCH
) -> DenoiserTraining:
    """Fine-tuning's noise loss as the stage runs it."""
    on_device = latents.to(compute.device)
    settings = FinetuneSettings(batch_size=batch_size, sample_interval=0)
    schedule = build_scheduler(NoiseScheduleSettings())
    data = Latents(on_device, on_device[:64])
    return DenoiserTraining(denoiser(preset), schedule, data, settings, compute, 0, ("bench",))


def sampler(preset: str, compute: Compute, num_steps: int, name: str = "ddim") -> Sampler:
    """Of a fresh denoiser."""
    model = compute.place(denoiser(preset)).eval()
    settings = SamplingSettings.model_validate({"sampler": name, "num_steps": num_steps})
    return Sampler(model, build_scheduler(NoiseScheduleSettings()), settings, compute)


def discriminating(compute: Compute, count: int) -> DiscriminatorTraining:
    """`count` reals against as many fakes."""
    with seeded_initialisation(0, "bench"):
        model = LatentDiscriminator()
    names = np.array([str(n) for n in range(count)])
    reals, fakes = (random_latents(count, seed).to(compute.device) for seed in (1, 2))
    halves = [split_rows(names, 0.2, 0, kind) for kind in ("real", "fake")]
    settings = DiscriminatorSettings()
    return DiscriminatorTraining(model, reals, fakes, *halves, settings, compute, 0, ("bench",))


class Steps:
    """Calls a stage's steps one after another, over the ends of epochs."""

    def __init__(self, stage: DenoiserTraining | DiscriminatorTraining) -> None:
        self._stage, self._done = stage, 0

    def __call__(self, count: int = 1) -> torch.Tensor:
        """The last step's first term."""
        for _ in range(count):
            terms = self._stage.step(*divmod(self._done, self._stage.steps_per_epoch))
            self._done += 1
        first = next(iter(terms.values()))
        return first[0] if isinstance(first, tuple) else first
