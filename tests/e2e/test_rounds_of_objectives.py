"""A round without a discriminator, and one that trains no denoiser, on the real program."""

import json
import shutil
import subprocess
import sys
from math import log

import numpy as np
import pandas as pd
import pytest
from run_files import BASELINES
from workspace import LOCAL, REPOSITORY

from sparring.artefacts.latents import read_column, read_latents
from sparring.models.denoiser import load_denoiser

MICRO, ITERATION = "results/micro", "results/micro/adversarial/iteration_0"
MODELS = ["start", "adversarial/iteration_0", "control/iteration_0"]
LEARNING = {"epochs": 15, "learning_rate": 2e-3, "num_layers": 2, "base_channels": 8}
DISCRIMINATORS = {"ddo": {}, "guidance": LEARNING}
JUDGING = {"real_latents.h5", "discriminator", "discriminator_history.csv"}
TRAINING = {"denoiser_latest", "diffusion_history.csv", "optimizer.safetensors"}

of_each = pytest.mark.parametrize("objective", DISCRIMINATORS)


def another_round(shared_run, folder, objective):
    """One of the shared run with another objective; start and control serve as they are."""
    run = shared_run.copied(folder)
    for part in ("results", "state", "logs"):
        shutil.rmtree(run / f"{part}/micro/adversarial")
    run.experiments["micro"] |= {
        "iterations": 1,
        "adversarial": {"objective": objective},
        "discriminator": DISCRIMINATORS[objective],
    }
    done = run.snakemake(*LOCAL)
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert "arm=control" not in said
    assert "model=start" not in said
    return run


@pytest.fixture(scope="module")
def runs(shared_run, tmp_path_factory):
    """A finished round of each objective."""
    folder = tmp_path_factory.mktemp("objectives")
    return {name: another_round(shared_run, folder / name, name) for name in DISCRIMINATORS}


@of_each
def test_nothing_is_left_to_do(runs, objective):
    assert runs[objective].plan() == set()


@pytest.mark.parametrize(
    ("objective", "there", "absent"),
    [("ddo", TRAINING, JUDGING), ("guidance", JUDGING, TRAINING)],
)
def test_only_what_the_objective_makes_is_there(runs, objective, there, absent):
    found = {path.name for path in (runs[objective] / ITERATION).iterdir()}
    assert {"fake_latents.h5", "denoiser"} | there <= found
    assert not absent & found


@of_each
def test_start_control_and_adversarial_have_figures_and_pictures(runs, objective):
    results = runs[objective] / MICRO
    table = pd.read_csv(results / "evaluation.csv").set_index("model")
    assert list(table.index) == ["reals", "decoded_reals", MODELS[0], *BASELINES, *MODELS[1:]]
    judged = table.drop(index="decoded_reals")[["auc_linear", "auc_cnn", "frechet", "kernel"]]
    assert np.isfinite(judged).all(axis=None)
    judged = json.loads((results / "selected.json").read_text())
    assert list(judged["iterations"]) == ["adversarial/iteration_0", "control/iteration_0"]
    figures = ("evaluation.json", "layouts.json", "neighbours.json")
    for name in ("evaluation.png", "samples.png", *(f"{m}/{f}" for m in MODELS for f in figures)):
        assert (results / name).stat().st_size > 0, name


@of_each
def test_samples_are_others_than_the_start_s_from_the_same_noise(runs, objective):
    """And nearer to those than the start's are to each other."""
    places = [runs[objective] / MICRO / f"{model}/evaluation_latents.h5" for model in MODELS[:2]]
    start, now = (read_latents(path).astype(np.float32) for path in places)
    first, second = (list(read_column(path, "noise_index")) for path in places)
    assert first == second
    assert not (start == now).reshape(len(start), -1).all(axis=1).any()
    assert np.linalg.norm(now - start) < 0.5 * np.linalg.norm(now - np.roll(start, 1, axis=0))


def test_ddo_hands_on_another_denoiser(runs):
    """Which began as the start, from which nothing told it apart."""
    place = runs["ddo"] / ITERATION
    denoisers = runs["ddo"] / "results/base/denoiser", place / "denoiser"
    before, after = (load_denoiser(path)[0].state_dict() for path in denoisers)
    assert not any(bool((before[name] == weight).all()) for name, weight in after.items())
    history = pd.read_csv(place / "diffusion_history.csv")
    assert history["val_ddo_loss"].iloc[0] == pytest.approx(2 * log(2), rel=1e-4)


def test_guidance_hands_on_the_start_and_a_discriminator(runs):
    run = runs["guidance"]
    model = load_denoiser(run / ITERATION / "denoiser")[0]
    before = load_denoiser(run / "results/base/denoiser")[0].state_dict()
    unguided = model.unguided.state_dict()
    assert all(bool((before[name] == weight).all()) for name, weight in unguided.items())
    assert len(model.guides) == 1


def test_a_guided_denoiser_is_exported(runs):
    """By hand: after a round so short it is not what is chosen."""
    run = runs["guidance"]
    command = [sys.executable, str(REPOSITORY / "workflow/scripts/export_pipeline.py")]
    command += ["--denoiser", f"{ITERATION}/denoiser", "--autoencoder", "results/autoencoders/tiny"]
    command += ["--output", "by_hand", "--results", MICRO, "results/base"]
    done = subprocess.run(command, cwd=run.directory, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    index = json.loads((run / "by_hand/model_index.json").read_text())
    assert index["unet"] == ["guided", "GuidedDenoiser"]
    card = (run / "by_hand/README.md").read_text()
    assert "- guided by: 1 of its discriminators" in card
    assert "| guide_denoiser | micro/adversarial/iteration_0 |" in card
