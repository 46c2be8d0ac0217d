"""What histories say of discriminator and denoiser: verdicts, and warnings with a way out."""

import csv
import io
import math

import pytest

from sparring.artefacts.histories import write_history
from sparring.balance import (
    Balance,
    balance_of,
    balance_table,
    balances,
    best_row,
    discriminator_warnings,
    finetuning_warnings,
    verdict,
)
from sparring.errors import UserError


def discriminator(val, train=None, losses=None):
    """A baseline, then one epoch per validation accuracy; the last epoch is the best one."""
    losses = losses or [0.7 - 0.01 * n for n in range(len(val))]
    rows = [{"epoch": 0, "val_loss": 0.1, "val_accuracy": 0.5}]
    for n, (accuracy, loss) in enumerate(zip(val, losses, strict=True)):
        rows.append(
            {
                "epoch": n + 1,
                "val_loss": loss,
                "val_accuracy": accuracy,
                "train_accuracy": (train or val)[n],
            }
        )
    return rows


def finetuning(scores, val=()):
    """A baseline, then one epoch per viability score in training."""
    rows = [{"epoch": 0, "val_viability_score": 0.99}]
    rows += [{"epoch": n + 1, "train_viability_score": s} for n, s in enumerate(scores)]
    for row, score in zip(rows[1:], val, strict=False):
        row["val_viability_score"] = score
    return rows


@pytest.mark.parametrize(
    ("accuracy", "viability", "expected"),
    [
        (0.49, None, "no signal"),
        (0.5, None, "balanced"),
        (0.7, 0.8, "balanced"),
        (0.7, 0.81, "fooled"),
        (0.71, 0.5, "strong"),
        (0.9, None, "strong"),
        (0.91, 0.95, "too strong"),
        (0.3, 0.95, "no signal"),
    ],
)
def test_verdicts_change_at_the_bounds(accuracy, viability, expected):
    assert verdict(accuracy, viability) == expected


def test_a_balanced_pair_is_not_warned_of():
    assert discriminator_warnings(discriminator([0.55, 0.65], [0.6, 0.8])) == []
    assert finetuning_warnings(finetuning([0.4, 0.7, 0.8, 0.8, 0.8])) == []


@pytest.mark.parametrize(
    ("history", "said", "action"),
    [
        (discriminator([0.8, 0.93]), "0.93, above 0.9", "lower discriminator.epochs"),
        (discriminator([0.6, 0.45]), "0.45, below chance", "raise num_samples"),
        (discriminator([0.6, 0.6], [0.6, 0.85]), "0.85 in training but 0.60", "base_channels"),
    ],
    ids=["too strong", "no signal", "learnt by heart"],
)
def test_a_discriminator_s_faults_are_told_with_what_to_do(history, said, action):
    (warning,) = discriminator_warnings(history)
    assert said in warning
    assert action in warning
    assert "\n" not in warning


def test_what_counts_is_the_epoch_that_was_kept():
    """An accuracy above 0.9 at an epoch whose weights were not kept harms nobody."""
    history = discriminator([0.6, 0.95], losses=[0.5, 0.6])
    assert discriminator_warnings(history) == []
    assert best_row(history)["epoch"] == 1


def test_overfitting_is_seen_at_the_end_and_names_the_epoch_kept():
    history = discriminator([0.6, 0.6, 0.55], [0.6, 0.7, 0.99], losses=[0.5, 0.6, 0.9])
    (warning,) = discriminator_warnings(history)
    assert "after epoch 3 accuracy is 0.99 in training but 0.55 on validation" in warning
    assert "(kept is epoch 1)" in warning


def test_a_discriminator_taken_as_it_is_has_only_its_baseline():
    taken = [{"epoch": 0, "val_loss": 0.1, "val_accuracy": 0.95}]
    assert best_row(taken)["epoch"] == 0
    assert "0.95, above 0.9" in discriminator_warnings(taken)[0]


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ([0.9, 0.9], None),
        ([0.9, 0.9, 0.8, 0.9, 0.9], None),
        ([0.5, 0.9, 0.9, 0.9], "for 3 epochs from epoch 2 on"),
        ([0.9, 0.9, 0.9, 0.1, 0.9, 0.9, 0.9, 0.9], "for 4 epochs from epoch 5 on"),
    ],
)
def test_a_fooled_discriminator_is_told_after_several_epochs_in_a_row(scores, expected):
    found = finetuning_warnings(finetuning(scores))
    assert len(found) == (expected is not None)
    if expected:
        assert expected in found[0]
        assert "renew the fakes" in found[0]


def test_without_a_discriminator_there_is_nothing_to_warn_of():
    assert finetuning_warnings([{"epoch": n, "train_noise_loss": 1.0} for n in range(9)]) == []


def write_iteration(folder, history, finetuned=None):
    write_history(folder / "discriminator_history.csv", history)
    if finetuned is not None:
        write_history(folder / "diffusion_history.csv", finetuned)


def test_an_iteration_s_balance_is_read_from_its_histories(tmp_path):
    tuned = finetuning([0.4, 0.5, 0.6], val=[math.nan, math.nan, 0.85])
    write_iteration(tmp_path, discriminator([0.6, 0.65]), tuned)
    found = balance_of(tmp_path, 4)
    assert found == Balance(4, 2, pytest.approx(0.65), pytest.approx(0.85), "fooled")
    assert found.line == "discriminator 0.65 on validation (0.5 to 0.7 wanted)"


def test_before_the_denoiser_is_trained_there_is_no_viability_score(tmp_path):
    write_iteration(tmp_path, discriminator([0.6, 0.95]))
    found = balance_of(tmp_path, 0)
    assert found.viability_score is None
    assert found.line.endswith("(0.5 to 0.7 wanted): too strong")


def test_iterations_without_a_discriminator_are_left_out(tmp_path):
    for n in (0, 2, 3):
        write_iteration(tmp_path / f"adversarial/iteration_{n}", discriminator([0.6]))
    assert [balance.iteration for balance in balances(tmp_path, [0, 1, 2])] == [0, 2]
    assert balance_of(tmp_path / "control/iteration_0", 0) is None


def test_the_table_has_a_row_per_iteration_and_gaps_where_nothing_is_known():
    rows = [Balance(0, 3, 0.625, None, "balanced"), Balance(1, 1, 0.95, 0.5, "too strong")]
    read = list(csv.DictReader(io.StringIO(balance_table(rows))))
    assert [row["verdict"] for row in read] == ["balanced", "too strong"]
    assert [float(row["val_accuracy"]) for row in read] == [0.625, 0.95]
    assert [row["viability_score"] for row in read] == ["", "0.5000"]


def test_a_damaged_history_is_named(tmp_path):
    (tmp_path / "discriminator_history.csv").write_text("epoch,val_loss\n0,\x00x\n")
    with pytest.raises(UserError, match=r"discriminator_history.csv: not a history"):
        balance_of(tmp_path, 0)
