"""Sampling: the same sample in any batch, and the right distribution from a perfect denoiser."""

from types import SimpleNamespace

import pytest
import torch
from diffusers import UNet2DModel
from torch import nn

from sparring.compute import Compute
from sparring.diffusion.process import predict_x0, spread, velocity
from sparring.errors import UserError
from sparring.models.denoiser import build_scheduler, forward_process
from sparring.randomness import normals
from sparring.sampling.sampler import Sampler, build_sampler
from sparring.settings.parts import NoiseScheduleSettings, SamplingSettings

CPU = Compute(torch.device("cpu"), bf16=False)
SAMPLERS = [("ddim", 0.0), ("ddim", 1.0), ("ddpm", 0.0), ("dpmsolver++", 0.0), ("unipc", 0.0)]
STOCHASTIC = [("ddim", 1.0), ("ddpm", 0.0)]


class GaussianDenoiser(nn.Module):
    """The best possible prediction for data x0 ~ N(mean, std^2), elementwise.

    E[eps | x_t] = sqrt(1 - ab) (x_t - sqrt(ab) mean) / (ab std^2 + 1 - ab).
    """

    def __init__(self, process, mean=0.0, std=1.0, shape=(4, 16)):
        super().__init__()
        self.process, self.mean, self.std = process, mean, std
        self.config = SimpleNamespace(in_channels=shape[0], sample_size=shape[1])
        self.first_inputs = []

    def forward(self, x_t, timesteps):
        if timesteps[0] == self.process.num_timesteps - 1:
            self.first_inputs.append(x_t.clone())
        ab = self.process.alpha_bar[timesteps]
        a = spread(ab, x_t)
        away = (x_t - a.sqrt() * self.mean) / (a * self.std**2 + 1 - a)
        output = (1 - a).sqrt() * away
        if self.process.target == "v_prediction":
            x0 = self.mean + a.sqrt() * self.std**2 * away
            output = velocity(x0, output, ab)
        return SimpleNamespace(sample=output)


def schedule(**keys):
    return build_scheduler(NoiseScheduleSettings(**keys))


def settings(sampler, eta, num_steps):
    return SamplingSettings(sampler=sampler, eta=eta, num_steps=num_steps)


def in_batches(sampler, batch_size, count=6, seed=3):
    return torch.cat(list(sampler.batches(count, batch_size, seed, "fakes")))


@pytest.fixture(scope="module")
def unet():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return UNet2DModel(
            sample_size=8,
            in_channels=4,
            out_channels=4,
            layers_per_block=1,
            block_out_channels=(8, 8),
            down_block_types=("DownBlock2D",) * 2,
            up_block_types=("UpBlock2D",) * 2,
            norm_num_groups=4,
        ).eval()


@pytest.mark.parametrize(("name", "eta"), SAMPLERS)
def test_a_sample_is_the_same_in_any_batch(unet, name, eta):
    sampler = Sampler(unet, schedule(), settings(name, eta, 6), CPU)
    whole = in_batches(sampler, 6)
    assert whole.shape == (6, 4, 8, 8)
    for batch_size in (1, 4):
        torch.testing.assert_close(in_batches(sampler, batch_size), whole, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("name", "eta"), SAMPLERS)
def test_noise_of_a_sample_is_bitwise_the_same_in_any_batch(name, eta):
    """An elementwise model leaves no room for rounding: start and every later draw must agree."""
    noise_schedule = schedule()
    model = GaussianDenoiser(forward_process(noise_schedule), shape=(2, 4))
    sampler = Sampler(model, noise_schedule, settings(name, eta, 5), CPU)
    whole = in_batches(sampler, 6)
    starts = model.first_inputs[0]
    for batch_size in (1, 2, 4):
        model.first_inputs.clear()
        assert torch.equal(in_batches(sampler, batch_size), whole)
        assert torch.equal(torch.cat(model.first_inputs), starts)
    expected = normals((2, 4, 4), [5], 3, "fakes", device=CPU.device)[0]
    assert torch.equal(starts[5], expected)


