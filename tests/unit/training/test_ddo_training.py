"""Fine-tuning by ddo: the denoiser against the one that entered, on reals and on its fakes."""

from dataclasses import replace
from math import log

import pytest
import rivals
import torch
from test_finetuning import starved

from sparring.training.finetuning import Finetuning
from sparring.training.latents import Rows


class Detached(Finetuning):
    """The defect: the loss on reals no longer hangs on the denoiser."""

    def losses(self, model, prediction, rows):
        return super().losses(model, replace(prediction, output=prediction.output.detach()), rows)


def stage_of(tiny, kind=Finetuning, finetuning=None, **keys):
    return tiny.finetuning(kind, rival=tiny.itself(**keys), **finetuning or {})


@pytest.mark.parametrize("alpha", [0.5, 1.0])
@pytest.mark.parametrize("prediction", ["epsilon", "v"])
def test_it_begins_at_log_2_times_1_plus_alpha(tiny, alpha, prediction):
    """Model and reference are the same network: nothing is told apart, in either split."""
    noise = tiny.schedule(prediction=prediction)
    stage = stage_of(tiny, alpha=alpha, finetuning={"noise_schedule": noise})
    found = stage.validate()
    assert found["ddo_loss"] == pytest.approx(log(2) * (1 + alpha), rel=1e-6)
    assert found["ddo_accuracy"] == 0  # a tie counts as wrong
    first = stage.step(0, 0)
    assert first["ddo_loss"].value.item() == pytest.approx(log(2) * (1 + alpha), rel=1e-4)


@pytest.mark.parametrize("prediction", ["epsilon", "v"])
def test_its_term_alone_reaches_every_parameter(tiny, prediction):
    noise = tiny.schedule(prediction=prediction)
    stage = stage_of(tiny, alpha=0.0, finetuning={"noise_schedule": noise})
    stage.step(0, 0)
    assert starved(stage) == []


def test_detached_from_reals_nothing_reaches_it(tiny):
    """The check above fails where it should."""
    stage = stage_of(tiny, Detached, alpha=0.0)
    stage.step(0, 0)
    assert len(starved(stage)) > 50


def test_fakes_alone_reach_every_parameter_too(tiny):
    stage = stage_of(tiny, Detached, alpha=1.0)
    stage.step(0, 0)
    assert starved(stage) == []


def test_the_reference_stays_as_it_is(tiny, tmp_path):
    stage = stage_of(tiny)
    reference = stage._opponent._reference
    before = {name: tensor.clone() for name, tensor in reference.state_dict().items()}
    tiny.run(stage, tmp_path)
    assert tiny.same(reference.state_dict(), before)
    assert all(p.grad is None and not p.requires_grad for p in reference.parameters())
    assert not tiny.same(stage.model.state_dict(), before)


def test_it_learns_to_tell_reals_from_fakes(tiny, tmp_path):
    """On held-out ones of both, judged by the averaged weights."""
    keys = {"epochs": 12, "learning_rate": 3e-3, "ema_decay": 0.5}
    rows = tiny.run(stage_of(tiny, max_rise=10.0, finetuning=keys), tmp_path).history
    assert rows[-1]["val_ddo_loss"] < 0.97 * rows[0]["val_ddo_loss"]
    assert rows[-1]["val_ddo_accuracy"] > 0.55


def test_its_own_noise_weight_takes_the_place_of_the_settings_one(tiny):
    for weight in (0.0, 0.3):
        stage = stage_of(tiny, noise_weight=weight, finetuning={"noise_weight": 0.7})
        seen, plain = [], stage.losses
        stage.losses = lambda *given, plain=plain, seen=seen: seen.append(plain(*given)) or seen[-1]
        stage.step(0, 0)
        terms = seen[0]
        assert terms["noise_loss"].weight == weight
        assert terms["ddo_loss"].weight == pytest.approx(1 / (0.05 * 4 * 8 * 8))
        assert terms["ddo_accuracy"].weight == 0


def test_beta_is_100_over_the_latent_s_dimensions_unless_told(tiny):
    """The weight that the term is scaled by undoes it."""
    stage = stage_of(tiny, beta="auto")
    assert stage._opponent._beta == pytest.approx(100 / (4 * 8 * 8))
    assert stage_of(tiny, beta=0.3)._opponent._beta == 0.3


def deltas(stage):
    """Of the reals and of the fakes of a first step, and what the step is validated by."""
    seen, plain = [], stage._opponent._delta
    stage._opponent._delta = lambda *given: seen.append(plain(*given)) or seen[-1]
    stage.step(0, 0)
    return seen


def dropping_out(tiny):
    """A denoiser whose dropout leaves little."""
    model = tiny.unet()
    dropouts = [module for module in model.modules() if isinstance(module, torch.nn.Dropout)]
    for module in dropouts:
        module.p = 0.5
    assert dropouts
    return model


