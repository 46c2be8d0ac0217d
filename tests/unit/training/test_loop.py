"""The loop that every stage runs in: histories, the best weights, divergence."""

import csv
import io
import math

import pytest
import torch

from sparring.artefacts.histories import history_text
from sparring.distributed import ALONE, Group
from sparring.errors import UserError
from sparring.interrupts import InterruptedRun
from sparring.training.loop import Mean


class Scripted:
    """A stage whose losses and validation figures are written down beforehand."""

    criterion = "val_loss"
    group = ALONE

    def __init__(self, val, losses=None, steps=2, interval=1):
        """`val[e]` after epoch e, `losses[e][s]` in step s of epoch e (from 0)."""
        self.val, self.script = val, losses or {}
        self.epochs, self.steps_per_epoch, self.eval_interval = len(val) - 1, steps, interval
        self.done, self.ended = 0, []

    def step(self, epoch, step):
        self.done += 1
        value = self.script.get((epoch, step), 1.0 + step)
        return {"loss": torch.tensor(value), "other": torch.tensor(float(epoch))}

    def validate(self):
        return {"loss": self.val[self.done // self.steps_per_epoch], "other": 7.0}

    def end_epoch(self, epoch, row):
        self.ended.append((epoch, dict(row)))

    def overdone(self, row, start):
        return None

    def learning_rate(self):
        return 0.25

    def weights(self):
        return {"done": torch.tensor(self.done)}

    def extra(self):
        return {"moment": torch.tensor(-self.done)}

    def state(self):
        return {"done": self.done}

    def restore(self, state):
        self.done = state["done"]


def test_history_has_one_row_per_epoch_and_a_baseline(tiny, tmp_path):
    rows = tiny.run(Scripted([5.0, 4.0, 3.0]), tmp_path).history
    assert rows[0] == {"epoch": 0, "step": 0, "learning_rate": None,
                       "val_loss": 5.0, "val_other": 7.0}  # fmt: skip
    assert rows[2] == {"epoch": 2, "step": 4, "learning_rate": 0.25, "train_loss": 1.5,
                       "train_other": 1.0, "val_loss": 3.0, "val_other": 7.0}  # fmt: skip
    table = list(csv.DictReader(io.StringIO(history_text(rows))))
    assert [row["epoch"] for row in table] == ["0", "1", "2"]
    assert table[0]["train_loss"] == ""
    assert table[1]["val_loss"] == "4"


def test_a_term_that_few_samples_have_is_averaged_over_these(tiny, tmp_path):
    """Batches without any do not draw the epoch's mean towards 0; an epoch without any has 0."""

    class Rare(Scripted):
        def step(self, epoch, step):
            value, counted = ((0.0, 0), (8.0, 1), (5.0, 3))[step] if epoch == 0 else (0.0, 0)
            term = Mean(torch.tensor(value), torch.tensor(counted))
            return super().step(epoch, step) | {"rare": term}

    rows = tiny.run(Rare([9.0] * 3, steps=3), tmp_path).history
    assert rows[1]["train_rare"] == pytest.approx((8 + 3 * 5) / 4)
    assert rows[1]["train_loss"] == 2.0  # 1, 2 and 3: other steps count alike
    assert rows[2]["train_rare"] == 0.0


def test_validation_comes_at_its_interval_and_after_the_last_epoch(tiny, tmp_path):
    rows = tiny.run(Scripted([9.0] * 6, interval=2), tmp_path).history
    assert [row["epoch"] for row in rows if "val_loss" in row] == [0, 2, 4, 5]
    assert all("train_loss" in row for row in rows[1:])


@pytest.mark.parametrize(
    ("val", "best"),
    [([9, 3, 2, 4], 2), ([9, 3, 2, 2], 2), ([1, 3, 2, 4], 2), ([9, 1, 2, 3], 1), ([5, 8], 1)],
)
def test_best_weights_are_those_of_the_best_epoch(tiny, tmp_path, val, best):
    """The first of equals; the baseline before any update is never handed on."""
    found = tiny.run(Scripted([float(v) for v in val]), tmp_path)
    assert found.best_epoch == best
    assert found.best["done"] == 2 * best
    assert found.extra["moment"] == -2 * best


def test_no_epochs_keep_the_initial_weights(tiny, tmp_path):
    found = tiny.run(Scripted([3.0]), tmp_path)
    assert found.best["done"] == 0
    assert found.best_epoch == 0
    assert [row["epoch"] for row in found.history] == [0]


def test_epochs_end_in_order_with_their_rows(tiny, tmp_path):
    stage = Scripted([5.0, 4.0, 3.0])
    tiny.run(stage, tmp_path)
    assert [epoch for epoch, _ in stage.ended] == [1, 2]
    assert stage.ended[1][1]["val_loss"] == 3.0


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_loss_that_is_not_finite_stops_the_run(tiny, tmp_path, value):
    with pytest.raises(UserError) as stop:
        tiny.run(Scripted([5.0] * 4, {(1, 1): value}), tmp_path)
    message = str(stop.value)
    for part in (f"loss is {value}", "epoch 2 step 2", "learning_rate", "last good state is kept"):
        assert part in message
    assert "\n" not in message


def test_divergence_stops_at_its_epoch(tiny, tmp_path):
    """Neither turned into 0 nor skipped: no later step runs and nothing comes out."""
    stage = Scripted([5.0] * 9, {(2, 0): math.nan})
    with pytest.raises(UserError, match="epoch 3 step 1"):
        tiny.run(stage, tmp_path)
    assert stage.done == 6
    assert [epoch for epoch, _ in stage.ended] == [1, 2]


def test_the_state_before_the_divergence_is_kept(tiny, tmp_path):
    """Saved after every step, but never with the NaN in it: a retry meets the same step again."""
    for _ in range(2):
        with pytest.raises(UserError, match="epoch 2 step 2"):
            tiny.run(Scripted([5.0] * 4, {(1, 1): math.nan}), tmp_path, checkpoint_minutes=0)
    cured = tiny.run(Scripted([5.0] * 4), tmp_path)
    assert cured.history == tiny.run(Scripted([5.0] * 4), tmp_path / "plain").history


def test_an_interruption_does_not_hide_a_divergence(tiny, tmp_path):
    stage = tiny.stopping_at(Scripted([5.0] * 4, {(0, 1): math.nan}), {1}, tiny.terminate)
    with pytest.raises(UserError, match="epoch 1 step 2"):
        tiny.run(stage, tmp_path)
    assert not (tmp_path / "checkpoint.pt").exists()


@pytest.mark.parametrize(("val", "epoch"), [([math.nan, 1.0], 0), ([1.0, 1.0, math.inf], 2)])
def test_a_validation_figure_that_is_not_finite_stops_the_run(tiny, tmp_path, val, epoch):
    with pytest.raises(UserError) as stop:
        tiny.run(Scripted(val), tmp_path)
    for part in (f"validation loss is {val[epoch]}", f"after epoch {epoch}", "learning_rate"):
        assert part in str(stop.value)


def test_a_process_that_reads_another_state_than_the_main_one_stops(tiny, tmp_path):
    """File servers may show two processes different files for a while."""

    class Second(Group):
        def from_main(self, value):
            return [3, 1]

    stage = Scripted([5.0] * 4)
    stage.group = Second(1, 2)
    with pytest.raises(UserError, match=r"checkpoint.pt: process 2 of 2 .*epoch 3, step 1.*again"):
        tiny.run(stage, tmp_path)


def test_history_survives_an_interruption(tiny, tmp_path):
    """Means of an epoch are over all of its steps, those before the stop included."""
    script = {(1, 0): 100.0}
    undisturbed = tiny.run(Scripted([5.0] * 4, script, steps=3), tmp_path / "plain")
    stage = tiny.stopping_at(Scripted([5.0] * 4, script, steps=3), {4}, tiny.terminate)
    with pytest.raises(InterruptedRun):
        tiny.run(stage, tmp_path)
    resumed = tiny.run(Scripted([5.0] * 4, script, steps=3), tmp_path)
    assert resumed.history == undisturbed.history
    assert resumed.history[2]["train_loss"] == pytest.approx((100 + 2 + 3) / 3)
