"""Twenty steps of a solver end where a hundred of DDIM do, sample by sample."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from sparring.compute import Compute
from sparring.diffusion.process import spread
from sparring.models.denoiser import build_scheduler, forward_process
from sparring.sampling.sampler import Sampler
from sparring.settings.parts import NoiseScheduleSettings, SamplingSettings

CPU = Compute(torch.device("cpu"), bf16=False)
BOUND = 0.05
"""Root mean square between paired samples, in units of the data's standard deviation."""


class TwoModes(nn.Module):
    """The best possible prediction for data of two modes, elementwise.

    x0 ~ N(+-m, s^2) with m^2 + s^2 = 1; given x_t the modes have odds exp(2 sqrt(ab) m x_t / v)
    with v = ab s^2 + 1 - ab, and E[x0 | x_t, mode] is linear.
    """

    def __init__(self, process, mode=0.8):
        super().__init__()
        self.process, self.mode = process, mode
        self.config = SimpleNamespace(in_channels=4, sample_size=16)

    def forward(self, x_t, timesteps):
        a = spread(self.process.alpha_bar[timesteps], x_t)
        variance = 1 - self.mode**2
        total = a * variance + 1 - a
        mean = self.mode * torch.tanh(a.sqrt() * self.mode * x_t / total)
        x0 = mean + a.sqrt() * variance / total * (x_t - a.sqrt() * mean)
        return SimpleNamespace(sample=(x_t - a.sqrt() * x0) / (1 - a).sqrt())


def samples(name, num_steps, schedule):
    scheduler = build_scheduler(NoiseScheduleSettings(schedule=schedule))
    settings = SamplingSettings(sampler=name, num_steps=num_steps)
    sampler = Sampler(TwoModes(forward_process(scheduler)), scheduler, settings, CPU)
    return sampler.sample(range(8), 0, "solver")


def distance(first, second):
    return (first - second).square().mean().sqrt().item()


@pytest.mark.parametrize("schedule", ["linear", "cosine"])
@pytest.mark.parametrize("solver", ["dpmsolver++", "unipc"])
def test_twenty_solver_steps_agree_with_a_hundred_of_ddim(solver, schedule):
    reference = samples("ddim", 100, schedule)
    assert 0.9 < reference.std() < 1.1
    found = distance(samples(solver, 20, schedule), reference)
    assert found < BOUND
    assert found < distance(samples("ddim", 20, schedule), reference)
