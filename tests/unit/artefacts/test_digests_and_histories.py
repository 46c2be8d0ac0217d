"""Digests tell files apart; histories are tables that anything can read."""

import csv
import hashlib
import io
import math

import pytest

from sparring.artefacts.digests import file_digest, model_digest, text_digest
from sparring.artefacts.histories import (
    history_text,
    read_history,
    shown_values,
    term_and_split,
    write_history,
)
from sparring.errors import UserError

CONFIG, WEIGHTS = "config.json", "diffusion_pytorch_model.safetensors"


def test_a_digest_is_the_beginning_of_sha_256(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"text" * 100_000)
    assert file_digest(path) == hashlib.sha256(b"text" * 100_000).hexdigest()[:16]
    assert text_digest("text") == hashlib.sha256(b"text").hexdigest()[:16]


@pytest.mark.parametrize("changed", [CONFIG, WEIGHTS])
def test_a_model_s_digest_follows_its_config_and_its_weights(tmp_path, changed):
    for name in (CONFIG, WEIGHTS):
        (tmp_path / name).write_text("one")
    before = model_digest(tmp_path)
    (tmp_path / "history.csv").write_text("not part of the model")
    assert model_digest(tmp_path) == before
    (tmp_path / changed).write_text("two")
    assert model_digest(tmp_path) != before


def test_swapping_a_model_s_files_changes_its_digest(tmp_path):
    (tmp_path / CONFIG).write_text("one")
    (tmp_path / WEIGHTS).write_text("two")
    before = model_digest(tmp_path)
    (tmp_path / CONFIG).write_text("two")
    (tmp_path / WEIGHTS).write_text("one")
    assert model_digest(tmp_path) != before


def test_the_digest_of_a_missing_file_names_it(tmp_path):
    with pytest.raises(UserError, match=r"none\.h5: cannot be read \(No such file"):
        file_digest(tmp_path / "none.h5")
    with pytest.raises(UserError, match=r"safetensors: cannot be read"):
        model_digest(tmp_path)


def test_a_history_has_one_row_per_epoch_and_the_union_of_the_columns():
    """Validation runs every few epochs, so rows differ in what they know."""
    rows = [{"epoch": 1, "loss": 0.5}, {"epoch": 2, "loss": 0.25, "val_loss": 1.5}]
    read = list(csv.DictReader(io.StringIO(history_text(rows))))
    assert list(read[0]) == ["epoch", "loss", "val_loss"]
    assert read[0] == {"epoch": "1", "loss": "0.5", "val_loss": ""}
    assert float(read[1]["val_loss"]) == 1.5


def test_none_is_an_empty_cell_and_whole_numbers_keep_all_digits():
    read = list(csv.DictReader(io.StringIO(history_text([{"step": 123456789, "auc": None}]))))
    assert read == [{"step": "123456789", "auc": ""}]


@pytest.mark.parametrize("value", [1 / 3, 1e-12, -2.5e20, math.pi * 1e4])
def test_numbers_survive_to_single_precision(value):
    read = list(csv.DictReader(io.StringIO(history_text([{"x": value}]))))
    assert float(read[0]["x"]) == pytest.approx(value, rel=1e-6)


def test_a_history_is_written_with_plain_line_ends(tmp_path):
    write_history(tmp_path / "history.csv", [{"epoch": 1}, {"epoch": 2}])
    assert (tmp_path / "history.csv").read_bytes() == b"epoch\n1\n2\n"


ROWS = [
    {"epoch": 0, "step": 0, "learning_rate": None, "val_loss": 0.5},
    {"epoch": 1, "step": 7, "learning_rate": 1e-4, "val_loss": None, "train_loss": 0.25},
]


def test_a_history_is_read_as_it_was_written(tmp_path):
    write_history(tmp_path / "history.csv", ROWS)
    rows = read_history(tmp_path / "history.csv")
    assert rows == [ROWS[0] | {"train_loss": None}, ROWS[1]]
    assert [type(rows[1][key]) for key in ("epoch", "step", "val_loss")] == [int, int, type(None)]


@pytest.mark.parametrize(
    "text",
    ["epoch,val_loss\n0,much\n", "epoch,val_loss\n0\n", "epoch,val_loss\n0,1,2\n", "loss\n1\n"],
)
def test_what_is_no_history_is_refused_in_one_line(tmp_path, text):
    path = tmp_path / "history.csv"
    path.write_text(text)
    with pytest.raises(UserError, match=rf"^{path}: not a history .*run snakemake again$"):
        read_history(path)


def test_a_missing_history_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"absent.csv: cannot be read"):
        read_history(tmp_path / "absent.csv")


def test_figures_of_a_row_are_neither_counts_nor_gaps():
    assert shown_values(ROWS[1]) == {"learning_rate": 1e-4, "train_loss": 0.25}
    assert shown_values(ROWS[0]) == {"val_loss": 0.5}


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        ("val_noise_loss", ("noise_loss", "val")),
        ("train_loss", ("loss", "train")),
        ("learning_rate", ("learning_rate", None)),
    ],
)
def test_columns_say_term_and_split(column, expected):
    assert term_and_split(column) == expected
