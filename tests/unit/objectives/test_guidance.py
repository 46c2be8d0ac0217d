"""guidance: sampling follows the gradient of a discriminator's logit."""

import pytest
import torch

from sparring.models.denoiser import build_scheduler
from sparring.objectives.guidance import guided_output
from sparring.objectives.table import NEEDS
from sparring.sampling.sampler import build_sampler
from sparring.settings.parts import NoiseScheduleSettings

MODEL, TARGET = (-0.5, 1.3), (1.0, 0.6)  # mean and standard deviation


def test_the_table_says_that_sampling_is_guided():
    needs = NEEDS["guidance"]
    assert needs.guided_sampling
    assert needs.discriminator_input == "noised"
    assert needs.fakes
    assert not needs.fakes_in_training


def score(x, ab, gaussian):
    """grad_x log of the density of x_t, where x_0 is normal.   [B,...], [B]."""
    ab, (mean, std) = ab.reshape(-1, 1), gaussian
    return -(x - ab.sqrt() * mean) / (ab * std**2 + 1 - ab)


def output_of(x, ab, gaussian, target):
    """What a perfect network predicts: eps = -sqrt(1 - ab) score, or v from it."""
    eps = -(1 - ab.reshape(-1, 1)).sqrt() * score(x, ab, gaussian)
    if target == "epsilon":
        return eps
    ab = ab.reshape(-1, 1)
    return (eps - (1 - ab).sqrt() * x) / ab.sqrt()


@pytest.mark.parametrize("target", ["epsilon", "v_prediction"])
@pytest.mark.parametrize("weight", [0.5, 1.0])
def test_a_corrected_output_is_that_of_the_corrected_score(target, weight):
    """With weight 1 and the exact logit it is the target's own, with less it lies between."""
    x = torch.randn(6, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    ab = torch.tensor([0.999, 0.9, 0.5, 0.1, 0.01, 4e-5], dtype=torch.float64)
    gradient = score(x, ab, TARGET) - score(x, ab, MODEL)
    found = guided_output(output_of(x, ab, MODEL, target), gradient, ab, target, weight)
    ours, wanted = (output_of(x, ab, of, target) for of in (MODEL, TARGET))
    torch.testing.assert_close(found, (1 - weight) * ours + weight * wanted)


def test_eps_and_v_are_corrected_alike():
    """The same network, read as eps and as v, is the same network afterwards."""
    draw = torch.Generator().manual_seed(1)
    x, eps, gradient = torch.randn(3, 4, 2, 3, 3, generator=draw, dtype=torch.float64)
    ab = torch.tensor([0.99, 0.6, 0.2, 0.001], dtype=torch.float64)
    wide = ab.reshape(-1, 1, 1, 1)
    v = (eps - (1 - wide).sqrt() * x) / wide.sqrt()
    as_v = guided_output(v, gradient, ab, "v_prediction", 0.7)
    as_eps = guided_output(eps, gradient, ab, "epsilon", 0.7)
    torch.testing.assert_close(wide.sqrt() * as_v + (1 - wide).sqrt() * x, as_eps)


@pytest.mark.parametrize("target", ["epsilon", "v_prediction"])
def test_volumes_are_corrected_like_layouts(target):
    draw = torch.Generator().manual_seed(2)
    output, gradient = torch.randn(2, 3, 2, 4, 4, 2, generator=draw)
    ab = torch.tensor([0.9, 0.5, 0.1])
    found = guided_output(output, gradient, ab, target)
    flat = guided_output(output.flatten(2), gradient.flatten(2), ab, target)
    assert torch.equal(found.flatten(2), flat)


def test_where_nothing_of_x0_is_left_v_stays():
    output, gradient = torch.ones(2, 1, 2, 2), torch.full((2, 1, 2, 2), 3.0)
    found = guided_output(output, gradient, torch.tensor([0.0, 0.5]), "v_prediction")
    assert torch.equal(found[0], output[0])
    assert not torch.equal(found[1], output[1])


@pytest.mark.parametrize("target", ["epsilon", "v_prediction"])
def test_guided_samples_of_a_gaussian_are_the_target_s(target):
    """DDIM with the model's exact output and the exact logit of target against model."""
    keys = {"prediction": "v" if target == "v_prediction" else "epsilon"}
    sampler = build_sampler("ddim", build_scheduler(NoiseScheduleSettings(**keys)))
    sampler.set_timesteps(200)

    def sampled(guided):
        x = torch.randn(4000, 1, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
        for t in sampler.timesteps:
            ab = sampler.alphas_cumprod[t].double().expand(len(x))
            output = output_of(x, ab, MODEL, target)
            if guided:
                gradient = score(x, ab, TARGET) - score(x, ab, MODEL)
                output = guided_output(output, gradient, ab, target)
            x = sampler.step(output, t, x).prev_sample
        return float(x.mean()), float(x.std())

    assert sampled(guided=False) == pytest.approx(MODEL, abs=0.06)
    assert sampled(guided=True) == pytest.approx(TARGET, abs=0.06)


def test_the_noisiest_timesteps_are_not_guided_unless_asked():
    """There a step turns a small error of the gradient into a large one."""
    from sparring.settings.objective import AdversarialLoss
    from sparring.settings.stages import GuideDenoiser

    default = AdversarialLoss(objective="guidance").timesteps
    assert default[1] < 1
    assert default == GuideDenoiser().timesteps
    asked = AdversarialLoss(objective="guidance", timesteps=(0.0, 1.0))
    assert AdversarialLoss(**asked.model_dump()).timesteps == (0.0, 1.0)
