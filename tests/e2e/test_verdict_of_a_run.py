"""The verdict of a finished run: its tables, differences, neighbours and selected model."""

import json
import math

import h5py
import pytest
from run_files import ARMS, BASELINES, rows_of

from sparring.evaluation.comparing import DECIDING

MODEL = ("config.json", "diffusion_pytorch_model.safetensors")
DENOISER = (*MODEL, "scheduler_config.json")


def test_table_has_reals_start_baselines_and_both_arms_with_intervals(results):
    rows = {row["model"]: row for row in rows_of(results / "micro/evaluation.csv")}
    judged = [f"{arm}/iteration_{n}" for arm in ARMS for n in range(2)]
    assert list(rows) == ["reals", "decoded_reals", "start", *BASELINES, *judged]
    decoded = rows.pop("decoded_reals")  # has figures of what is decoded, and no others
    assert float(decoded["boundary_length"]) > 0
    assert decoded["frechet"] == ""
    for row in rows.values():
        for name in ("frechet", "kernel"):
            low, value, high = (float(row[name + end]) for end in ("_low", "", "_high"))
            assert math.isfinite(value)
            assert low <= value <= high
        assert 0 <= float(row["auc_linear"]) <= 1
        assert float(row["boundary_length"]) > 0
    assert {row["num_samples"] for row in rows.values()} == {"64"}
    assert {row["num_held_out"] for row in rows.values()} == {"16"}


def test_table_holds_what_each_evaluation_says(results):
    reals, decoded, *models = rows_of(results / "micro/evaluation.csv")
    assert (reals["model"], decoded["model"]) == ("reals", "decoded_reals")
    for row in models:
        figures = json.loads((results / f"micro/{row['model']}/evaluation.json").read_text())
        found = figures["figures"]["frechet"]["value"]
        assert float(row["frechet"]) == pytest.approx(found, rel=1e-5)


def test_differences_are_against_control_start_and_null(results):
    found = json.loads((results / "micro/comparisons.json").read_text())
    assert found["verdict"].endswith(".")
    pairs = {(d["model"], d["against"]) for d in found["differences"]}
    for n in range(2):
        for against in ("control", "start", *BASELINES, "null"):
            assert (f"adversarial/iteration_{n}", against) in pairs
    figures = {d["figure"] for d in found["differences"] if d["against"] == "control"}
    assert figures >= {*DECIDING, "auc_cnn", "coverage", "isolated_gap"}
    for difference in found["differences"]:
        assert difference["low"] <= difference["difference"] <= difference["high"]


@pytest.mark.parametrize("model", ["reals", "start", "control/iteration_1"])
def test_every_sample_has_its_nearest_training_originals(results, model):
    found = json.loads((results / f"micro/{model}/neighbours.json").read_text())
    assert len(found["rows"]) == len(found["sample_ids"]) == 64
    with h5py.File(results / "latents/tiny-tiny/train.h5") as file:
        names = [name.decode() for name in file["sample_id"][:]]
    for rows, ids in zip(found["rows"], found["sample_ids"], strict=True):
        assert [names[row] for row in rows] == ids


def test_the_selected_model_is_the_one_that_is_named(results):
    verdict = json.loads((results / "micro/selected.json").read_text())
    assert verdict["reason"]
    name = verdict["selected"]
    source = results / ("base" if name == "start" else f"micro/{name}") / "denoiser"
    for file in DENOISER:
        copied = results / "micro/selected/denoiser" / file
        assert copied.read_bytes() == (source / file).read_bytes()
