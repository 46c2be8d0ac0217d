"""The toy's density of samples, and the formula of guidance, where both have a closed form."""

import importlib.util
import sys
from pathlib import Path

import pytest
import torch

from sparring.diffusion.process import spread
from sparring.models.denoiser import build_scheduler, forward_process
from sparring.objectives.guidance import guided_output
from sparring.settings.parts import NoiseScheduleSettings

PREDICTIONS = pytest.mark.parametrize("prediction", ["epsilon", "v"])


@pytest.fixture(scope="module")
def toy():
    path = Path(__file__).parents[2] / "bench" / "toy_density.py"
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module  # where dataclasses look their module up
    spec.loader.exec_module(module)
    yield module
    del sys.modules[path.stem]


def process(prediction):
    keys = {"schedule": "cosine", "num_timesteps": 500, "prediction": prediction}
    return forward_process(build_scheduler(NoiseScheduleSettings(**keys)))


def normal(toy, std):
    return toy.Mixture(torch.zeros(1, 2), torch.ones(1), std)


def points(count=100):
    return torch.randn(count, 2, generator=torch.Generator().manual_seed(0))


def scale(ddim, field):
    """c of a linear sampler x_0 = c x_T, whose samples are N(0, c^2)."""
    x = ddim.sample(field, torch.ones(1, 2))
    torch.testing.assert_close(ddim.sample(field, torch.full((1, 2), 2.0)), 2 * x)
    return x[0, 0].item()


@PREDICTIONS
def test_density_of_a_known_sampler(toy, prediction):
    """The perfect denoiser of a Gaussian makes every step linear, so samples are Gaussian too."""
    ddim = toy.Ddim(process(prediction), num_steps=10)
    field = normal(toy, 0.5).denoiser(ddim.process)
    log_q, _, moved = ddim.invert(field, points())
    exact = normal(toy, scale(ddim, field)).log_prob(points())
    torch.testing.assert_close(log_q, exact, atol=1e-2, rtol=0)
    assert moved.max() < 1e-4


@PREDICTIONS
def test_forwards_and_backwards_agree(toy, prediction):
    """log q of samples, found on the way, is log q of the same points, inverted."""
    ddim = toy.Ddim(process(prediction), num_steps=20)
    field = toy.Mixture.grid().denoiser(ddim.process)
    x, log_q = ddim.sample_with_density(field, points())
    torch.testing.assert_close(x, ddim.sample(field, points()))
    again, noise, _ = ddim.invert(field, x)
    torch.testing.assert_close(noise, points(), atol=1e-3, rtol=0)
    torch.testing.assert_close(again, log_q, atol=3e-2, rtol=0)


def test_bins_and_density_agree(toy):
    mixture = toy.Mixture.grid()
    edges = torch.linspace(-2, 2, 401)
    centres = (edges[1:] + edges[:-1]) / 2
    density = mixture.log_prob(torch.cartesian_prod(centres, centres)).exp().reshape(400, 400)
    masses = mixture.bin_masses(edges)
    torch.testing.assert_close(density * 0.01**2, masses, atol=2e-6, rtol=1e-2)
    assert masses.sum().item() == pytest.approx(1, abs=1e-3)
    assert toy.jensen_shannon(masses, masses) == pytest.approx(0, abs=1e-6)


@PREDICTIONS
def test_guidance_by_the_perfect_discriminator_samples_the_reals(toy, prediction):
    """A denoiser of another distribution, and the true log p(x_t) - log q(x_t) as logit."""
    ddim = toy.Ddim(process(prediction), num_steps=200)
    real, model = normal(toy, 0.5), normal(toy, 1.0)
    wrong = model.denoiser(ddim.process)

    def guided(x_t, timesteps):
        ab = spread(ddim.process.alpha_bar[timesteps], x_t)
        variances = [ab * mixture.std**2 + 1 - ab for mixture in (real, model)]
        gradient = x_t / variances[1] - x_t / variances[0]
        ab = ab.flatten()
        return guided_output(wrong(x_t, timesteps), gradient, ab, ddim.process.target)

    assert scale(ddim, wrong) == pytest.approx(1, rel=2e-2)
    assert scale(ddim, guided) == pytest.approx(0.5, rel=2e-2)
