"""ddo: the denoiser against its own beginning, as a discriminator of reals and fakes."""

from dataclasses import replace
from math import log

import pytest
import torch
import torch.nn.functional as F

from sparring.models.denoiser import build_scheduler, forward_process
from sparring.objectives import ddo
from sparring.objectives.table import NEEDS
from sparring.settings.parts import NoiseScheduleSettings

SHAPES = [(2, 4, 4), (2, 4, 4, 2)]


def record(prediction="epsilon", shape=(2, 4, 4), seed=0, batch=5):
    """A prediction of random numbers in float64."""
    process = forward_process(build_scheduler(NoiseScheduleSettings(prediction=prediction)))
    draw = torch.Generator().manual_seed(seed)
    x0, eps, output = torch.randn(3, batch, *shape, generator=draw, dtype=torch.float64)
    return process.prediction(x0, eps, torch.arange(batch) * 150, output)


def test_the_table_says_that_it_has_no_discriminator():
    needs = NEEDS["ddo"]
    assert needs.fakes
    assert needs.fakes_in_training
    assert not needs.discriminator
    assert not needs.guided_sampling


@pytest.mark.parametrize("shape", SHAPES, ids=["layouts", "volumes"])
@pytest.mark.parametrize("prediction", ["epsilon", "v"])
def test_delta_is_the_difference_of_summed_squares(prediction, shape):
    batch, reference = record(prediction, shape), record(prediction, shape, seed=1).output
    found = ddo.log_ratio(batch, reference)
    assert found.shape == (5,)
    for n in range(5):
        ours = F.mse_loss(batch.output[n], batch.target[n], reduction="sum")
        theirs = F.mse_loss(reference[n], batch.target[n], reduction="sum")
        torch.testing.assert_close(found[n], theirs - ours)


@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0, 6.0])
@pytest.mark.parametrize("beta", [0.01, 0.05, 1.0])
def test_at_the_reference_the_loss_is_log_2_times_1_plus_alpha(alpha, beta):
    batch = record()
    delta = ddo.log_ratio(batch, batch.output)
    assert not delta.any()
    loss = (ddo.real_loss(delta, beta) + alpha * ddo.fake_loss(delta, beta)).mean()
    assert loss.item() == pytest.approx(log(2) * (1 + alpha))
    assert ddo.at_reference(alpha) == pytest.approx(log(2) * (1 + alpha))


@pytest.mark.parametrize("prediction", ["epsilon", "v"])
def test_gradients_agree_with_finite_differences(prediction):
    real, fake = record(prediction), record(prediction, seed=2)
    references = [record(prediction, seed=seed).output for seed in (3, 4)]

    def loss(real_output, fake_output):
        deltas = [
            ddo.log_ratio(replace(batch, output=output), reference)
            for batch, output, reference in zip(
                (real, fake), (real_output, fake_output), references, strict=True
            )
        ]
        return ddo.real_loss(deltas[0], 0.05) + 0.7 * ddo.fake_loss(deltas[1], 0.05)

    inputs = [batch.output.clone().requires_grad_() for batch in (real, fake)]
    assert torch.autograd.gradcheck(loss, inputs)


def test_the_reference_gets_no_gradient():
    batch, reference = record(), record(seed=1).output.requires_grad_()
    batch = replace(batch, output=batch.output.clone().requires_grad_())
    ddo.real_loss(ddo.log_ratio(batch, reference), 0.05).sum().backward()
    assert reference.grad is None
    assert batch.output.grad.abs().sum() > 0


def test_scaled_the_gradient_on_reals_begins_as_half_that_of_the_noise_loss():
    """Whatever beta and size: clipping and the learning rate keep their meaning."""
    for shape in SHAPES:
        for beta in (0.002, 0.05):
            batch = record(shape=shape)
            output = batch.output.clone().requires_grad_()
            delta = ddo.log_ratio(replace(batch, output=output), batch.output)
            loss = ddo.scale(beta, batch.x0[0].numel()) * ddo.real_loss(delta, beta).sum()
            (found,) = torch.autograd.grad(loss, output)
            noise = F.mse_loss(output, batch.target, reduction="none").flatten(1).mean(1).sum()
            (expected,) = torch.autograd.grad(noise, output)
            torch.testing.assert_close(found, expected / 2)


