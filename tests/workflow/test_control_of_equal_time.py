"""The control of equal time: its jobs, and what it hangs on."""

import csv
import json
import os
import re

import pytest
from test_plans import DATA, begun, finetuned, null, rounds, start, verdicts
from workspace import LOCAL, job

PLACE = "results/micro/control_time/iteration_{}"


def timed(run):
    run.experiments["micro"]["control_time"] = True
    return run


def of_time(*iterations):
    """The jobs that the arm adds in these iterations."""
    jobs = {job("measure_time", experiment="micro", iteration=n) for n in iterations}
    return jobs.union(*(finetuned("micro", "control_time", n) for n in iterations))


def test_it_adds_a_measurement_and_an_arm(workspace):
    expected = DATA | start("base") | rounds("micro", range(2)) | begun("micro")
    expected |= verdicts("micro") | null("micro")
    assert timed(workspace).plan() == expected | of_time(0, 1)


def test_switched_on_it_plans_itself_and_what_compares(finished):
    assert timed(finished).plan() == of_time(0, 1) | verdicts("micro")


def test_more_iterations_plan_their_own_jobs(workspace):
    """With every output but the verdict's there, as if made in one moment."""
    timed(workspace).experiments["micro"]["iterations"] = 3
    done = workspace.snakemake(*LOCAL, "--dry-run")
    outputs = re.findall(r"(?m)^    output: (.*)$", done.stdout + done.stderr)
    for name in ", ".join(outputs).split(", "):
        if not re.fullmatch(r"results/micro/(selected/.*|[^/]*)", name):
            path = workspace / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
            os.utime(path, (1e9, 1e9))
    assert workspace.plan() == verdicts("micro")
    workspace.experiments["micro"]["iterations"] = 5
    assert workspace.plan() == rounds("micro", [3, 4]) | of_time(3, 4) | verdicts("micro")


@pytest.fixture(scope="module")
def run(shared_run, tmp_path_factory):
    """The shared run, gone on with until the arm is trained."""
    run = timed(shared_run.copied(tmp_path_factory.mktemp("timed") / "copy"))
    done = run.snakemake(*LOCAL, f"{PLACE.format(1)}/diffusion_history.csv")
    assert done.returncode == 0, done.stderr
    return run


@pytest.mark.parametrize("n", [0, 1])
def test_it_trains_for_as_many_epochs_as_the_measured_time_says(run, n):
    time = json.loads((run / PLACE.format(n) / "time.json").read_text())
    assert time["measured"]
    assert time["adversarial_seconds"] > time["control_seconds"] > 0  # it does more than a control
    with open(run / PLACE.format(n) / "diffusion_history.csv", newline="") as file:
        last = list(csv.DictReader(file))[-1]
    assert int(last["epoch"]) == time["epochs"] > 3


def test_what_changes_an_iteration_s_time_measures_it_again(run, tmp_path):
    looking = run.varied(tmp_path / "settings")
    override = {"iteration": 1, "discriminator": {"epochs": 3}}
    looking.experiments["micro"]["overrides"] = [override]
    changed = {job("train_discriminator", experiment="micro", iteration=1)}
    changed |= finetuned("micro", "adversarial", 1) | verdicts("micro") | of_time(1)
    assert looking.plan() == changed | finetuned("micro", "control_time", 0) - {
        job("finetune_diffusion", experiment="micro", arm="control_time", iteration=0)
    }  # that one is trained, not judged
