"""What a run shows of itself: TensorBoard's files, the plots, the discriminator's balance."""

import json
import subprocess
import sys

import pytest
from run_files import rows_of
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from workspace import REPOSITORY, digests

PLACE = "micro/adversarial/iteration_0"
RULE = "finetune_diffusion"


@pytest.fixture
def tracked(finished_copy, change_job):
    """A run in which fine-tuning is to be done again, with a tracker."""
    change_job(finished_copy, f"adversarial/iteration_0/{RULE}", tracker="tensorboard")
    (finished_copy / f"state/{PLACE}/{RULE}/finished.json").unlink()
    return finished_copy


def events_of(run):
    folder = run / f"logs/{PLACE}/{RULE}.tensorboard"
    assert len(list(folder.iterdir())) == 1
    accumulator = EventAccumulator(str(folder), size_guidance={"scalars": 0, "images": 0})
    accumulator.Reload()
    return accumulator


def script(run, name, *options):
    """What a program for looking prints."""
    command = [sys.executable, str(REPOSITORY / "workflow" / "scripts" / name), *options]
    done = subprocess.run(command, cwd=run.directory, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_tracked_stage_gives_the_same_bytes_and_shows_its_history(tracked, command_of):
    before = digests(tracked / "results")
    done = tracked.shell(command_of(RULE, iteration=0, arm="adversarial"))
    assert done.returncode == 0, done.stderr
    assert digests(tracked / "results") == before
    events = events_of(tracked)
    for row in rows_of(tracked / f"results/{PLACE}/diffusion_history.csv")[1:]:
        shown = {e.step: e.value for e in events.Scalars("viability_score/train")}
        assert shown[int(row["epoch"])] == pytest.approx(float(row["train_viability_score"]))
    assert [event.step for event in events.Images("samples")] == [3]


def test_event_files_are_no_outputs(tracked, command_of):
    """Neither Snakemake nor the keeping of finished work takes them for results."""
    tracked.shell(command_of(RULE, iteration=0, arm="adversarial"))
    kept = json.loads((tracked / f"state/{PLACE}/{RULE}/finished.json").read_text())["outputs"]
    assert [path for path in kept if "tensorboard" in path or "tfevents" in path] == []
    assert not list((tracked / "results").rglob("*tfevents*"))
    tracked.config["tracker"] = "tensorboard"
    assert tracked.plan() == set()


def test_of_several_processes_one_writes(tracked, command_of):
    command = command_of(RULE, iteration=0, arm="adversarial")
    done = tracked.shell(command.replace("--processes 1", "--processes 2"))
    assert done.returncode == 0, done.stderr
    epochs = [event.step for event in events_of(tracked).Scalars("noise_loss/train")]
    assert epochs == [1, 2, 3]


def test_the_status_has_a_line_per_finished_discriminator(finished_copy):
    shown = script(finished_copy, "show_status.py", "--configfile", "config.yaml")
    assert shown.count(" on validation (0.5 to 0.7 wanted)") == 2


def test_the_results_show_every_iteration_s_balance(finished_copy):
    shown = script(finished_copy, "show_results.py", "results")
    rows = rows_of(finished_copy / "results/micro/balance.csv")
    assert [row["iteration"] for row in rows] == ["0", "1"]
    for row in rows:
        assert 0 <= float(row["val_accuracy"]) <= 1
        assert 0 < float(row["viability_score"]) < 1
        assert row["verdict"] in shown