def test_at_the_start_nothing_is_told_whatever_dropout_the_denoiser_has(tiny, monkeypatch):
    """With dropout the model would differ from the reference, which it still equals."""
    model = dropping_out(tiny)
    monkeypatch.setattr("conftest.unet", lambda: model)
    real, fake = deltas(tiny.finetuning(rival=lambda: rivals.itself(model)))
    assert not real.any()
    assert not fake.any()
    control = tiny.finetuning(control=True)
    assert any(m.training for m in control.model.modules() if isinstance(m, torch.nn.Dropout))


def seen_fakes(stage):
    """What the denoiser is shown beside the reals, by split, filled by every step."""
    opponent, seen = stage._opponent, {"train": [], "val": []}
    plain = opponent._fake_prediction

    def spy(model, prediction, rows):
        found = plain(model, prediction, rows)
        seen[rows.split].append((found[0], prediction))
        return found

    opponent._fake_prediction = spy
    return seen


def test_fakes_that_validate_are_not_trained_on(tiny, tmp_path):
    stage = stage_of(tiny)
    seen = seen_fakes(stage)
    tiny.run(stage, tmp_path)
    rows = {split: {row.numpy().tobytes() for fakes, _ in found for row in fakes.x0}
            for split, found in seen.items()}  # fmt: skip
    assert (len(rows["train"]), len(rows["val"])) == (8, 2)
    assert not rows["train"] & rows["val"]


def test_fakes_have_the_timesteps_and_the_noise_of_the_reals(tiny):
    stage = stage_of(tiny)
    seen = seen_fakes(stage)
    stage.step(0, 0)
    stage.validate()
    for fakes, reals in (*seen["train"], *seen["val"]):
        assert torch.equal(fakes.timesteps, reals.timesteps)
        assert torch.equal(fakes.eps, reals.eps)
    ((fakes, _),) = seen["train"]
    assert len({row.numpy().tobytes() for row in fakes.x0}) == 4  # each real has one of its own


class Rising(Finetuning):
    """Validation where the noise loss rises by half a percent an epoch, and samples get nearer."""

    def validate(self):
        epoch = self.average.updates // self.steps_per_epoch
        return {"noise_loss": 1 + 0.005 * epoch, "kernel": 1 - 0.1 * epoch}


def rising(tiny, epochs, **keys):
    return stage_of(tiny, Rising, finetuning={"epochs": epochs, "selection_samples": 8}, **keys)


def test_it_ends_when_the_noise_loss_has_risen_too_far(tiny, tmp_path, caplog):
    """The epoch before is handed on, though samples went on getting nearer."""
    stage = rising(tiny, 9, max_rise=0.012)
    found = tiny.run(stage, tmp_path)
    assert [row["epoch"] for row in found.history] == [0, 1, 2, 3]
    assert found.best_epoch == 2
    shorter = rising(tiny, 2)
    assert tiny.same(found.best, tiny.run(shorter, tmp_path / "shorter").best)
    assert "training ends after epoch 3, which is not kept" in caplog.text
    assert "adversarial.max_rise 0.012" in caplog.text


def test_where_no_epoch_may_be_kept_the_start_is(tiny, tmp_path):
    stage = rising(tiny, 9, max_rise=0.001)
    found = tiny.run(stage, tmp_path)
    assert found.best_epoch == 0
    assert tiny.same(found.best, tiny.unet().state_dict())
    assert [row["epoch"] for row in found.history] == [0, 1]


def test_one_that_is_not_overdone_runs_to_its_end(tiny, tmp_path):
    stage = rising(tiny, 4, max_rise=0.5)
    found = tiny.run(stage, tmp_path)
    assert (found.best_epoch, len(found.history)) == (4, 5)


def test_fakes_are_predicted_by_their_own_conditions(tiny):
    """Told to model and reference alike: at the start the deltas are zero."""
    from test_conditional_training import two_kinds, unet

    from sparring.models.denoiser import build_scheduler
    from sparring.settings.parts import FinetuneSettings, NoiseScheduleSettings
    from sparring.training.latents import Latents

    (train, labels), (val, val_labels) = two_kinds(8, 1), two_kinds(4, 2)
    of_fakes = torch.tensor([0, 0, 0, 1, 1, 1, 0, 1])
    small = {"epochs": 1, "batch_size": 4, "sample_interval": 0, "condition_dropout": 0.5,
             "selection_samples": 0}  # fmt: skip
    stage = Finetuning(
        unet(), build_scheduler(NoiseScheduleSettings()),
        Latents(train, val, labels, val_labels), FinetuneSettings(**small), tiny.CPU, 0, ("c",),
        opponent=rivals.itself(unet(), (1, 4, 4), of_fakes, count=8),
    )  # fmt: skip
    told, plain = [], stage.model.forward
    stage.model.forward = lambda x, t, class_labels: (
        told.append(class_labels), plain(x, t, class_labels)
    )[1]  # fmt: skip
    terms = stage.step(0, 0)
    assert terms["ddo_loss"].value.item() == pytest.approx(2 * log(2), rel=1e-4)
    assert starved(stage) == []
    reals, fakes = told
    rows = Rows("train", torch.arange(4), draw=("c", 0), numbers=stage._rows(0, 0).tolist())
    assert torch.equal(fakes, of_fakes[:6][stage._opponent._chosen(rows)])
    assert set(reals.tolist()) <= {0, 1, 2}
