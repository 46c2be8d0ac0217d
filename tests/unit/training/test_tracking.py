"""TensorBoard's files, read back by its own reader: what the history says, each point once."""

import io
import itertools
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.summary.writer import event_file_writer

from sparring.training.loop import Loop
from sparring.training.state import ResumeState
from sparring.training.tracking import TensorBoard, Untracked, open_tracker

PICTURE = np.arange(5 * 7 * 3, dtype=np.uint8).reshape(5, 7, 3)


@pytest.fixture(autouse=True)
def _attempts_are_seconds_apart(monkeypatch):
    """Event files are read in the order of the second in which they were begun."""
    clock = itertools.count(1_700_000_000)
    monkeypatch.setattr(event_file_writer, "time", SimpleNamespace(time=lambda: next(clock)))


def train(tiny, stage, folder, tracker):
    """One attempt; its state is saved before every fourth step, an epoch has three."""
    loop = Loop(stage, ResumeState(folder / "state", "d"), 1e9, tracker=tracker)
    plain, steps = stage.step, itertools.count(1)

    def step(epoch, number):
        if next(steps) % 4 == 0:
            loop._save()
        return plain(epoch, number)

    stage.step = step
    try:
        return loop.run()
    finally:
        tracker.close()


def attempts(tiny, folder, survives, stop, trackers, **keys):
    """Attempts until one ends; attempt n is stopped in its step number survives[n]."""
    for steps, tracker in zip([*survives, None], trackers, strict=True):
        stage = tiny.pretraining(epochs=6, **keys)
        if steps is not None:
            tiny.stopping_at(stage, {steps}, stop)
        try:
            return train(tiny, stage, folder, tracker)
        except (tiny.InterruptedRun, tiny.PowerCut):
            continue
    raise AssertionError("the last attempt was stopped too")


def read(folder):
    accumulator = EventAccumulator(str(folder), size_guidance={"scalars": 0, "images": 0})
    accumulator.Reload()
    return accumulator


def points(folder):
    """(epoch, value) of every scalar by tag, as TensorBoard would show them."""
    found = read(folder)
    return {
        tag: [(event.step, event.value) for event in found.Scalars(tag)]
        for tag in found.Tags()["scalars"]
    }


def expected(history):
    """The same from a history."""
    found = {}
    for row in history:
        for column, value in row.items():
            if column not in ("epoch", "step") and value is not None:
                split, _, term = column.partition("_")
                tag = column if column == "learning_rate" else f"{term}/{split}"
                found.setdefault(tag, []).append((row["epoch"], pytest.approx(value, rel=1e-6)))
    return found


def test_tensorboard_shows_what_the_history_says(tiny, tmp_path):
    trained = train(tiny, tiny.pretraining(eval_interval=2), tmp_path, TensorBoard(tmp_path / "tb"))
    shown = points(tmp_path / "tb")
    assert set(shown) == {"noise_loss/train", "noise_loss/val", "learning_rate"}
    assert shown == expected(trained.history)


@pytest.mark.parametrize("stop", ["terminate", "cut_power"])
@pytest.mark.parametrize("survives", [[1], [7], [8, 5], [13, 2, 4]])
def test_a_run_that_was_stopped_shows_every_point_once(tiny, tmp_path, survives, stop):
    """Also those that a killed attempt had shown after its last saved state."""
    folder = tmp_path / "tb"
    trackers = [TensorBoard(folder) for _ in range(len(survives) + 1)]
    trained = attempts(tiny, tmp_path, survives, getattr(tiny, stop), trackers)
    assert points(folder) == expected(trained.history)


