"""Class-conditional denoisers and discriminators learn their conditions, and guidance uses them."""

import numpy as np
import pytest
import torch
from diffusers import UNet2DModel

from sparring.compute import Compute
from sparring.models.denoiser import (
    build_scheduler,
    num_conditions,
    predict,
    predict_guided,
    unconditional,
)
from sparring.models.discriminator import LatentDiscriminator
from sparring.randomness import chances, seeded_initialisation
from sparring.sampling.sampler import Sampler
from sparring.settings.objective import AdversarialLoss
from sparring.settings.parts import (
    DiscriminatorSettings,
    FinetuneSettings,
    NoiseScheduleSettings,
    PretrainSettings,
    SamplingSettings,
)
from sparring.training.denoiser import DenoiserTraining
from sparring.training.discriminator import DiscriminatorTraining, Halves
from sparring.training.finetuning import Finetuning
from sparring.training.latents import Latents
from sparring.training.opponents import Critic

CPU = Compute(torch.device("cpu"), bf16=False)
SMALL = {"batch_size": 8, "eval_interval": 50, "sample_interval": 0, "learning_rate": 5e-3}


def unet(conditions=2, channels=1):
    with seeded_initialisation(0, "denoiser"):
        return UNet2DModel(
            sample_size=4, in_channels=channels, out_channels=channels, layers_per_block=1,
            block_out_channels=(8, 8), down_block_types=("DownBlock2D",) * 2,
            up_block_types=("UpBlock2D",) * 2, norm_num_groups=4, attention_head_dim=4,
            num_class_embeds=conditions + 1,
        )  # fmt: skip


def two_kinds(count, seed):
    """Constant planes near -1 (condition 0) or 1 (condition 1), and their conditions."""
    labels = torch.arange(count) % 2
    spread = 0.2 * torch.randn(count, generator=torch.Generator().manual_seed(seed))
    return (2.0 * labels - 1 + spread).reshape(-1, 1, 1, 1).expand(-1, 1, 4, 4).clone(), labels


def training(dropout=0.25, **keys):
    train, labels = two_kinds(32, 1)
    val, val_labels = two_kinds(8, 2)
    settings = PretrainSettings(condition_dropout=dropout, ema_decay=0.95, **SMALL | keys)
    data = Latents(train, val, labels, val_labels)
    return DenoiserTraining(
        unet(),
        build_scheduler(NoiseScheduleSettings(prediction="v")),
        data,
        settings,
        CPU,
        0,
        ("pretrain",),
    )


@pytest.fixture(scope="module")
def trained():
    torch.set_num_threads(1)
    stage = training(epochs=120)
    for epoch in range(stage.epochs):
        for step in range(stage.steps_per_epoch):
            stage.step(epoch, step)
    return stage


def sampled(stage, label, scale):
    model = stage.average.model.eval()
    settings = SamplingSettings(num_steps=20, guidance_scale=scale)
    sampler = Sampler(model, stage.schedule, settings, CPU)
    return sampler.sample(range(24), 0, "x", labels=torch.full((24,), label)).mean((1, 2, 3))


def test_samples_follow_their_condition(trained):
    """Only the label differs: the noise is the same."""
    low, high = sampled(trained, 0, 1.0), sampled(trained, 1, 1.0)
    assert (low < 0).float().mean() > 0.9
    assert (high > 0).float().mean() > 0.9


def test_without_a_condition_both_kinds_are_sampled(trained):
    values = sampled(trained, 2, 1.0)
    assert 0.15 < (values > 0).float().mean() < 0.85


def test_guidance_goes_further_than_the_condition(trained):
    plain, guided = sampled(trained, 1, 1.0), sampled(trained, 1, 3.0)
    assert guided.mean() > plain.mean() + 0.05


