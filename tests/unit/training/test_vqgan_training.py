"""Phases of a VQ-GAN: who learns when and from whom, and that pieces and phases join."""

import pytest
import torch
from vqgans import adversary, model, patches, same, stage, weights_of

from sparring.models.codebook import EmaCodebook
from sparring.settings.vqgan import VqganLosses
from sparring.training import adversary as adversary_module
from sparring.training.loop import Loop
from sparring.training.optimisation import moments_of
from sparring.training.state import ResumeState


def steps(training, count):
    terms = {}
    for n in range(count):
        per_epoch = training.steps_per_epoch
        terms = training.step(n // per_epoch, n % per_epoch)
    return terms


def test_discriminators_learn_only_after_their_start():
    critic = adversary()
    training = stage(critic, start=2)
    before = [weights_of(judge.model) for judge in critic.judges]
    idle = steps(training, 2)
    assert all(
        same(old, weights_of(judge.model)) for old, judge in zip(before, critic.judges, strict=True)
    )
    assert idle["disc_loss"] == idle["gen_loss"] == 0
    active = training.step(1, 0)
    for old, judge in zip(before, critic.judges, strict=True):
        new = weights_of(judge.model)
        # The last bias stays: reals and fakes within the margin pull it apart alike.
        assert not any(torch.equal(old[n], new[n]) for n in old if n.endswith("conv.weight"))
    assert active.keys() == idle.keys()
    assert active["disc_loss"] > 0


def test_every_scale_learns():
    critic = adversary(scales=2, num_layers=1)
    before = [weights_of(judge.model) for judge in critic.judges]
    steps(stage(critic), 1)
    for old, judge in zip(before, critic.judges, strict=True):
        new = weights_of(judge.model)
        assert not any(torch.equal(old[n], new[n]) for n in old if n.endswith("conv.weight"))


@pytest.mark.parametrize("weights", [(1.0, 0.0), (0.0, 1.0)], ids=["image", "volume"])
@pytest.mark.parametrize("matching", [0.0, 4.0])
def test_the_generator_gets_gradient_from_each(weights, matching):
    """From the adversarial loss alone and with features, to the encoder's first layer."""
    critic = adversary(image_weight=weights[0], volume_weight=weights[1], feature_matching=matching)
    training = stage(critic)
    pulled = gradients(training)
    training.adversary = None
    alone = gradients(training)
    for name, gradient in pulled.items():
        assert (gradient - alone[name]).norm() > 1e-6 * alone[name].norm(), name


def gradients(training):
    """Of the generator in one and the same step."""
    if not training.model.codebook.initialised:
        training._codes.begin(training._seen(0, range(4)), 1.0, 0)
    training._forget()
    training._piece(0, [0, 1], 1.0)
    return {name: p.grad.clone() for name, p in training.model.named_parameters()}


def test_the_pull_leaves_no_gradient_in_the_discriminators():
    critic = adversary()
    x = patches().train(0, [0, 1])
    fake = x.clone().requires_grad_()
    pull = critic.pull(x, fake, torch.zeros(2, 3, 1, dtype=torch.long))
    (pull.adversarial + pull.matching).backward()
    assert fake.grad.abs().sum() > 0
    assert all(p.grad is None and p.requires_grad for p in critic.parameters)


def test_a_weight_of_zero_makes_no_network(monkeypatch):
    made = []
    monkeypatch.setattr(
        adversary_module, "PatchDiscriminator",
        lambda **keys: made.append(keys["spatial_dims"]) or torch.nn.Conv2d(1, 1, 1),
    )  # fmt: skip
    adversary(volume_weight=0.0)
    assert made == [2]
    adversary(image_weight=0.0)
    assert made == [2, 3]


def test_without_discriminators_a_second_phase_is_more_of_the_first(tmp_path):
    """The control: the same further steps, from the saved model and moments."""
    whole = stage(count=4)
    steps(whole, 4)
    first = stage(count=2)
    steps(first, 2)
    second = stage(
        net=_copied(first.model), moments=moments_of(first.optimizer, first.model), first=2, count=2
    )
    steps(second, 2)
    assert same(whole.weights(), second.weights())


def _copied(network):
    other = model()
    other.load_state_dict(network.state_dict())
    return other


def test_both_arms_see_the_same_patches():
    seen = {"with": [], "without": []}
    for arm, critic in (("with", adversary()), ("without", None)):
        training = stage(critic, first=6)
        plain = training.patches.train
        training.patches = type(training.patches)(
            lambda n, numbers, arm=arm, plain=plain: (
                seen[arm].append((n, tuple(numbers))) or plain(n, numbers)
            ),
            training.patches.val,
        )
        steps(training, 2)
    assert seen["with"] == seen["without"]
    assert [n for n, _ in seen["with"]][-2:] == [6, 7]


@pytest.mark.parametrize("critic", [None, {}], ids=["reconstruction", "adversarial"])
def test_pieces_of_a_batch_make_the_same_step(critic):
    whole, pieces = (
        stage(critic if critic is None else adversary(**critic), micro_batch_size=size)
        for size in (None, 1)
    )
    before = whole.weights()
    terms = [steps(each, 2) for each in (whole, pieces)]
    for name, value in terms[0].items():
        assert torch.allclose(value, terms[1][name], rtol=1e-3, atol=1e-4), name
    after = pieces.weights()
    for name, value in whole.weights().items():
        if value.is_floating_point():
            # as a whole: where a gradient is next to nothing, Adam makes much of its rounding
            moved, apart = value - before[name], value - after[name]
            assert apart.norm() <= 0.1 * moved.norm() + 1e-6, name


def test_the_ramp_rises_from_nearly_nothing_to_one():
    training = stage(adversary(ramp_steps=3), start=5)
    assert training._ramp(4) is None
    assert [training._ramp(n) for n in range(5, 10)] == [0.25, 0.5, 0.75, 1, 1]


@pytest.mark.parametrize("critic", [False, True], ids=["reconstruction", "adversarial"])
def test_the_adaptive_weight_makes_gradients_alike(critic):
    training = stage(adversary(adaptive=True) if critic else None)
    terms = steps(training, 1)
    assert ("adaptive_weight" in terms) == critic
    assert not critic or terms["adaptive_weight"] > 0


def test_codes_are_initialised_once_and_restarted_in_use():
    training = stage(codebook={"restart_interval": 1, "restart_below": 0.9}, count=8)
    book = training.model.codebook
    assert isinstance(book, EmaCodebook)
    steps(training, 1)
    assert not book.initialised  # latents pass as they are
    training.step(0, 1)
    assert book.initialised
    first = book.codes.clone()
    steps(training, 1)
    resumed = stage(net=_copied(training.model))
    assert resumed.model.codebook.initialised
    resumed.step(0, 0)
    assert not torch.equal(first, resumed.model.codebook.codes)


def test_finite_scalars_train_too():
    training = stage(net=model(codebook={"quantiser": "fsq", "fsq_levels": (5, 5)}))
    terms = steps(training, 2)
    assert terms["commitment"] == 0
    assert "dead_codes" not in terms
    assert training.validate()["perplexity"] >= 1


def test_training_reconstructs_and_uses_its_codes(tmp_path):
    training = stage(count=150, eval_interval=50, learning_rate=3e-3, codebook={"start_step": 40})
    history = Loop(training, ResumeState(tmp_path, "d"), 1e9).run().history
    assert history[-1]["val_l1"] < 0.5 * history[0]["val_l1"]
    assert history[-1]["val_psnr"] > history[0]["val_psnr"] + 2
    assert history[-1]["val_perplexity"] > 4


def test_a_perceptual_loss_of_given_features_counts():
    def features(x, places):
        return [x.repeat(1, 2, 1, 1, 1)]

    terms = [
        steps(stage(features=f, losses=VqganLosses(perceptual=p)), 1)
        for f, p in ((features, 5.0), (None, 5.0))
    ]
    assert terms[0]["loss"] > terms[1]["loss"]
    assert "perceptual" not in terms[1]


def test_a_picture_is_drawn_after_each_epoch(tmp_path):
    drawn = []
    training = stage(picture=lambda epoch, real, fake: drawn.append((epoch, real, fake)))
    Loop(training, ResumeState(tmp_path, "d"), 1e9).run()
    assert [epoch for epoch, _, _ in drawn] == [1, 2]
    assert drawn[0][1].shape == drawn[0][2].shape
