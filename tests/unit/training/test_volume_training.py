"""The same training on latents of volumes: where gradients go, and that it resumes."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from test_finetuning import Detached, starved

from sparring.models.denoiser import build_scheduler
from sparring.models.discriminator import LatentDiscriminator
from sparring.models.unet3d import UNet3DModel
from sparring.randomness import seeded_initialisation
from sparring.settings.objective import AdversarialLoss
from sparring.settings.parts import (
    DiscriminatorSettings,
    FinetuneSettings,
    NoiseScheduleSettings,
    PretrainSettings,
)
from sparring.training.denoiser import DenoiserTraining, least_draws
from sparring.training.discriminator import DiscriminatorTraining, split_rows
from sparring.training.finetuning import Finetuning
from sparring.training.latents import Latents
from sparring.training.opponents import Critic

EVERY_TIMESTEP = AdversarialLoss(objective="x0_bce", timesteps=(0.0, 1.0), weight=0.5)
SMALL = {"epochs": 2, "batch_size": 4, "eval_interval": 1, "sample_interval": 0,
         "learning_rate": 1e-3}  # fmt: skip


def volumes(count, seed):
    return torch.randn(count, 3, 4, 4, 2, generator=torch.Generator().manual_seed(seed))


def unet3d():
    """Tiny, without the zeros that a fresh one begins with and that no gradient passes."""
    with seeded_initialisation(0, "denoiser"):
        model = UNet3DModel(
            sample_size=(4, 4, 2), in_channels=3, out_channels=3, block_out_channels=(8, 8),
            norm_num_groups=4, attention_head_dim=4,
        )  # fmt: skip
        for p in model.parameters():
            if p.ndim > 1 and not p.any():
                torch.nn.init.normal_(p, std=0.1)
    return model


def critic():
    with seeded_initialisation(0, "discriminator"):
        return LatentDiscriminator(3, 8, 1, spatial_dims=3)


def finetuning(tiny, kind=Finetuning, control=False, **keys):
    return kind(
        unet3d(), build_scheduler(NoiseScheduleSettings()),
        Latents(volumes(10, 1), volumes(6, 2)), FinetuneSettings(**SMALL | keys), tiny.CPU, 0,
        ("finetune", 0), opponent=None if control else Critic(critic(), EVERY_TIMESTEP),
    )  # fmt: skip


def pretraining(tiny):
    return DenoiserTraining(
        unet3d(), build_scheduler(NoiseScheduleSettings()),
        Latents(volumes(10, 1), volumes(6, 2)), PretrainSettings(**SMALL), tiny.CPU, 0, ("pre",),
    )  # fmt: skip


def discriminating(tiny):
    settings = DiscriminatorSettings(epochs=3, batch_size=8, val_fraction=0.25)
    reals, fakes = volumes(24, 3), volumes(20, 4) + 0.5
    halves = [split_rows(np.arange(len(x)), 0.25, 0, name)
              for name, x in (("real", reals), ("fake", fakes))]  # fmt: skip
    return DiscriminatorTraining(critic(), reals, fakes, *halves, settings, tiny.CPU, 0, ("d", 0))


@pytest.mark.parametrize("bf16", [False, True])
def test_the_adversarial_term_alone_reaches_every_parameter(tiny, bf16):
    stage = finetuning(tiny, noise_weight=0.0)
    stage.compute = replace(tiny.CPU, bf16=bf16)
    stage.step(0, 0)
    assert starved(stage) == []


def test_without_x0_pred_nothing_reaches_the_denoiser(tiny):
    stage = finetuning(tiny, Detached, noise_weight=0.0)
    with pytest.raises(RuntimeError, match="does not require grad"):
        stage.step(0, 0)


def test_the_discriminator_stays_as_it_is_and_the_control_differs(tiny):
    stage, control = finetuning(tiny), finetuning(tiny, control=True)
    before = {k: v.clone() for k, v in stage._opponent.discriminator.state_dict().items()}
    for one in (stage, control):
        one.step(0, 0)
    assert tiny.same(stage._opponent.discriminator.state_dict(), before)
    assert not tiny.same(stage.model.state_dict(), control.model.state_dict())


def test_the_discriminator_learns_a_shift_of_volumes(tiny, tmp_path):
    rows = tiny.run(discriminating(tiny), tmp_path).history
    assert float(rows[-1]["val_loss"]) < float(rows[0]["val_loss"])


@pytest.mark.parametrize(
    ("shape", "draws"),
    [((4, 8, 8), 512), ((64, 32, 32), 512), ((64, 8, 8, 8), 256), ((64, 32, 32, 32), 64)],
)
def test_the_noise_of_validation_is_bounded_for_volumes(monkeypatch, shape, draws):
    """All of it is kept: 512 draws of the last would take 4 GB."""
    monkeypatch.setattr("sparring.training.denoiser._MIN_VALIDATION_DRAWS", 512)
    assert least_draws(torch.empty(3, *shape, device="meta")) == draws


@pytest.mark.parametrize("make", [pretraining, finetuning, discriminating])
def test_interrupted_runs_end_with_the_same_bytes(tiny, make, tmp_path):
    def fresh():
        return make(tiny)

    (stage_a, a) = tiny.run_interrupted(fresh, tmp_path / "whole", [])
    (stage_b, b) = tiny.run_interrupted(fresh, tmp_path / "cut", [1, 0, 2])
    assert a.history == b.history
    assert tiny.same(a.best, b.best)
    assert tiny.same(stage_a.state(), stage_b.state())
