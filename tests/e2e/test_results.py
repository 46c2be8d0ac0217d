"""A finished run: every file is there, and its pictures open."""

import json
import re

import pandas as pd
import pytest
from PIL import Image
from run_files import ARMS


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
