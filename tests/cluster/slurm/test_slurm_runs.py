"""Runs of the micro experiment on a real Slurm end with the results of an undisturbed run."""

import shutil

import pytest
from slurm_runs import ON_SLURM, SITE
from workspace import digests


@pytest.mark.usefixtures("slurm")
def test_what_slurm_lacks_is_refused_before_anything_is_submitted(workspace):
    site = ["slurm_gpu_partition=h100" if "gpu_partition" in item else item for item in SITE]
    done = workspace.snakemake(*ON_SLURM, *site, "--latency-wait=5", "all")
    assert done.returncode == 1
    said = done.stdout + done.stderr
    assert sum("'h100'" in line and "brief, gpu, short" in line for line in said.splitlines()) == 1
    assert "submitted" not in said


def test_an_iteration_in_which_jobs_are_cancelled(start, finished_copy, shared_run):
    made = finished_copy / "results" / "micro"
    for file in (*made.glob("*.*"), made / "selected" / "denoiser" / "config.json"):
        file.unlink()
    for folder in ("results", "state"):
        shutil.rmtree(finished_copy / folder / "micro" / "adversarial" / "iteration_1")
    run = start(finished_copy, "all")
    for moment in (0.0, 5.0):
        run.until_running(moment)
        run.cancel()
    assert run.wait() == 0, run.output.read_text()
    assert digests(finished_copy / "results") == digests(shared_run / "results")


@pytest.mark.cluster
def test_the_whole_experiment_from_nothing(start, workspace, shared_run, record_property):
    run = start(workspace, "all")
    record_property("fault", "whole experiment, no fault")
    record_property("starts", 1)
    assert run.wait(1800) == 0, run.output.read_text()
    assert digests(workspace / "results") == digests(shared_run / "results")
