"""A perfect denoiser of a Gaussian, sampled as every default says, gives the Gaussian's spread."""

from functools import cache
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import nn
from workspace import REPOSITORY

from sparring.compute import Compute
from sparring.diffusion.process import spread
from sparring.models.denoiser import build_scheduler, forward_process
from sparring.randomness import normals
from sparring.rounds import load_rounds
from sparring.sampling.sampler import Sampler
from sparring.settings.experiment import PretrainExperiment
from sparring.settings.parts import (
    EvaluationSettings,
    FinetuneSettings,
    NoiseScheduleSettings,
    SampleGrid,
    SamplingSettings,
)
from sparring.settings.reading import read_yaml

CPU = Compute(torch.device("cpu"), bf16=False)
BOUND = 0.01
VARIANCES = [1.0, 0.1]
SCHEDULES = [
    NoiseScheduleSettings(),
    NoiseScheduleSettings(schedule="cosine", prediction="v"),
    NoiseScheduleSettings(schedule="cosine", prediction="v", zero_terminal_snr=True),
]
DEFAULTS = [
    SamplingSettings(),
    SampleGrid(),
    EvaluationSettings().better_solver,
    SampleGrid(num_steps=FinetuneSettings().selection_steps),
]
EXAMPLES = sorted(
    path.stem
    for path in (REPOSITORY / "config" / "experiments").glob("*.yaml")
    if not path.stem.startswith("reference_")  # the literal recipe samples as it always has
)


class Gaussian(nn.Module):
    """The best possible prediction for data from N(0, variance), elementwise."""

    def __init__(self, process, variance):
        super().__init__()
        self.process, self.variance = process, variance
        self.config = SimpleNamespace(in_channels=1, sample_size=16)

    def forward(self, x_t, timesteps):
        a = spread(self.process.alpha_bar[timesteps], x_t)
        total = a * self.variance + 1 - a
        if self.process.target == "v_prediction":
            output = (a * (1 - a)).sqrt() * (1 - self.variance) / total * x_t
        else:
            output = (1 - a).sqrt() / total * x_t
        return SimpleNamespace(sample=output)


@cache
def width(sampler, num_steps, schedule_json, variance):
    """Samples' over the data's standard deviation; samples are multiples of their noise."""
    schedule = build_scheduler(NoiseScheduleSettings.model_validate_json(schedule_json))
    settings = SamplingSettings(sampler=sampler, num_steps=num_steps)
    model = Gaussian(forward_process(schedule), variance)
    made = Sampler(model, schedule, settings, CPU).sample(range(1), 0, "width")
    noise = normals(made.shape[1:], range(1), 0, "width", device=CPU.device)
    return float(made.norm() / noise.norm()) / variance**0.5


def widths(settings, schedule):
    """At every variance."""
    key = settings.sampler, settings.num_steps, schedule.model_dump_json()
    return [width(*key, variance) for variance in VARIANCES]


def sampled(rounds, name):
    """What an experiment samples with, by key."""
    experiment = rounds.experiments[name]
    found = {"diffusion.sample_grid": experiment.diffusion.sample_grid}
    if not isinstance(experiment, PretrainExperiment):
        found["sampling"] = experiment.sampling
    return found


def schedule_of(rounds, name):
    """The noise schedule that an experiment's denoiser was trained with at first."""
    experiment = rounds.experiments[name]
    while not isinstance(experiment, PretrainExperiment):
        experiment = rounds.experiments[experiment.start_from]
    return experiment.noise_schedule


@pytest.mark.parametrize("schedule", SCHEDULES, ids=lambda s: f"{s.schedule}-{s.zero_terminal_snr}")
@pytest.mark.parametrize("settings", DEFAULTS, ids=lambda s: type(s).__name__)
def test_defaults_keep_the_spread_on_every_schedule(settings, schedule):
    assert widths(settings, schedule) == pytest.approx([1, 1], abs=BOUND)


@pytest.mark.parametrize("name", EXAMPLES)
def test_experiments_keep_the_spread_on_their_own_schedule(name, monkeypatch):
    monkeypatch.chdir(REPOSITORY)
    rounds = load_rounds(read_yaml(Path("config/config.yaml")) | {"experiments": [name]})
    for experiment in set(rounds.requested) - set(rounds.vqgans):
        for key, settings in sampled(rounds, experiment).items():
            found = widths(settings, schedule_of(rounds, experiment))
            assert found == pytest.approx([1, 1], abs=BOUND), f"{experiment}: {key}"


@pytest.mark.parametrize("schedule", SCHEDULES, ids=lambda s: f"{s.schedule}-{s.zero_terminal_snr}")
@pytest.mark.parametrize("num_steps", [25, 100])
def test_ddim_does_not(num_steps, schedule):
    """Else these tests would say nothing: its error is what was taken for the model's."""
    found = widths(SamplingSettings(sampler="ddim", num_steps=num_steps), schedule)
    assert max(found) < 1 - BOUND