@pytest.mark.parametrize(("name", "eta"), SAMPLERS)
def test_samples_differ_from_each_other_and_between_keys(name, eta):
    noise_schedule = schedule()
    model = GaussianDenoiser(forward_process(noise_schedule), shape=(2, 4))
    sampler = Sampler(model, noise_schedule, settings(name, eta, 5), CPU)
    whole = sampler.sample(range(6), 3, "fakes")
    assert len(whole.flatten(1).unique(dim=0)) == 6
    for seed, key in ((4, "fakes"), (3, "evaluation")):
        assert not torch.equal(sampler.sample(range(6), seed, key), whole)
    assert torch.equal(sampler.sample(range(6), 3, "fakes"), whole)


@pytest.mark.parametrize(("name", "eta"), SAMPLERS)
def test_chance_enters_only_where_the_sampler_is_stochastic(name, eta):
    """With the same start, a second draw changes ddpm and ddim with eta, and nothing else."""
    noise_schedule = schedule()
    process = forward_process(noise_schedule)
    sampler = Sampler(
        GaussianDenoiser(process, shape=(2, 4)), noise_schedule, settings(name, eta, 20), CPU
    )
    start = normals((2, 4, 4), [0], 3, "fakes", device=CPU.device)[0]
    (sample,) = sampler.sample(range(1), 3, "fakes")
    # For data N(0, 1) the exact flow is the identity: x_t keeps its distribution.
    correlation = torch.corrcoef(torch.stack([start.flatten(), sample.flatten()]))[0, 1]
    assert (correlation > 0.99) == ((name, eta) not in STOCHASTIC)


@pytest.mark.parametrize("keys", [
    {"prediction": "epsilon"},
    {"prediction": "v", "schedule": "cosine"},
    {"prediction": "v", "zero_terminal_snr": True},
], ids=["epsilon", "v", "zero_snr"])  # fmt: skip
@pytest.mark.parametrize(("name", "eta"), SAMPLERS)
def test_a_perfect_denoiser_samples_the_data(name, eta, keys):
    """Data N(1.5, 0.5^2): mean and spread come back within sampling and step error."""
    mean, std, count = 1.5, 0.5, 16
    noise_schedule = schedule(**keys)
    model = GaussianDenoiser(forward_process(noise_schedule), mean, std)
    # the ancestral step's own variance is right only as steps become small
    steps = 1000 if (name, eta) in STOCHASTIC else 100
    samples = Sampler(model, noise_schedule, settings(name, eta, steps), CPU).sample(
        range(count), 1, "check"
    )
    elements = samples.numel()
    assert (samples.mean() - mean).abs() < 4 * std / elements**0.5 + 0.01 * std
    assert (samples.std() / std - 1).abs() < 4 / (2 * elements) ** 0.5 + 0.02


@pytest.mark.parametrize("name", ["ddim", "ddpm", "dpmsolver++", "unipc"])
def test_sampling_starts_at_the_last_timestep(name):
    """A schedule made elsewhere may say `leading`, which starts below the noisiest timestep."""
    noise_schedule = schedule()
    noise_schedule.register_to_config(timestep_spacing="leading", clip_sample=True)
    model = GaussianDenoiser(forward_process(noise_schedule), mean=4.0, shape=(1, 4))
    samples = Sampler(model, noise_schedule, settings(name, 0.0, 50), CPU).sample(range(8), 1, "x")
    assert len(model.first_inputs) == 1
    # clip_sample would hold everything within +-1
    assert (samples.mean() - 4).abs() < 0.5


def test_an_unknown_sampler_is_refused_with_those_there_are():
    with pytest.raises(UserError, match="sampler is 'euler', expected one of ddim, ddpm"):
        build_sampler("euler", schedule())


def test_one_ddim_step_is_the_x0_prediction(unet):
    """One step from T - 1 lands on x0_pred of the network's output there."""
    noise_schedule = schedule()
    start = normals((4, 8, 8), [0], 9, "one", device=CPU.device)
    last = torch.tensor([999])
    with torch.no_grad():
        eps = unet(start, last).sample
    ab = forward_process(noise_schedule).alpha_bar
    # diffusers lands on alpha_bar = 1 ("set_alpha_to_one")
    expected = predict_x0(start, eps, ab[last])
    found = Sampler(unet, noise_schedule, settings("ddim", 0.0, 1), CPU).sample(range(1), 9, "one")
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-2)
