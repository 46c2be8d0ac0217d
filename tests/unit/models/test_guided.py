"""A guided denoiser is the denoiser within, corrected by its discriminators' gradients."""

from types import SimpleNamespace

import pytest
import torch

from sparring.compute import Compute
from sparring.models.backbone import from_denoiser
from sparring.models.denoiser import (
    build_denoiser,
    build_scheduler,
    load_denoiser,
    num_conditions,
    predict,
    predict_guided,
    sampled_shape,
    save_denoiser,
)
from sparring.models.discriminator import LatentDiscriminator
from sparring.models.guided import GuidedDenoiser, guided
from sparring.objectives.guidance import guided_output
from sparring.randomness import seeded_initialisation
from sparring.sampling.sampler import Sampler
from sparring.settings.parts import DenoiserSettings, NoiseScheduleSettings, SamplingSettings

CPU = Compute(torch.device("cpu"), bf16=False)
EVERYWHERE = (0.0, 1.0)
TARGETS = {"epsilon": "epsilon", "v": "v_prediction"}


def denoiser(dims=2, conditions=0):
    preset, side = {2: ("unet_tiny", 8), 3: ("unet3d_tiny", (4, 4, 4))}[dims]
    with seeded_initialisation(0, "denoiser"):
        return build_denoiser(DenoiserSettings(preset=preset), 4, side, conditions).eval()


def critic(dims=2, conditions=0, seed=0, kind="convolutions", spectral=False):
    """One that says something of noise levels and conditions."""
    with seeded_initialisation(seed, "critic"):
        if kind == "denoiser":
            model = from_denoiser(denoiser(dims), conditions, dims, noised=True)
        else:
            model = LatentDiscriminator(4, 8, 1, conditions, dims, noised=True, spectral=spectral)
        for p in model.parameters():
            if not p.any():
                torch.nn.init.normal_(p, std=0.3)
    return model.eval()


def schedule(prediction="epsilon", **keys):
    return build_scheduler(NoiseScheduleSettings(prediction=prediction, **keys))


def latents(dims=2, count=3, seed=0):
    sides = (8, 8) if dims == 2 else (4, 4, 4)
    return torch.randn(count, 4, *sides, generator=torch.Generator().manual_seed(seed))


def gradient_of(discriminator, x, t, labels=None):
    """Of the logit by x_t, one sample at a time."""
    rows = []
    for n in range(len(x)):
        one = x[n : n + 1].clone().requires_grad_()
        label = None if labels is None else labels[n : n + 1]
        (row,) = torch.autograd.grad(discriminator(one, label, t[n : n + 1]).sum(), one)
        rows.append(row)
    return torch.cat(rows)


T = torch.tensor([10, 400, 990])


@pytest.mark.parametrize("kind", ["convolutions", "denoiser"])
@pytest.mark.parametrize("dims", [2, 3], ids=["layouts", "volumes"])
@pytest.mark.parametrize("prediction", TARGETS)
def test_its_output_is_the_formula_s(prediction, dims, kind):
    inner, judge, noise = denoiser(dims), critic(dims, kind=kind), schedule(prediction)
    model, x = guided(inner, judge, 0.7, EVERYWHERE, noise), latents(dims)
    with torch.no_grad():
        found, output = predict(model, x, T), predict(inner, x, T)
    ab = noise.alphas_cumprod[T]
    expected = guided_output(output, gradient_of(judge, x, T), ab, TARGETS[prediction], 0.7)
    guidance = (found - output).flatten(1).norm(dim=1)
    assert guidance.min() > 1e-4
    assert ((found - expected).flatten(1).norm(dim=1) < 1e-4 * guidance).all()
    assert not found.requires_grad


def test_a_number_stands_for_all_timesteps():
    """As diffusers' pipelines call it; with or without a record as the answer."""
    model, x = guided(denoiser(), critic(), 1.0, EVERYWHERE, schedule()), latents()
    with torch.no_grad():
        expected = model(x, torch.full((3,), 400)).sample
        for timestep in (400, torch.tensor(400)):
            torch.testing.assert_close(model(x, timestep).sample, expected)
        torch.testing.assert_close(model(x, 400, return_dict=False)[0], expected)


def test_a_range_guides_only_within_it():
    inner, x = denoiser(), latents()
    model = guided(inner, critic(), 1.0, (0.3, 0.5), schedule())
    t = torch.tensor([299, 300, 499])
    with torch.no_grad():
        change = (predict(model, x, t) - predict(inner, x, t)).flatten(1).norm(dim=1)
        assert (change > 0).tolist() == [False, True, True]
        late = torch.full((3,), 500)
        assert torch.equal(predict(model, x, late), predict(inner, x, late))


