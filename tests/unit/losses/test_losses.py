"""Losses return one value per sample and stay finite for confident networks."""

import pytest
import torch
import torch.nn.functional as F

from sparring.losses.discrimination import accuracy, discriminator_loss
from sparring.losses.noise import noise_loss
from sparring.models.denoiser import build_scheduler, forward_process
from sparring.settings.parts import NoiseScheduleSettings


def record(batch=5, prediction="epsilon"):
    process = forward_process(build_scheduler(NoiseScheduleSettings(prediction=prediction)))
    draw = torch.Generator().manual_seed(0)
    x0, eps, output = torch.randn(3, batch, 2, 4, 4, generator=draw)
    return process.prediction(x0, eps, torch.arange(batch) * 100, output)


@pytest.mark.parametrize("prediction", ["epsilon", "v"])
def test_noise_loss_is_one_mean_square_per_sample(prediction):
    batch = record(prediction=prediction)
    values = noise_loss(batch)
    assert values.shape == (5,)
    for n in range(5):
        torch.testing.assert_close(values[n], F.mse_loss(batch.output[n], batch.target[n]))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("logit", [-100.0, 100.0])
@pytest.mark.parametrize("label", [0.0, 1.0])
def test_discriminator_loss_survives_confident_logits(dtype, logit, label):
    """A sigmoid followed by a logarithm gives infinity here."""
    logits = torch.full((3,), logit, dtype=dtype, requires_grad=True)
    loss = discriminator_loss(logits, torch.full((3,), label))
    loss.sum().backward()
    wrong = (logit > 0) != bool(label)
    assert loss.shape == (3,)
    assert loss.tolist() == pytest.approx([100.0 if wrong else 0.0] * 3, abs=1e-40)
    assert torch.isfinite(logits.grad).all()
    assert logits.grad.abs().tolist() == pytest.approx([1.0 if wrong else 0.0] * 3, abs=1e-40)


def test_discriminator_loss_is_cross_entropy():
    logits = torch.tensor([-3.0, -0.1, 0.0, 2.0], dtype=torch.float64)
    label = torch.tensor([1.0, 0.0, 1.0, 0.0], dtype=torch.float64)
    p = torch.sigmoid(logits)
    expected = -(label * p.log() + (1 - label) * (1 - p).log())
    torch.testing.assert_close(discriminator_loss(logits, label), expected)


def test_accuracy_counts_signs():
    logits = torch.tensor([2.0, -2.0, 0.5, -0.5])
    assert accuracy(logits, torch.tensor([1.0, 0.0, 0.0, 1.0])).tolist() == [1, 1, 0, 0]
