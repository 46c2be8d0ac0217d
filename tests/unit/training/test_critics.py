"""Fine-tuning against discriminators of noised latents, and ones that go on learning."""

from dataclasses import replace

import pytest
import rivals
import torch
from test_finetuning import Detached, Recorded, starved

from sparring.models.discriminator import LatentDiscriminator
from sparring.randomness import seeded_initialisation
from sparring.settings.objective import AdversarialLoss
from sparring.settings.parts import DiscriminatorSettings
from sparring.training.finetuning import Finetuning
from sparring.training.latents import Latents
from sparring.training.opponents import Critic


def against(tiny, make=rivals.critic, kind=Recorded, **keys):
    return tiny.finetuning(kind, rival=make, **{"noise_weight": 0.0, "batch_size": 10} | keys)


def spied(critic):
    """What a discriminator is shown, and told, in every call."""
    calls, plain = [], critic.forward
    critic.forward = lambda *seen: (calls.append(seen), plain(*seen))[1]
    return calls


@pytest.mark.parametrize("prediction", ["epsilon", "v"])
@pytest.mark.parametrize("kind", ["convolutions", "denoiser"])
def test_the_term_alone_reaches_every_parameter(tiny, prediction, kind):
    model = rivals.backbone(tiny.unet()) if kind == "denoiser" else None
    noise = tiny.schedule(prediction=prediction)
    stage = against(tiny, lambda: rivals.critic(model), noise_schedule=noise)
    stage.step(0, 0)
    assert starved(stage) == []


def test_detached_nothing_reaches_it(tiny):
    stage = against(tiny, kind=Detached)
    with pytest.raises(RuntimeError, match="does not require grad"):
        stage.step(0, 0)


def test_a_frozen_one_stays_as_it_is(tiny, tmp_path):
    stage = against(tiny, noise_weight=1.0)
    critic = stage._opponent.discriminator
    before = {name: tensor.clone() for name, tensor in critic.state_dict().items()}
    tiny.run(stage, tmp_path)
    assert tiny.same(critic.state_dict(), before)
    assert all(p.grad is None and not p.requires_grad for p in critic.parameters())


def test_predictions_are_noised_from_their_own_level_up(tiny):
    stage = against(tiny, lambda: rivals.critic(renoise="above"))
    calls = spied(stage._opponent.discriminator)
    stage.step(0, 0)
    ((seen, _, levels),) = calls
    batch = stage.last
    assert (levels >= batch.timesteps).all()
    assert (levels > batch.timesteps).any()
    ab = stage.process.alpha_bar[levels].reshape(-1, 1, 1, 1)
    noise = (seen - ab.sqrt() * batch.x0_pred) / (1 - ab).sqrt()
    assert 0.9 < float(noise.detach().std()) < 1.1


def test_or_at_any_level(tiny):
    stage = against(tiny, lambda: rivals.critic(renoise="any"))
    calls = spied(stage._opponent.discriminator)
    stage.step(0, 0)
    assert (calls[0][2] < stage.last.timesteps).any()


def test_reals_of_a_pair_are_seen_at_the_level_of_the_prediction(tiny):
    stage = against(tiny, lambda: rivals.critic(settings={"relativistic": True}))
    calls = spied(stage._opponent.discriminator)
    stage.step(0, 0)
    (fake, _, levels), (real, _, of_reals) = calls
    assert torch.equal(levels, of_reals)
    assert not torch.equal(fake, real)
    assert fake.requires_grad
    assert not real.requires_grad


def test_a_timestep_range_keeps_the_term_off_other_predictions(tiny):
    stage = against(tiny, lambda: rivals.critic(timesteps=(0.0, 0.5)), noise_weight=1.0)
    stage.step(0, 0)
    x0_pred = stage.last.x0_pred.detach().requires_grad_()
    terms = stage.losses(stage.model, replace(stage.last, x0_pred=x0_pred), stage.rows)
    (gradient,) = torch.autograd.grad(terms["discriminator_loss"].mean, x0_pred)
    inside = stage.last.timesteps < 500
    assert torch.equal(gradient.flatten(1).norm(dim=1) > 0, inside)
    assert 0 < inside.sum() < len(inside)


def test_validation_sees_the_same_noise_every_time(tiny):
    stage = against(tiny)
    assert stage.validate() == stage.validate()


def test_the_adaptive_weight_makes_gradients_alike(tiny):
    """At the last layer, whatever the discriminator's scale: as large as the noise loss's."""
    control = tiny.finetuning(control=True, batch_size=10, max_grad_norm=1e9)
    control.step(0, 0)

    def last_gradient(stage):
        return [p for p in stage.model.parameters() if p.ndim > 1][-1].grad.norm().item()

    found = []
    for weight, louder in ((1.0, 1.0), (1.0, 30.0), (0.5, 1.0)):
        stage = against(tiny, lambda w=weight: rivals.critic(adaptive=True, weight=w),
                        max_grad_norm=1e9)  # fmt: skip
        with torch.no_grad():
            stage._opponent.discriminator.head.weight.mul_(louder)
        stage.step(0, 0)
        found.append(last_gradient(stage))
    expected = last_gradient(control)
    assert found == pytest.approx([expected, expected, expected / 2], rel=2e-2)


