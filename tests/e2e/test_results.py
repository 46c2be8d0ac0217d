"""A finished run: what is there, and whether it says what it should."""

import csv
import json
import math
import re

import h5py
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from sparring.artefacts.digests import model_digest

ARMS = ("adversarial", "control")
EPOCHS, EVAL_INTERVAL, STEPS_PER_EPOCH = 3, 2, 2  # 128 training latents in batches of 64
MODEL = ("config.json", "diffusion_pytorch_model.safetensors")
DENOISER = (*MODEL, "scheduler_config.json")


@pytest.fixture(scope="module")
def results(shared_run):
    return shared_run / "results"


def rows_of(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def attributes(path):
    with h5py.File(path) as file:
        return {k: v.decode() if isinstance(v, bytes) else v for k, v in file.attrs.items()}


def test_every_declared_output_is_there(shared_run, commands):
    """Asked of Snakemake itself, so that no rule is forgotten here."""
    done = shared_run.snakemake("--dry-run", "--forceall")
    outputs = re.findall(r"(?m)^    output: (.*)$", done.stdout + done.stderr)
    assert len(outputs) == len(commands)
    for path in (path for line in outputs for path in line.split(", ")):
        assert (shared_run / path).stat().st_size > 0, path


def test_nothing_half_written_is_left(shared_run):
    hidden = [p for top in ("results", "state") for p in (shared_run / top).rglob(".*")]
    assert hidden == []
    states = {path.name for path in (shared_run / "state").rglob("*") if path.is_file()}
    kept = {path.name for path in (shared_run / "state").rglob("finished/*")}
    assert states - kept == {"job.json", "finished.json"}


def test_keeping_finished_work_takes_no_space(shared_run):
    """What is kept for a repeated start of a job are further names of the results themselves."""
    results = {path.stat().st_ino for path in (shared_run / "results").rglob("*")}
    assert {path.stat().st_ino for path in (shared_run / "state").rglob("finished/*")} <= results


def test_every_attempt_is_counted_and_measured(shared_run):
    for path in (shared_run / "state").rglob("job.json"):
        log = shared_run / json.loads(path.read_text())["log"]
        attempts = pd.read_csv(log.with_suffix(".attempts.csv"))
        assert attempts["outcome"].tolist() == ["finished"]
        assert attempts["max_rss_mb"].between(10, 10_000).all()
        assert pd.read_csv(log.with_suffix(".benchmark.tsv"), sep="\t")["s"].notna().all()


def test_every_job_left_a_log(shared_run):
    for path in (shared_run / "state").rglob("job.json"):
        log = shared_run / json.loads(path.read_text())["log"]
        assert log.is_file()
        assert "Traceback" not in log.read_text()


class TestLatents:
    @pytest.mark.parametrize(("split", "count"), [("train", 128), ("val", 16), ("test", 16)])
    def test_encoded_layouts_are_standardised(self, results, split, count):
        path = results / f"latents/tiny-tiny/{split}.h5"
        with h5py.File(path) as file:
            latents = file["latents"][:].astype(np.float64)
            assert len(set(file["sample_id"][:])) == count
        assert latents.shape == (count, 4, 8, 8)
        if split == "train":  # half precision and one mean and std per channel
            assert latents.mean(axis=(0, 2, 3)) == pytest.approx(np.zeros(4), abs=5e-3)
            assert latents.std(axis=(0, 2, 3)) == pytest.approx(np.ones(4), abs=5e-3)

    def test_splits_are_disjoint(self, results):
        originals = []
        for split in ("train", "val", "test"):
            with h5py.File(results / f"latents/tiny-tiny/{split}.h5") as file:
                originals += set(file["original_id"][:])
        assert len(originals) == len(set(originals)) == 160

    @pytest.mark.parametrize("n", [0, 1])
    def test_reals_and_fakes_say_what_they_are(self, results, n):
        place = results / f"micro/adversarial/iteration_{n}"
        autoencoder = model_digest(results / "autoencoders/tiny")
        for kind in ("real", "fake"):
            found = attributes(place / f"{kind}_latents.h5")
            assert found["kind"] == kind
            assert found["autoencoder_digest"] == autoencoder
            assert (found["seed"], found["iteration"]) == (42, n)
        assert (found["sampler"], found["num_steps"]) == ("ddim", 4)

    @pytest.mark.parametrize("n", [0, 1])
    def test_reals_and_fakes_are_alike_in_number_shape_and_precision(self, results, n):
        """A difference in any of these would tell a discriminator which is which."""
        place = results / f"micro/adversarial/iteration_{n}"
        with (
            h5py.File(place / "real_latents.h5") as real,
            h5py.File(place / "fake_latents.h5") as fake,
        ):
            assert real["latents"].shape == fake["latents"].shape == (64, 4, 8, 8)
            assert real["latents"].dtype == fake["latents"].dtype

    def test_reals_are_rows_of_the_train_split_drawn_anew_per_iteration(self, results):
        with h5py.File(results / "latents/tiny-tiny/train.h5") as file:
            train = dict(zip(file["sample_id"][:], file["latents"][:], strict=True))
        draws = []
        for n in range(2):
            with h5py.File(results / f"micro/adversarial/iteration_{n}/real_latents.h5") as file:
                names, latents = file["sample_id"][:], file["latents"][:]
            assert len(set(names)) == 64
            for name, latent in zip(names, latents, strict=True):
                assert np.array_equal(latent, train[name])
            draws.append(set(names))
        assert draws[0] != draws[1]

    def test_fakes_of_the_iterations_start_from_other_noise(self, results):
        names = [results / f"micro/adversarial/iteration_{n}/fake_latents.h5" for n in range(2)]
        first, second = (h5py.File(name)["latents"][:].astype(np.float64) for name in names)
        assert abs(np.corrcoef(first.ravel(), second.ravel())[0, 1]) < 0.5

    def test_models_are_judged_from_the_same_noise(self, results):
        """Two checkpoints of nearly the same weights then give nearly the same samples."""
        names = ["start", "adversarial/iteration_0", "control/iteration_0"]
        shown = [
            h5py.File(results / f"micro/{name}/evaluation_latents.h5")["latents"][:].ravel()
            for name in names
        ]
        assert np.corrcoef(np.stack(shown).astype(np.float64)).min() > 0.9


class TestWhatEntersAnIteration:
    def test_fakes_of_the_first_come_from_the_start(self, results):
        fakes = attributes(results / "micro/adversarial/iteration_0/fake_latents.h5")
        assert fakes["source_digest"] == model_digest(results / "base/denoiser")

    def test_fakes_of_the_next_come_from_the_denoiser_that_left_the_previous(self, results):
        fakes = attributes(results / "micro/adversarial/iteration_1/fake_latents.h5")
        left = model_digest(results / "micro/adversarial/iteration_0/denoiser")
        assert fakes["source_digest"] == left
        assert left != model_digest(results / "base/denoiser")

    def test_both_arms_start_from_the_same_denoiser(self, command_of, results):
        commands = [command_of("finetune_diffusion", arm=arm, iteration=0) for arm in ARMS]
        assert all(" --denoiser results/base/denoiser " in command for command in commands)
        adversarial, control = (
            rows_of(results / f"micro/{arm}/iteration_0/diffusion_history.csv")[0] for arm in ARMS
        )
        assert adversarial["val_noise_loss"] == control["val_noise_loss"]

    @pytest.mark.parametrize("arm", ARMS)
    def test_an_iteration_goes_on_from_the_best_of_the_previous(self, results, arm):
        """Validation has fixed noise, so the best figure returns as the next baseline."""
        before, after = (
            rows_of(results / f"micro/{arm}/iteration_{n}/diffusion_history.csv") for n in range(2)
        )
        best = min(float(row["val_noise_loss"]) for row in before[1:] if row["val_noise_loss"])
        assert float(after[0]["val_noise_loss"]) == pytest.approx(best, rel=1e-5)

    def test_only_the_adversarial_arm_meets_a_discriminator(self, command_of):
        for n in range(2):
            ours = command_of("finetune_diffusion", arm="adversarial", iteration=n)
            opponent = f"results/micro/adversarial/iteration_{n}/discriminator"
            assert f" --discriminator {opponent} " in ours
            theirs = command_of("finetune_diffusion", arm="control", iteration=n)
            assert "--discriminator" not in theirs


class TestHistories:
    @pytest.mark.parametrize("n", [0, 1])
    @pytest.mark.parametrize("arm", ARMS)
    def test_one_row_per_epoch_after_a_baseline(self, results, arm, n):
        rows = rows_of(results / f"micro/{arm}/iteration_{n}/diffusion_history.csv")
        assert [int(row["epoch"]) for row in rows] == list(range(EPOCHS + 1))

    @pytest.mark.parametrize("n", [0, 1])
    def test_the_control_makes_as_many_updates(self, results, n):
        steps = [
            [
                int(row["step"])
                for row in rows_of(results / f"micro/{arm}/iteration_{n}/diffusion_history.csv")
            ]
            for arm in ARMS
        ]
        assert steps[0] == steps[1] == [e * STEPS_PER_EPOCH for e in range(EPOCHS + 1)]

    def test_columns(self, results):
        adversarial, control = (
            set(rows_of(results / f"micro/{arm}/iteration_0/diffusion_history.csv")[0])
            for arm in ARMS
        )
        own = {"epoch", "step", "learning_rate", "train_noise_loss", "val_noise_loss"}
        assert control == own
        terms = {"discriminator_loss", "viability_score"}
        assert adversarial == own | {f"{s}_{t}" for s in ("train", "val") for t in terms}

    @pytest.mark.parametrize("arm", ARMS)
    def test_validation_every_eval_interval_and_after_the_last_epoch(self, results, arm):
        rows = rows_of(results / f"micro/{arm}/iteration_0/diffusion_history.csv")
        validated = [int(row["epoch"]) for row in rows if row["val_noise_loss"]]
        assert validated == [0, EVAL_INTERVAL, EPOCHS]

    @pytest.mark.parametrize("n", [0, 1])
    def test_discriminator_history(self, results, n):
        rows = rows_of(results / f"micro/adversarial/iteration_{n}/discriminator_history.csv")
        assert [int(row["epoch"]) for row in rows] == [0, 1, 2]
        for row in rows[1:]:
            for split in ("train", "val"):
                assert float(row[f"{split}_loss"]) > 0
                assert 0 <= float(row[f"{split}_accuracy"]) <= 1

    def test_stage_one_and_autoencoder_histories(self, results):
        denoiser = rows_of(results / "base/diffusion_history.csv")
        assert float(denoiser[-1]["val_noise_loss"]) < float(denoiser[0]["val_noise_loss"])
        autoencoder = rows_of(results / "autoencoders/tiny/history.csv")
        assert float(autoencoder[-1]["val_loss"]) < float(autoencoder[0]["val_loss"])


class TestVerdict:
    def test_table_has_reals_start_and_both_arms_with_intervals(self, results):
        rows = {row["model"]: row for row in rows_of(results / "micro/evaluation.csv")}
        judged = [f"{arm}/iteration_{n}" for arm in ARMS for n in range(2)]
        assert list(rows) == ["reals", "start", *judged]
        for row in rows.values():
            for name in ("frechet", "kernel"):
                low, value, high = (float(row[name + end]) for end in ("_low", "", "_high"))
                assert math.isfinite(value)
                assert low <= value <= high
            assert 0 <= float(row["auc_linear"]) <= 1
            assert float(row["boundary_length"]) > 0
        assert {row["num_samples"] for row in rows.values()} == {"64"}
        assert {row["num_held_out"] for row in rows.values()} == {"16"}

    def test_table_holds_what_each_evaluation_says(self, results):
        for row in rows_of(results / "micro/evaluation.csv")[1:]:
            figures = json.loads((results / f"micro/{row['model']}/evaluation.json").read_text())
            found = figures["figures"]["frechet"]["value"]
            assert float(row["frechet"]) == pytest.approx(found, rel=1e-5)

    def test_differences_are_against_control_start_and_null(self, results):
        found = json.loads((results / "micro/comparisons.json").read_text())
        assert found["verdict"].endswith(".")
        pairs = {(d["model"], d["against"]) for d in found["differences"]}
        for n in range(2):
            for against in ("control", "start", "null"):
                assert (f"adversarial/iteration_{n}", against) in pairs
        figures = {d["figure"] for d in found["differences"] if d["against"] == "control"}
        assert figures >= {"fixed_auc_linear", "fixed_auc_cnn", "coverage", "isolated_gap"}
        for difference in found["differences"]:
            assert difference["low"] <= difference["difference"] <= difference["high"]

    @pytest.mark.parametrize("model", ["reals", "start", "control/iteration_1"])
    def test_every_sample_has_its_nearest_training_originals(self, results, model):
        found = json.loads((results / f"micro/{model}/neighbours.json").read_text())
        assert len(found["rows"]) == len(found["sample_ids"]) == 64
        with h5py.File(results / "latents/tiny-tiny/train.h5") as file:
            names = [name.decode() for name in file["sample_id"][:]]
        for rows, ids in zip(found["rows"], found["sample_ids"], strict=True):
            assert [names[row] for row in rows] == ids

    def test_the_selected_model_is_the_one_that_is_named(self, results):
        verdict = json.loads((results / "micro/selected.json").read_text())
        assert verdict["reason"]
        name = verdict["selected"]
        source = results / ("base" if name == "start" else f"micro/{name}") / "denoiser"
        for file in DENOISER:
            copied = results / "micro/selected/denoiser" / file
            assert copied.read_bytes() == (source / file).read_bytes()


def side(images):
    """Pixels of so many images, enlarged from 32 to 64 pixels, with gaps of 2 around each."""
    return images * 66 + 2


PICTURES = {
    # held-out layouts and reconstructions at twice the size, a 14-pixel label above each row
    "autoencoders/tiny/reconstructions.png": (2 * side(12), 2 * (2 * side(1) + 14)),
    # layouts, reconstructions and five models, four images each
    "micro/samples.png": (side(4), 7 * (side(1) + 14)),
    "micro/adversarial/iteration_0/samples/epoch_003.png": (side(2), side(2)),
    "micro/control/iteration_1/samples/epoch_003.png": (side(2), side(2)),
}


@pytest.mark.parametrize("name", PICTURES)
def test_pictures_open_and_show_what_was_asked_for(results, name):
    with Image.open(results / name) as picture:
        picture.load()
        assert picture.size == PICTURES[name]
        assert len(picture.convert("RGB").getcolors(1 << 20)) > 2


def test_the_plot_opens(results):
    with Image.open(results / "micro/evaluation.png") as picture:
        picture.load()


HISTORIES = {
    "autoencoders/tiny/history.png",
    "base/diffusion_history.png",
    *(f"micro/adversarial/iteration_{n}/discriminator_history.png" for n in range(2)),
    *(f"micro/{arm}/iteration_{n}/diffusion_history.png" for arm in ARMS for n in range(2)),
}


def test_every_history_has_a_plot_beside_it(results):
    assert {str(p.relative_to(results)) for p in results.rglob("*history.png")} == HISTORIES
    for name in HISTORIES:
        assert (results / name).with_suffix(".csv").is_file()
        with Image.open(results / name) as picture:
            picture.load()


def test_sample_grids_come_at_their_interval(results):
    for arm in ARMS:
        folder = results / f"micro/{arm}/iteration_0/samples"
        assert [path.name for path in folder.iterdir()] == ["epoch_003.png"]
