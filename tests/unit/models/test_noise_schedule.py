"""Noise schedules against the formulas of the papers that introduced them."""

from math import cos, pi

import pytest
import torch

from sparring.errors import UserError
from sparring.models.denoiser import build_scheduler, forward_process
from sparring.settings.parts import NoiseScheduleSettings


def alpha_bar(**keys):
    return forward_process(build_scheduler(NoiseScheduleSettings(**keys))).alpha_bar


def linear(total, start, end):
    """Ho et al. 2020: beta rises linearly."""
    return torch.linspace(start, end, total, dtype=torch.float64)


def scaled_linear(total, start, end):
    """Rombach et al. 2022: the root of beta rises linearly."""
    return torch.linspace(start**0.5, end**0.5, total, dtype=torch.float64).square()


def cosine(total, *_):
    """Nichol & Dhariwal 2021, eq. 17, betas clipped at 0.999."""
    f = [cos((t / total + 0.008) / 1.008 * pi / 2) ** 2 for t in range(total + 1)]
    return torch.tensor([min(1 - f[t + 1] / f[t], 0.999) for t in range(total)]).double()


@pytest.mark.parametrize("schedule", [linear, scaled_linear, cosine])
@pytest.mark.parametrize(("total", "start", "end"), [(1000, 1e-4, 0.02), (50, 1e-3, 0.3)])
def test_schedules_follow_their_papers(schedule, total, start, end):
    found = alpha_bar(
        schedule=schedule.__name__, num_timesteps=total, beta_start=start, beta_end=end
    )
    expected = (1 - schedule(total, start, end)).cumprod(0)
    torch.testing.assert_close(found.double(), expected, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("schedule", ["linear", "scaled_linear", "cosine"])
def test_noise_grows_with_every_timestep(schedule):
    values = alpha_bar(schedule=schedule)
    assert (values.diff() < 0).all()
    assert 0 < values[-1] < 0.01 < 0.99 < values[0] < 1


@pytest.mark.parametrize("schedule", ["linear", "scaled_linear", "cosine"])
def test_zero_terminal_snr_leaves_nothing_of_x0(schedule):
    """Lin et al. 2024: sampling starts from pure noise, so training must have seen it."""
    values = alpha_bar(schedule=schedule, prediction="v", zero_terminal_snr=True)
    assert values[-1] == 0
    assert (values[:-1] > 0).all()
    torch.testing.assert_close(values[0], alpha_bar(schedule=schedule)[0])


def test_sampling_starts_at_the_last_timestep_and_clips_nothing():
    scheduler = build_scheduler(NoiseScheduleSettings())
    for num_steps in (1, 7, 100):
        scheduler.set_timesteps(num_steps)
        assert scheduler.timesteps[0] == 999
        assert len(scheduler.timesteps) == num_steps
    assert scheduler.config.clip_sample is False
    assert scheduler.config.timestep_spacing == "trailing"


def test_unknown_prediction_type_is_refused():
    scheduler = build_scheduler(NoiseScheduleSettings())
    scheduler.register_to_config(prediction_type="sample")
    with pytest.raises(UserError) as refusal:
        forward_process(scheduler)
    for part in ("scheduler_config.json", "'sample'", "'epsilon'", "'v_prediction'"):
        assert part in str(refusal.value)
