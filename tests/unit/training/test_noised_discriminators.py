"""Training a discriminator on noised latents, and what keeps it from learning by heart."""

import pytest
import rivals
import torch

from sparring.training.critic import Seen, critic_losses, penalty, scorer


def spied(model):
    calls, plain = [], model.forward
    model.forward = lambda *seen: (calls.append(seen), plain(*seen))[1]
    return calls


def test_reals_and_fakes_of_a_batch_are_noised_to_levels_that_are_told(tiny):
    stage = tiny.discriminating_noised(r1=0.0, r2=0.0)
    calls = spied(stage.model)
    for step in range(stage.steps_per_epoch):
        stage.step(0, step)
    levels = torch.cat([t for _, _, t in calls])
    assert levels.min() < 250
    assert levels.max() > 750
    known = {row.numpy().tobytes() for of in stage._classes for row in of.latents}
    assert not any(row.numpy().tobytes() in known for seen, _, _ in calls for row in seen)


def test_noise_of_training_is_new_in_every_epoch_and_that_of_validation_never(tiny):
    stage = tiny.discriminating_noised(r1=0.0, r2=0.0)
    calls = spied(stage.model)
    stage.validate()
    first = [seen.clone() for seen, _, _ in calls]
    stage.step(0, 0)
    stage.step(1, 0)
    one, two = (t for _, _, t in calls[-2:])
    assert not torch.equal(one, two)
    calls.clear()
    stage.validate()
    assert all(torch.equal(a, b) for a, (b, _, _) in zip(first, calls, strict=True))


def test_few_held_out_latents_are_each_noised_several_times(tiny, monkeypatch):
    """Else the figure that chooses the epoch would hang on a few levels."""
    stage = tiny.discriminating_noised()
    reals, fakes = (sum(len(part.latents) for part in held) for held in stage._held_out)
    assert (len(stage._classes[0].rows.val), len(stage._classes[1].rows.val)) == (6, 5)
    assert (reals, fakes) == (24, 25)
    levels = torch.cat([part.timesteps for part in stage._held_out[0]])
    assert len(set(levels.tolist())) > 20


@pytest.mark.parametrize(
    "keys",
    [
        {"spectral": True},
        {"relativistic": False},
        {"r1": 0.0, "r2": 0.0, "weight_decay": 0.0},
        {"backbone": True},
    ],
    ids=lambda keys: next(iter(keys)),
)
def test_a_known_difference_is_found(tiny, tmp_path, keys):
    """A shift of the mean shows at most noise levels."""
    model = rivals.backbone(tiny.unet()) if keys.pop("backbone", False) else None
    same = tiny.latents(300, 9) * 0.7
    stage = tiny.discriminating_noised(
        model=model, reals=same[:150], fakes=same[150:] + 0.7, epochs=5, batch_size=32,
        val_fraction=0.5, learning_rate=2e-3, **keys,
    )  # fmt: skip
    assert tiny.run(stage, tmp_path).history[-1]["val_accuracy"] > 0.7


def test_history_names_the_penalties(tiny, tmp_path):
    row = tiny.run(tiny.discriminating_noised(epochs=1), tmp_path).history[-1]
    assert {"train_loss", "train_accuracy", "train_r1", "train_r2"} <= set(row)
    assert not {"val_r1", "val_r2"} & set(row)


@pytest.mark.parametrize("key", ["r1", "r2"])
def test_a_penalty_flattens_the_discriminator(tiny, tmp_path, key):
    """On the inputs that it is meant for; the figure is that before it is weighed."""
    reals, fakes = tiny.latents(40, 1) + 0.5, tiny.latents(40, 2) - 0.5

    def steepness(gamma):
        stage = tiny.discriminating_noised(
            reals=reals, fakes=fakes, epochs=6, learning_rate=2e-3,
            **{"r1": 0.0, "r2": 0.0, key: gamma},
        )  # fmt: skip
        tiny.run(stage, tmp_path / str(gamma))
        held = stage._held_out[0 if key == "r1" else 1][0]
        return float(penalty(stage.model, held).detach())

    assert steepness(10.0) < 0.5 * steepness(0.0)


def test_penalties_add_to_the_loss_as_they_weigh(tiny):
    model = rivals.noised_discriminator()
    t = torch.tensor([10, 300, 600, 900])
    reals, fakes = (Seen(tiny.latents(4, n), None, t) for n in (1, 2))
    from sparring.settings.parts import DiscriminatorSettings

    def losses(**keys):
        score = scorer(model, tiny.CPU)
        return critic_losses(score, model, reals, fakes, DiscriminatorSettings(**keys))

    plain, both = losses(), losses(r1=0.3, r2=2.0)
    expected = plain["loss"] + 0.3 * both["r1"] + 2.0 * both["r2"]
    torch.testing.assert_close(both["loss"], expected)
    assert set(plain) == {"loss", "accuracy"}
    torch.testing.assert_close(both["r1"], penalty(model, reals))
    torch.testing.assert_close(both["r2"], penalty(model, fakes))


def test_decay_shrinks_weights(tiny, tmp_path):
    def size(decay):
        stage = tiny.discriminating_noised(weight_decay=decay, learning_rate=1e-3)
        tiny.run(stage, tmp_path / str(decay))
        return sum(float(p.detach().square().sum()) for p in stage.model.parameters())

    assert size(50.0) < 0.9 * size(0.0)


def test_pairs_are_right_where_the_real_scores_higher(tiny):
    """Whatever their signs: validation pairs every real with every fake."""
    stage = tiny.discriminating_noised()
    logits = iter([torch.tensor([3.0, 5.0]), torch.tensor([2.0, 4.0, 9.0])])
    stage._held_out = [[None], [None]]
    stage._pass = lambda seen: next(logits)
    found = stage.validate()
    assert found["accuracy"] == pytest.approx(3 / 6)
    gaps = torch.tensor([1.0, -1.0, -6.0, 3.0, 1.0, -4.0])
    assert found["loss"] == pytest.approx(float(torch.nn.functional.softplus(-gaps).mean()))


@pytest.mark.parametrize("key", ["r1", "r2"])
def test_a_backbone_with_attention_can_be_penalised(tiny, key):
    """The derivative of a gradient goes through attention, which fused kernels do not have."""
    from sparring.models.denoiser import build_denoiser
    from sparring.settings.parts import DenoiserSettings

    unet = build_denoiser(DenoiserSettings(preset="unet_tiny"), 4, 8)
    model = rivals.backbone(unet)
    assert any("attentions" in name for name, _ in model.named_modules())
    stage = tiny.discriminating_noised(model=model, **{"r1": 0.0, "r2": 0.0, key: 1.0})
    terms = stage.step(0, 0)
    assert terms[key] > 0
    assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)