@torch.no_grad()
def test_guidance_is_linear_between_no_condition_and_the_condition():
    model, x = unet(), torch.randn(3, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    t, labels = torch.tensor([5, 500, 900]), torch.tensor([0, 1, 1])
    conditional = predict(model, x, t, labels)
    none = predict(model, x, t, unconditional(model, labels))
    assert not torch.allclose(conditional, none)
    for scale in (0.0, 1.0, 2.5):
        torch.testing.assert_close(
            predict_guided(model, x, t, labels, scale), none + scale * (conditional - none)
        )


def test_as_many_conditions_are_withheld_as_the_settings_say():
    stage = training(dropout=0.3)
    assert num_conditions(stage.model) == 2
    labels, numbers = stage.latents.train_labels, range(60 * stage.steps_per_epoch)
    draws = [stage._draw(number) for number in numbers]
    seen = torch.cat([stage._told(labels[draw.rows], draw) for draw in draws])
    share = (seen == 2).float().mean().item()
    assert abs(share - 0.3) < 5 * np.sqrt(0.3 * 0.7 / len(seen))
    expected = torch.cat([labels[draw.rows] for draw in draws])
    assert torch.equal(seen[seen != 2], expected[seen != 2])
    again = training(dropout=0.3)._draw(7)
    assert torch.equal(again.withheld, draws[7].withheld)
    assert not training(dropout=0.0)._draw(0).withheld.any()


def test_chances_are_keyed_by_sample():
    whole = chances(0.5, range(40), 1, "x")
    assert torch.equal(whole[10:], chances(0.5, range(10, 40), 1, "x"))
    assert not torch.equal(whole, chances(0.5, range(40), 2, "x"))


def test_validation_tells_the_true_conditions(trained):
    """Held-out latents with their conditions swapped are predicted worse."""
    right = trained.validate()["noise_loss"]
    swapped = training(epochs=1)
    swapped.average.model.load_state_dict(trained.average.model.state_dict())
    data = swapped.latents
    swapped.latents = Latents(data.train, data.val, data.train_labels, 1 - data.val_labels)
    assert swapped.validate()["noise_loss"] > 1.5 * right


def discriminating(conditions):
    """Reals have their own condition, fakes the other: only together do they tell."""
    reals, real_labels = two_kinds(64, 3)
    fakes, fake_labels = two_kinds(64, 4)
    with seeded_initialisation(0, "discriminator"):
        model = LatentDiscriminator(1, 8, 1, conditions)
    halves = Halves(np.arange(48), np.arange(48, 64))
    settings = DiscriminatorSettings(epochs=40, batch_size=16, learning_rate=5e-3)
    labels = (real_labels, 1 - fake_labels) if conditions else None
    return DiscriminatorTraining(
        model, reals, fakes, halves, halves, settings, CPU, 0, ("d", 0), labels
    )


@pytest.mark.parametrize(("conditions", "low", "high"), [(2, 0.95, 1.0), (0, 0.0, 0.75)])
def test_a_discriminator_judges_latents_by_their_condition(conditions, low, high):
    stage = discriminating(conditions)
    for epoch in range(stage.epochs):
        for step in range(stage.steps_per_epoch):
            stage.step(epoch, step)
    assert low <= stage.validate()["accuracy"] <= high


def test_it_begins_as_the_unconditional_one():
    with seeded_initialisation(0, "discriminator"):
        plain = LatentDiscriminator(4, 8, 2)
    with seeded_initialisation(0, "discriminator"):
        conditional = LatentDiscriminator(4, 8, 2, 3)
    x = torch.randn(6, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    labels = torch.tensor([0, 1, 2, 0, 1, 2])
    torch.testing.assert_close(conditional(x, labels), plain(x))
    with pytest.raises(ValueError, match="needs labels"):
        conditional(x)


def test_the_adversarial_gradient_depends_on_the_true_condition():
    """Also for latents whose condition was withheld from the denoiser."""
    with seeded_initialisation(0, "discriminator"):
        critic = LatentDiscriminator(1, 8, 1, 2)
    torch.nn.init.normal_(critic.condition.weight)
    train, labels = two_kinds(8, 1)
    gradients = []
    for told in (labels, 1 - labels):
        stage = Finetuning(
            unet(), build_scheduler(NoiseScheduleSettings()), Latents(train, train, told, told),
            FinetuneSettings(condition_dropout=0.999, **SMALL), CPU, 0, ("finetune", 0),
            opponent=Critic(critic, AdversarialLoss(objective="x0_bce", timesteps=(0.0, 1.0))),
        )  # fmt: skip
        stage.step(0, 0)
        moments = stage.optimizer.state[next(stage.model.parameters())]
        gradients.append(moments["exp_avg"].clone())
    assert gradients[0].abs().max() > 0
    assert not torch.allclose(*gradients)