def test_telling_them_apart_lowers_the_loss():
    """Better than the reference on reals, worse on fakes; the other way round it rises."""
    batch, alpha, beta = record(), 1.0, 0.05
    nearer = replace(batch, output=batch.output + 0.1 * (batch.target - batch.output))
    farther = replace(batch, output=batch.output - 0.1 * (batch.target - batch.output))
    better, worse = (ddo.log_ratio(one, batch.output) for one in (nearer, farther))
    assert (better > 0).all()
    assert (worse < 0).all()
    start = ddo.at_reference(alpha)
    assert (ddo.real_loss(better, beta) + alpha * ddo.fake_loss(worse, beta) < start).all()
    assert (ddo.real_loss(worse, beta) + alpha * ddo.fake_loss(better, beta) > start).all()


def test_with_exact_log_ratios_the_data_s_own_density_is_the_optimum():
    """Zheng et al. 2025, theorem 3.1: gradients of both parts cancel at p_theta = p_data, and
    nowhere else, whatever the reference. One dimension, by quadrature."""
    x = torch.linspace(-12, 12, 4001, dtype=torch.float64)
    data, reference = torch.tensor([0.5, 0.3]), torch.tensor([-0.2, 0.0])  # mean, log std

    def log_density(at):
        return -0.5 * ((x - at[0]) / at[1].exp()) ** 2 - at[1]

    def gradient(at):
        theta = at.double().requires_grad_()
        delta = log_density(theta) - log_density(reference)
        parts = (data, ddo.real_loss(delta, 1.0)), (reference, ddo.fake_loss(delta, 1.0))
        loss = sum((log_density(of).exp() * values).sum() for of, values in parts)
        return torch.autograd.grad(loss * (x[1] - x[0]), theta)[0]

    assert gradient(data).abs().max() < 1e-6
    assert gradient(reference).abs().max() > 1e-2


def test_with_a_beta_below_1_the_least_loss_lies_past_the_data():
    """So it may not choose the epoch. Gaussians by quadrature: the data has deviation 1 and the
    reference 1.2; where the ratio is exact and beta 1, the least loss is at the data."""
    x = torch.linspace(-12, 12, 2001, dtype=torch.float64)
    deviations = torch.linspace(0.3, 1.3, 201, dtype=torch.float64)

    def log_density(deviation):
        return -0.5 * (x / deviation) ** 2 - torch.as_tensor(deviation).log()

    def best(beta):
        delta = log_density(deviations[:, None]) - log_density(1.2)
        reals = (log_density(1.0).exp() * ddo.real_loss(delta, beta)).sum(1)
        fakes = (log_density(1.2).exp() * ddo.fake_loss(delta, beta)).sum(1)
        return float(deviations[(reals + fakes).argmin()])

    assert best(1.0) == pytest.approx(1.0, abs=0.01)
    assert best(0.2) < 0.75
    assert best(0.1) < best(0.2) < best(0.5) < 1


def test_beta_is_by_dimensions_unless_it_is_a_number():
    assert ddo.steepness("auto", 512) == pytest.approx(100 / 512)
    assert ddo.steepness(0.3, 512) == 0.3


def test_a_confident_ratio_keeps_finite_losses_and_gradients():
    delta = torch.tensor([-1e6, 1e6], requires_grad=True)
    loss = ddo.real_loss(delta, 0.05) + ddo.fake_loss(delta, 0.05)
    loss.sum().backward()
    assert loss.tolist() == pytest.approx([5e4, 5e4])
    assert torch.isfinite(delta.grad).all()
