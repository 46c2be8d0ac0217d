"""The discriminator's own split, its training, and what it can and cannot tell apart."""

import numpy as np
import pytest
import torch

from sparring.errors import UserError
from sparring.training.discriminator import DiscriminatorTraining, split_rows


@pytest.mark.parametrize("fraction", [0.1, 0.2, 0.5])
def test_halves_are_disjoint_and_complete(fraction):
    halves = split_rows(np.arange(100), fraction, 0, "real")
    assert len(halves.val) == round(100 * fraction)
    assert sorted([*halves.train, *halves.val]) == list(range(100))


def test_no_copy_of_a_training_row_validates():
    """Cut by the original's id: a rotated twin would let the discriminator recognise it."""
    originals = np.array([f"plan {n // 8}" for n in range(160)], dtype=object)
    np.random.default_rng(0).shuffle(originals)
    halves = split_rows(originals, 0.25, 0, "real")
    assert not set(originals[halves.train]) & set(originals[halves.val])
    assert len(set(originals[halves.val])) == 5
    assert len(halves.val) == 40
    assert len(halves.train) == 120


def test_both_classes_validate_in_equal_share(tiny):
    """The published defect cut before shuffling, so only fakes validated."""
    stage = tiny.discriminating(reals=tiny.latents(40, 1), fakes=tiny.latents(40, 2))
    scored = []
    plain = stage.model.forward
    stage.model.forward = lambda x, *told: (scored.append(x), plain(x, *told))[1]
    stage.validate()
    reals, fakes = scored
    assert len(reals) == len(fakes) == 10
    for rows, seed in ((reals, 1), (fakes, 2)):
        known = {row.numpy().tobytes() for row in tiny.latents(40, seed)}
        assert {row.numpy().tobytes() for row in rows} <= known


def test_the_split_is_shuffled_and_keyed():
    rows = np.arange(100)
    first = split_rows(rows, 0.2, 0, "real").val
    assert not (first >= 80).all()
    assert (split_rows(rows, 0.2, 0, "real").val == first).all()
    for seed, key in ((1, "real"), (0, "fake")):
        assert not np.array_equal(split_rows(rows, 0.2, seed, key).val, first)


@pytest.mark.parametrize(
    ("originals", "fraction"), [(range(1), 0.5), (range(2), 0.2), (range(4), 0.9), ([7] * 50, 0.2)]
)
def test_too_few_originals_are_refused(originals, fraction):
    with pytest.raises(UserError) as refusal:
        split_rows(np.array(originals), fraction, 0, "real")
    count = len(set(originals))
    parts = (
        "discriminator.val_fraction",
        f"{fraction:g} of {count} originals",
        "one half empty",
        "raise num_samples",
    )
    for part in parts:
        assert part in str(refusal.value)


def test_batches_hold_as_many_reals_as_fakes_and_no_validation_row(tiny):
    reals, fakes = tiny.latents(40, 1), tiny.latents(24, 2)
    stage = tiny.discriminating(reals=reals, fakes=fakes)
    seen = []
    plain = stage.model.forward
    stage.model.forward = lambda x, *told: (seen.append(x), plain(x, *told))[1]
    for step in range(stage.steps_per_epoch):
        stage.step(0, step)
    assert stage.steps_per_epoch == 4  # 18 fakes to train on, 4 in every batch of 8
    known = {row.numpy().tobytes() for row in reals}
    batches = [[row.numpy().tobytes() for row in batch] for batch in seen]
    assert [sum(row in known for row in batch) for batch in batches] == [4] * 4
    assert [len(batch) for batch in batches] == [8] * 4
    trained = {row for batch in batches for row in batch}
    assert len(trained) == 32  # nothing twice within an epoch
    seen.clear()
    stage.validate()
    assert not trained & {row.numpy().tobytes() for batch in seen for row in batch}


def test_two_halves_of_one_set_cannot_be_told_apart(tiny, tmp_path):
    """Nothing but content may give a class away: accuracy stays within 3 SE of 0.5."""
    same = tiny.latents(800, 9) * 0.7
    stage = tiny.discriminating(
        reals=same[:400], fakes=same[400:], epochs=3, batch_size=64, val_fraction=0.5
    )
    accuracies = [row["val_accuracy"] for row in tiny.run(stage, tmp_path).history]
    assert all(abs(value - 0.5) < 3 * 0.5 / 400**0.5 for value in accuracies)


@pytest.mark.parametrize("change", [lambda x: x + 0.3, lambda x: 1.5 * x], ids=["shift", "scale"])
def test_a_known_difference_is_found(tiny, tmp_path, change):
    same = tiny.latents(800, 9) * 0.7
    stage = tiny.discriminating(
        reals=same[:400],
        fakes=change(same[400:]),
        epochs=8,
        batch_size=32,
        val_fraction=0.5,
        learning_rate=2e-3,
    )
    assert tiny.run(stage, tmp_path).history[-1]["val_accuracy"] > 0.9


def test_real_is_positive(tiny, tmp_path):
    reals, fakes = tiny.latents(200, 1) + 0.5, tiny.latents(200, 2) - 0.5
    stage = tiny.discriminating(reals=reals, fakes=fakes, epochs=8, learning_rate=2e-3)
    tiny.run(stage, tmp_path)
    with torch.no_grad():
        assert stage.model(reals).mean() > 1
        assert stage.model(fakes).mean() < -1


def test_each_class_counts_half_in_validation(tiny):
    """Ten times as many reals must not drown the fakes: always saying real is right by half."""
    stage = tiny.discriminating(reals=tiny.latents(400, 1), fakes=tiny.latents(40, 2))
    with torch.no_grad():
        stage.model.head.weight.zero_()
        stage.model.head.bias.fill_(5.0)
    figures = stage.validate()
    assert figures["accuracy"] == 0.5
    assert figures["loss"] == pytest.approx(2.5, abs=0.02)
    assert stage.model.training


def test_the_rate_halves_when_validation_no_longer_improves(tiny, tmp_path):
    stage = tiny.discriminating(epochs=6, plateau_patience=1)
    stage.validate = lambda: {"loss": 1.0, "accuracy": 0.5}
    rates = [row["learning_rate"] for row in tiny.run(stage, tmp_path).history[1:]]
    first = rates[0]
    assert rates == pytest.approx([first * r for r in (1, 1, 1, 0.5, 0.5, 0.25)])


def test_no_epochs_take_the_discriminator_as_it_is(tiny, tmp_path):
    found = tiny.run(tiny.discriminating(epochs=0), tmp_path)
    assert tiny.same(found.best, tiny.discriminator().state_dict())
    assert found.best_epoch == 0
    assert [row["epoch"] for row in found.history] == [0]
    assert DiscriminatorTraining.criterion == "val_loss"