def test_points_that_will_be_made_again_vanish_when_the_next_attempt_begins(tiny, tmp_path):
    folder, history = tmp_path / "tb", [{"epoch": e, "step": e} for e in range(3)]
    first = TensorBoard(folder)
    first.begin([])
    for epoch in range(5):
        first.scalars(epoch, {"val_loss": float(epoch)})
        first.image(epoch, "samples", PICTURE)
    second = TensorBoard(folder)  # the first was killed: it is never closed
    second.begin(history)
    assert points(folder) == {"loss/val": [(0, 0.0), (1, 1.0), (2, 2.0)]}
    assert [event.step for event in read(folder).Images("samples")] == [0, 1, 2]
    second.scalars(3, {"val_loss": -3.0})
    assert points(folder)["loss/val"][3:] == [(3, -3.0)]
    second.close()


def test_a_file_that_a_killed_attempt_left_cut_short_does_no_harm(tiny, tmp_path):
    folder = tmp_path / "tb"
    first = TensorBoard(folder)
    killed = tiny.stopping_at(tiny.pretraining(epochs=6), {7}, tiny.cut_power)
    with pytest.raises(tiny.PowerCut):
        train(tiny, killed, tmp_path, first)
    (events,) = folder.iterdir()
    events.write_bytes(events.read_bytes()[:-10])
    trained = train(tiny, tiny.pretraining(epochs=6), tmp_path, TensorBoard(folder))
    shown = points(folder)
    assert shown["noise_loss/train"] == expected(trained.history)["noise_loss/train"]


def test_a_training_that_starts_anew_leaves_nothing_of_the_old_one(tiny, tmp_path):
    folder = tmp_path / "tb"
    train(tiny, tiny.pretraining(epochs=4), tmp_path / "old", TensorBoard(folder))
    (folder / "notes.txt").write_text("mine")
    trained = train(tiny, tiny.pretraining(epochs=2), tmp_path / "new", TensorBoard(folder))
    assert points(folder) == expected(trained.history)
    assert len(list(folder.glob("events*"))) == 1
    assert (folder / "notes.txt").exists()


def test_a_tracker_chosen_on_the_way_shows_the_epochs_before_too(tiny, tmp_path):
    folder = tmp_path / "tb"
    trackers = [Untracked(), TensorBoard(folder)]
    trained = attempts(tiny, tmp_path, [10], tiny.terminate, trackers)
    assert points(folder) == expected(trained.history)


def test_pictures_are_shown_as_they_are(tmp_path):
    tracker = TensorBoard(tmp_path)
    tracker.begin([])
    tracker.image(10, "samples", PICTURE)
    tracker.close()
    (event,) = read(tmp_path).Images("samples")
    assert event.step == 10
    shown = np.asarray(Image.open(io.BytesIO(event.encoded_image_string)))
    assert np.array_equal(shown, PICTURE)


def test_tracking_changes_nothing_of_the_training(tiny, tmp_path):
    tracked = train(tiny, tiny.pretraining(), tmp_path / "a", TensorBoard(tmp_path / "tb"))
    plain = train(tiny, tiny.pretraining(), tmp_path / "b", Untracked())
    assert tracked.history == plain.history
    assert tiny.same(tracked.best, plain.best)


def test_where_nothing_can_be_written_the_training_goes_on_with_one_warning(tiny, tmp_path, caplog):
    blocked = tmp_path / "tb"
    blocked.write_text("a file where the folder should be")
    trained = train(tiny, tiny.pretraining(), tmp_path, TensorBoard(blocked))
    assert [row["epoch"] for row in trained.history] == [0, 1, 2]
    (warning,) = [r for r in caplog.records if r.levelname == "WARNING"]
    assert str(blocked) in warning.getMessage()
    assert "goes on without TensorBoard" in warning.getMessage()


def test_files_lie_beside_the_log(tmp_path):
    log = tmp_path / "logs" / "place" / "train_discriminator.log"
    tracker = open_tracker("tensorboard", log)
    assert isinstance(tracker, TensorBoard)
    assert tracker.directory == log.parent / "train_discriminator.tensorboard"
    assert isinstance(open_tracker("none", log), Untracked)
    assert list(tmp_path.iterdir()) == []