def test_an_online_discriminator_learns_and_a_control_does_not_notice(tiny, tmp_path):
    """It learns from the batch after the denoiser's step, and is frozen again for the next."""
    stage = against(tiny, rivals.online, noise_weight=1.0)
    critic = stage._opponent.discriminator
    before = {name: p.clone() for name, p in critic.named_parameters()}
    terms = stage.step(0, 0)
    assert {"critic_loss", "critic_accuracy"} <= set(terms)
    assert all(not torch.equal(p, before[name]) for name, p in critic.named_parameters())
    assert not any(p.requires_grad for p in critic.parameters())
    assert not critic.training
    frozen = against(tiny, lambda: rivals.critic(rivals.noised_discriminator(spectral=True),
                     {"relativistic": True}), noise_weight=1.0)  # fmt: skip
    frozen.step(0, 0)
    assert tiny.same(stage.model.state_dict(), frozen.model.state_dict())


def clean_online():
    """As x0_bce has it: without noise, at every timestep."""
    with seeded_initialisation(0, "discriminator"):
        discriminator = LatentDiscriminator(4, 8, 2)
    settings = DiscriminatorSettings(online=True, learning_rate=5e-3)
    return Critic(
        discriminator, AdversarialLoss(objective="x0_bce", timesteps=(0.0, 1.0)), settings
    )


def test_learning_online_lowers_its_own_loss(tiny, tmp_path):
    """Clean predictions of a denoiser that knows nothing are easily told from reals."""
    stage = against(tiny, clean_online, noise_weight=1.0, batch_size=4, epochs=8)
    rows = tiny.run(stage, tmp_path).history
    assert rows[-1]["train_critic_loss"] < 0.9 * rows[1]["train_critic_loss"]


def test_online_it_learns_only_from_predictions_that_count(tiny):
    stage = against(tiny, lambda: rivals.online(timesteps=(0.0, 0.5)), noise_weight=1.0)
    calls = spied(stage._opponent.discriminator)
    stage.step(0, 0)
    inside = int((stage.last.timesteps < 500).sum())
    assert len(calls[2][0]) == 2 * inside  # after the two of the denoiser's loss
    none = against(tiny, lambda: rivals.online(timesteps=(0.0, 1e-6)), noise_weight=1.0)
    before = {n: t.clone() for n, t in none._opponent.discriminator.state_dict().items()}
    terms = none.step(0, 0)
    assert terms["critic_loss"] == (0, 0)
    assert tiny.same(none._opponent.discriminator.state_dict(), before)


def test_online_on_clean_latents_no_level_is_told(tiny):
    stage = against(tiny, clean_online)
    calls = spied(stage._opponent.discriminator)
    before = stage._opponent.discriminator.head.weight.clone()
    stage.step(0, 0)
    assert [seen[2] for seen in calls] == [None, None]
    assert not torch.equal(stage._opponent.discriminator.head.weight, before)


def test_conditions_are_the_true_ones(tiny):
    """Also where the denoiser was not told them."""
    labels = torch.arange(10) % 2
    discriminator = rivals.noised_discriminator(conditions=2)

    class Told(Recorded):
        def __init__(self, *args, **keys):
            model, noise, latents, *others = args
            latents = Latents(latents.train, latents.val, labels, labels[:6])
            super().__init__(model, noise, latents, *others, **keys)

        def _told(self, labels, draw):
            return None

    stage = against(tiny, lambda: rivals.critic(discriminator, {"online": True}), kind=Told)
    calls = spied(discriminator)
    stage.step(0, 0)
    assert torch.equal(calls[0][1], labels[stage.rows.latents])
    assert torch.equal(calls[1][1], labels[stage.rows.latents].repeat(2))


@pytest.mark.parametrize("objective", ["noised", "ddo"])
def test_volumes(tiny, objective):
    from test_volume_training import SMALL, unet3d, volumes

    from sparring.settings.parts import FinetuneSettings

    rival = rivals.itself(unet3d(), (3, 4, 4, 2))
    if objective == "noised":
        rival = rivals.critic(rivals.noised_discriminator(3, dims=3), {"online": True, "r1": 0.1})
    stage = Finetuning(
        unet3d(), tiny.schedule(prediction="v"), Latents(volumes(10, 1), volumes(6, 2)),
        FinetuneSettings(**SMALL | {"noise_weight": 0.0}), tiny.CPU, 0, ("v",), opponent=rival,
    )  # fmt: skip
    stage.step(0, 0)
    assert starved(stage) == []
    assert all(value == value for value in stage.validate().values())
