"""Stage 1 and what fine-tuning shares with it: rates, fixed validation, the average."""

import pytest
import torch

from sparring.ahead import Ahead
from sparring.diffusion.process import Prediction
from sparring.training.denoiser import DenoiserTraining
from sparring.training.finetuning import Finetuning
from sparring.training.latents import Rows, on_device


class Recorded(Finetuning):
    """Keeps every prediction record that a loss is computed from."""

    def losses(self, model, prediction: Prediction, rows: Rows):
        self.__dict__.setdefault("seen", []).append(prediction)
        return super().losses(model, prediction, rows)


def validated(stage):
    """Timesteps, noise and x0 that one validation uses, with its figures."""
    stage.seen = []
    figures = stage.validate()
    return figures, [torch.cat([getattr(p, n) for p in stage.seen])
                     for n in ("timesteps", "eps", "x0")]  # fmt: skip


def test_the_rate_falls_over_the_whole_training_and_not_every_epoch(tiny, tmp_path):
    """Counted in steps: near the peak after the first epoch, near 0 after the last."""
    stage = tiny.pretraining(epochs=10, lr_schedule="cosine", learning_rate=0.01)
    rates = [row["learning_rate"] for row in tiny.run(stage, tmp_path).history[1:]]
    assert rates[0] > 0.97 * 0.01
    assert 0 < rates[-1] < 0.01 * 0.01
    assert rates == sorted(rates, reverse=True)
    assert rates[4] == pytest.approx(0.005, rel=0.15)


def test_warm_up_is_counted_in_steps(tiny):
    stage = tiny.pretraining(lr_warmup_steps=4, learning_rate=0.01)
    rates = []
    for step in range(6):
        stage.step(*divmod(step, stage.steps_per_epoch))
        rates.append(stage.learning_rate())
    assert rates == pytest.approx([0.002, 0.004, 0.006, 0.008, 0.01, 0.01])


def test_every_training_latent_is_seen_once_per_epoch(tiny):
    stage = tiny.finetuning(Recorded, control=True)
    for epoch in range(2):
        stage.seen = []
        for step in range(stage.steps_per_epoch):
            stage.step(epoch, step)
        rows = torch.cat([p.x0 for p in stage.seen])
        assert sorted(rows[:, 0, 0, 0].tolist()) == sorted(stage.latents.train[:, 0, 0, 0].tolist())
        assert [len(p.x0) for p in stage.seen] == [4, 4, 2]


def test_noise_and_timesteps_are_new_in_every_epoch_and_iteration(tiny):
    draws = []
    for iteration, epoch in ((0, 0), (0, 1), (1, 0)):
        stage = tiny.finetuning(Recorded, control=True, batch_size=10, key=("ft", iteration))
        stage.step(epoch, 0)
        draws.append(stage.seen[0])
    for a, b in ((0, 1), (0, 2), (1, 2)):
        assert not torch.equal(draws[a].timesteps.sort().values, draws[b].timesteps.sort().values)


def test_arms_meet_the_same_noise(tiny):
    """The control differs from the adversarial arm by the loss and by nothing else."""
    arms = [tiny.finetuning(Recorded, control=control) for control in (False, True)]
    for stage in arms:
        stage.step(0, 0)
    for name in ("x0", "eps", "timesteps"):
        assert torch.equal(*(getattr(stage.seen[0], name) for stage in arms))


def test_validation_gives_the_same_figures_twice(tiny):
    stage = tiny.finetuning(Recorded)
    assert stage.validate() == stage.validate()


def test_validation_meets_the_same_noise_in_every_epoch_iteration_and_arm(tiny):
    """Fresh noise each time would make `best` a matter of luck."""
    stage = tiny.finetuning(Recorded)
    before, draws = validated(stage)
    for epoch in range(2):
        for step in range(stage.steps_per_epoch):
            stage.step(epoch, step)
    after, later = validated(stage)
    assert after != before  # the weights did move
    others = [validated(tiny.finetuning(Recorded, key=("finetune", 3)))[1],
              validated(tiny.finetuning(Recorded, control=True))[1]]  # fmt: skip
    for other in (later, *others):
        assert all(torch.equal(a, b) for a, b in zip(draws, other, strict=True))


def test_validation_timesteps_are_spread_over_all_of_them(tiny):
    (t, eps, _) = validated(tiny.finetuning(Recorded))[1]
    assert len(t) >= 24
    gaps = t.sort().values.diff()
    assert t.min() < 1000 / len(t)
    assert t.max() >= 1000 - 1000 / len(t)
    assert (gaps - 1000 / len(t)).abs().max() <= 1
    assert len(eps.flatten(1).unique(dim=0)) == len(eps)


def test_every_validation_latent_counts_alike(tiny):
    x0 = validated(tiny.finetuning(Recorded))[1][2]
    _, counts = x0[:, 0, 0, 0].unique(return_counts=True)
    assert len(counts) == 6
    assert len(counts.unique()) == 1


def test_validation_judges_the_average_and_leaves_the_model_in_training_mode(tiny):
    stage = tiny.pretraining()
    before = stage.validate()
    with torch.no_grad():
        for p in stage.model.parameters():
            p.add_(1)
    assert stage.validate() == before
    assert stage.model.training
    stage.step(0, 0)
    assert stage.validate() != before


def test_exported_weights_are_the_average(tiny):
    stage = tiny.pretraining()
    for step in range(3):
        stage.step(0, step)
    average = stage.average.model.state_dict()
    assert all(torch.equal(average[name], w) for name, w in stage.weights().items())
    model = stage.model.state_dict()
    assert any(not torch.equal(model[name], w) for name, w in stage.weights().items())


def test_training_lowers_the_noise_loss(tiny, tmp_path):
    """Forty epochs on latents that are all alike: an easy task must be learnt."""
    stage = tiny.pretraining(epochs=40, learning_rate=5e-3, eval_interval=40)
    stage.latents.train.fill_(0.5)
    stage.latents.val.fill_(0.5)
    rows = tiny.run(stage, tmp_path).history
    assert rows[-1]["val_noise_loss"] < 0.5 * rows[0]["val_noise_loss"]


def test_gradients_are_clipped(tiny):
    stage = tiny.pretraining(max_grad_norm=1e-3)
    stage.step(0, 0)
    norm = torch.stack([p.grad.norm() for p in stage.model.parameters()]).norm()
    assert norm == pytest.approx(1e-3, rel=1e-3)


def test_history_columns_of_stage_one(tiny, tmp_path):
    rows = tiny.run(tiny.pretraining(epochs=1), tmp_path).history
    assert list(rows[0]) == ["epoch", "step", "learning_rate", "val_noise_loss"]
    assert list(rows[1]) == ["epoch", "step", "learning_rate", "train_noise_loss", "val_noise_loss"]
    assert rows[1]["step"] == 3
    assert DenoiserTraining.criterion == "val_noise_loss"


def test_half_precision_latents_are_computed_in_single(tiny):
    half = torch.randn(2, 4, 8, 8).half().numpy()
    assert on_device(half, tiny.CPU).dtype == torch.float32


def test_draws_made_ahead_are_the_same(tiny, tmp_path):
    """Threads prepare the inputs of later steps; what is trained does not depend on them."""
    plain, ahead = tiny.pretraining(epochs=3), tiny.pretraining(epochs=3)
    ahead._draws = Ahead(ahead._draw, 3 * ahead.steps_per_epoch, threads=3)
    weights = [tiny.run(stage, tmp_path / str(n)).best for n, stage in enumerate((plain, ahead))]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