def test_discriminators_add_up():
    """Guiding a guided one keeps what guides it, each with its weight and range."""
    inner, noise, x = denoiser(), schedule(), latents()
    one, two = critic(seed=1), critic(seed=2, kind="denoiser")
    first = guided(inner, one, 0.5, EVERYWHERE, noise)
    both = guided(first, two, 0.8, (0.0, 0.5), noise)
    assert (len(both.guides), len(first.guides)) == (2, 1)
    assert type(both.unguided) is type(inner)
    gradient = 0.5 * gradient_of(one, x, T)
    gradient += 0.8 * gradient_of(two, x, T) * (T < 500).reshape(-1, 1, 1, 1)
    with torch.no_grad():
        expected = guided_output(predict(inner, x, T), gradient, noise.alphas_cumprod[T], "epsilon")
        torch.testing.assert_close(predict(both, x, T), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("of", [0, 3], ids=["blind to conditions", "told conditions"])
def test_conditions_go_to_both_and_none_is_the_mean_over_all(of):
    inner, judge, noise = denoiser(conditions=3), critic(conditions=of), schedule()
    model, x = guided(inner, judge, 1.0, EVERYWHERE, noise), latents()
    labels = torch.tensor([0, 2, 3])  # the last one stands for no condition
    with torch.no_grad():
        found, output = predict(model, x, T, labels), predict(inner, x, T, labels)
    if of:
        every = [gradient_of(judge, x, T, torch.full((3,), n)) for n in range(3)]
        gradient = torch.stack([every[0][0], every[2][1], torch.stack(every)[:, 2].mean(0)])
    else:
        gradient = gradient_of(judge, x, T)
    expected = guided_output(output, gradient, noise.alphas_cumprod[T], "epsilon")
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    assert num_conditions(model) == 3


def test_classifier_free_guidance_works_on_top():
    model = guided(denoiser(conditions=2), critic(conditions=2), 1.0, EVERYWHERE, schedule())
    x, labels = latents(), torch.tensor([0, 1, 0])
    with torch.no_grad():
        found = predict_guided(model, x, T, labels, 2.0)
        conditional, none = (predict(model, x, T, n) for n in (labels, torch.full((3,), 2)))
    torch.testing.assert_close(found, none + 2 * (conditional - none), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("spectral", [False, True])
@pytest.mark.parametrize("dims", [2, 3], ids=["layouts", "volumes"])
def test_a_directory_gives_the_same_denoiser_back(tmp_path, dims, spectral):
    noise = schedule("v", zero_terminal_snr=True)
    model = guided(denoiser(dims), critic(dims, spectral=spectral), 0.4, (0.1, 0.9), noise)
    model = guided(model, critic(dims, kind="denoiser"), 0.2, EVERYWHERE, noise)
    save_denoiser(tmp_path, model, noise)
    again, found = load_denoiser(tmp_path)
    assert isinstance(again, GuidedDenoiser)
    assert found.config.prediction_type == "v_prediction"
    assert sampled_shape(again) == sampled_shape(model.unguided)
    x = latents(dims)
    with torch.no_grad():
        assert torch.equal(predict(again, x, T), predict(model, x, T))
    save_denoiser(tmp_path / "again", again, found)
    for name in ("config.json", "diffusion_pytorch_model.safetensors"):
        assert (tmp_path / name).read_bytes() == (tmp_path / "again" / name).read_bytes()


def test_at_zero_terminal_snr_it_stays_finite():
    noise = schedule("v", zero_terminal_snr=True)
    inner, x, last = denoiser(), latents(), torch.full((3,), 999)
    model = guided(inner, critic(), 1.0, EVERYWHERE, noise)
    with torch.no_grad():
        assert torch.equal(predict(model, x, last), predict(inner, x, last))


class Gaussian(torch.nn.Module):
    """A perfect denoiser of independent normal latents."""

    def __init__(self, mean, std, noise):
        super().__init__()
        self.mean, self.std, self.ab = mean, std, noise.alphas_cumprod
        self.as_v = noise.config.prediction_type == "v_prediction"

    def moments(self, t):
        """Mean and variance of x_t, each `[B,1,1,1]`."""
        ab = self.ab[t].reshape(-1, 1, 1, 1)
        return ab.sqrt() * self.mean, ab * self.std**2 + 1 - ab

    def forward(self, x, t):
        (mean, variance), ab = self.moments(t), self.ab[t].reshape(-1, 1, 1, 1)
        eps = (1 - ab).sqrt() * (x - mean) / variance
        return SimpleNamespace(sample=(eps - (1 - ab).sqrt() * x) / ab.sqrt() if self.as_v else eps)


class Ratio(torch.nn.Module):
    """The perfect discriminator of two of them: the logarithm of the densities' ratio."""

    config = SimpleNamespace(num_conditions=0)

    def __init__(self, real, fake):
        super().__init__()
        self.real, self.fake = real, fake

    def forward(self, x, labels, t):
        parts = []
        for of in (self.real, self.fake):
            mean, variance = of.moments(t)
            parts.append((-0.5 * (x - mean) ** 2 / variance - 0.5 * variance.log()).flatten(1))
        return (parts[0] - parts[1]).sum(1)


@pytest.mark.parametrize("prediction", TARGETS)
def test_guided_samples_of_a_known_gaussian_are_the_target_s(prediction):
    """Through the sampler that makes fakes: mean and standard deviation of the latents."""
    noise = schedule(prediction)
    model = guided(denoiser(), critic(), 1.0, EVERYWHERE, noise)
    ours, target = Gaussian(-0.5, 1.3, noise), Gaussian(1.0, 0.6, noise)
    model.unguided, model.guides[0] = ours, Ratio(target, ours)
    sampler = Sampler(model, noise, SamplingSettings(num_steps=100), CPU)
    samples = sampler.sample(range(32), 0, "gaussian")
    assert float(samples.mean()) == pytest.approx(1.0, abs=0.06)
    assert float(samples.std()) == pytest.approx(0.6, abs=0.06)
