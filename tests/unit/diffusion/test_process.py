"""The algebra of the forward process: what is noised can be recovered, for every timestep."""

import pytest
import torch

from sparring.diffusion.process import (
    ForwardProcess,
    add_noise,
    predict_x0,
    predict_x0_from_v,
    spread,
    velocity,
)
from sparring.models.denoiser import build_scheduler, forward_process
from sparring.settings.parts import NoiseScheduleSettings

T = 1000
SCHEDULES = ["linear", "scaled_linear", "cosine"]


def process_of(**keys) -> ForwardProcess:
    return forward_process(build_scheduler(NoiseScheduleSettings(**keys)))


@pytest.fixture
def every_timestep():
    """x0, eps `[T,2,3,3]` in double precision and every timestep once."""
    draw = torch.Generator().manual_seed(1)
    x0 = torch.randn(T, 2, 3, 3, generator=draw, dtype=torch.float64)
    return x0, torch.randn(x0.shape, generator=draw, dtype=torch.float64), torch.arange(T)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_exact_eps_gives_x0_back_at_every_timestep(every_timestep, schedule):
    x0, eps, t = every_timestep
    ab = process_of(schedule=schedule).alpha_bar.double()[t]
    torch.testing.assert_close(predict_x0(add_noise(x0, eps, ab), eps, ab), x0)


@pytest.mark.parametrize("zero_snr", [False, True])
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_exact_v_gives_x0_back_at_every_timestep(every_timestep, schedule, zero_snr):
    """With v there is no division: also where nothing of x0 is left in x_t."""
    x0, eps, t = every_timestep
    keys = {"schedule": schedule, "prediction": "v", "zero_terminal_snr": zero_snr}
    ab = process_of(**keys).alpha_bar.double()[t]
    v = velocity(x0, eps, ab)
    torch.testing.assert_close(predict_x0_from_v(add_noise(x0, eps, ab), v, ab), x0)


def test_velocity_is_the_derivative_of_x_t_along_the_circle():
    """With alpha_bar = cos^2(phi), v = d x_t / d phi (Salimans & Ho 2022, appendix D)."""
    draw = torch.Generator().manual_seed(2)
    x0, eps = torch.randn(2, 4, 1, 2, 2, generator=draw, dtype=torch.float64)
    phi = torch.tensor([0.1, 0.7, 1.2, 1.5], dtype=torch.float64)

    def x_t(angle):
        return add_noise(x0, eps, angle.cos().square())

    _, derivative = torch.func.jvp(x_t, (phi,), (torch.ones_like(phi),))
    torch.testing.assert_close(velocity(x0, eps, phi.cos().square()), derivative)


def test_x0_pred_is_steepest_where_noise_is_strongest():
    """d x0_pred / d eps_pred = -sqrt((1 - alpha_bar) / alpha_bar), by autograd at every t."""
    ab = process_of().alpha_bar.double()
    eps = torch.zeros(T, 1, dtype=torch.float64, requires_grad=True)
    x0_pred = predict_x0(torch.randn(T, 1, dtype=torch.float64), eps, ab)
    (slope,) = torch.autograd.grad(x0_pred.sum(), eps)
    torch.testing.assert_close(slope[:, 0], -((1 - ab) / ab).sqrt())
    assert slope[0].abs() < 0.02 < 9 < slope[-1].abs()


@pytest.mark.parametrize("prediction", ["epsilon", "v"])
def test_record_of_a_perfect_network(prediction):
    """Whatever the network predicts: its target as output makes x0_pred the x0 of the batch."""
    process = process_of(prediction=prediction)
    draw = torch.Generator().manual_seed(3)
    x0, eps = torch.randn(2, 6, 2, 4, 4, generator=draw)
    t = torch.tensor([0, 1, 250, 500, 900, 999])
    target = process.prediction(x0, eps, t, torch.zeros_like(x0)).target
    record = process.prediction(x0, eps, t, target)
    # alpha_bar is 4e-5 at the end: eight digits of x_t leave about five of x0
    torch.testing.assert_close(record.x0_pred, x0, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(record.x_t, process.noised(x0, eps, t))
    ab = record.alpha_bar
    expected = eps if prediction == "epsilon" else velocity(x0, eps, ab)
    assert torch.equal(target, expected)
    torch.testing.assert_close(record.snr, ab / (1 - ab))


def test_one_value_per_sample_broadcasts_over_any_rank():
    """The same code serves `[B,C,H,W]` and `[B,C,D,H,W]`."""
    values = torch.tensor([1.0, 2.0])
    for shape in [(2, 3), (2, 3, 4, 4), (2, 1, 3, 4, 4)]:
        spreaded = spread(values, torch.zeros(shape)).expand(shape)
        assert (spreaded[0] == 1).all()
        assert (spreaded[1] == 2).all()
