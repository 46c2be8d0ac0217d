"""The report of a finished run, by the programs that people start."""

import json
import subprocess
import sys

import h5py
import numpy as np
import pandas as pd
import pytest
from run_files import BASELINES
from workspace import LOCAL, REPOSITORY, SNAKEFILE

from sparring.artefacts.latents import read_latents
from sparring.artefacts.layouts import Layouts
from sparring.artefacts.sample_pictures import HELD_OUT, read_pictures

MODELS = ["start", *(f"{arm}/iteration_{n}" for arm in ("adversarial", "control") for n in (0, 1))]


@pytest.fixture(scope="module")
def shown(shared_run):
    return read_pictures(shared_run / "results/micro/samples.h5")


def write_report(run, output, *options):
    run.write()
    command = [sys.executable, str(REPOSITORY / "workflow/scripts/write_report.py")]
    command += ["--configfile", str(run.settings / "config.yaml"), "--output", str(output)]
    return subprocess.run([*command, *options], cwd=run.directory, capture_output=True, text=True)


class TestPictures:
    def test_every_model_is_shown_from_the_same_noise(self, shown):
        assert shown.names == (HELD_OUT, *MODELS)
        assert shown.pictures.shape == (6, 4, 32, 32, 3)
        start, others = shown.pictures[1].astype(float), shown.pictures[2:].astype(float)
        for model in others:  # barely trained, so nearly the same model
            assert abs(model - start).mean() < abs(model[::-1] - start).mean()

    def test_neighbours_are_training_layouts(self, shown, shared_run):
        layouts = Layouts(shared_run / "results/datasets/tiny/layouts.h5")
        training = dict(zip(layouts.sample_id, range(len(layouts.sample_id)), strict=True))
        for name, picture in zip(shown.training_id, shown.training, strict=True):
            row = training[name]
            assert layouts.split[row] == "train"
            assert np.array_equal(layouts.rgb(layouts.read(np.array([row])))[0], picture)

    def test_the_nearest_is_the_nearest(self, shown, shared_run):
        path = shared_run / "results/latents/tiny-tiny/train.h5"
        train = read_latents(path).astype(float)
        with h5py.File(path) as file:
            names = [name.decode() for name in file["sample_id"]]
        sample = read_latents(shared_run / "results/micro/start/evaluation_latents.h5")[2]
        distances = np.sqrt(((train - sample.astype(float)) ** 2).mean(axis=(1, 2, 3)))
        assert shown.training_id[shown.nearest[1, 2, 0]] == names[int(distances.argmin())]
        assert shown.distance[1, 2, 0] == pytest.approx(distances.min(), rel=1e-3)


def test_the_program_writes_a_page_and_a_table(finished, tmp_path):
    done = write_report(finished, tmp_path / "out.html", "--", f"--snakefile={SNAKEFILE}", *LOCAL)
    assert done.returncode == 0, done.stderr
    compared = json.loads((finished.directory / "results/micro/comparisons.json").read_text())
    assert f"micro: {compared['verdict']}" in done.stdout
    page = (tmp_path / "out.html").read_text()
    assert 'id="samples-micro"' in page
    assert "data:image/svg+xml" in page
    assert "have changed since" not in page
    table = pd.read_csv(tmp_path / "out.csv")
    assert table["model"].tolist() == ["reals", "decoded_reals", MODELS[0], *BASELINES, *MODELS[1:]]


def test_the_page_says_what_a_changed_setting_has_made_stale(finished, tmp_path):
    finished.experiments["micro"]["overrides"] = [{"iteration": 1, "discriminator": {"epochs": 1}}]
    done = write_report(finished, tmp_path / "out.html", "--", f"--snakefile={SNAKEFILE}", *LOCAL)
    assert done.returncode == 0, done.stderr
    assert "have changed since" in (tmp_path / "out.html").read_text()


def test_without_snakemakes_consent_the_page_has_no_graph(finished, tmp_path):
    done = write_report(finished, tmp_path / "out.html", "--", "--snakefile=nowhere")
    assert done.returncode == 0, done.stderr
    assert "Not drawn: snakemake" in (tmp_path / "out.html").read_text()


def test_a_wrong_configuration_is_refused_in_one_line(finished, tmp_path):
    finished.config["experiments"] = ["nowhere"]
    done = write_report(finished, tmp_path / "out.html", "--no-graph")
    assert done.returncode == 1
    assert "no experiment 'nowhere'" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "out.html").exists()


def test_snakemakes_own_report_has_captions_and_categories(finished, tmp_path):
    done = finished.snakemake("--report", str(tmp_path / "snakemake.html"))
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "snakemake.html").read_text()
    assert "same noise" in page  # the caption of the samples
    assert "samples.png" in page
    assert "evaluation.csv" in page
