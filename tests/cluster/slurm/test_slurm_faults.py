"""Faults of Slurm and around it, at random moments: the results are those of an undisturbed run.

`make test-cluster` runs all of them and prints a table.
"""

import contextlib
import random
import shutil
import time

import pytest
from slurm_cluster import SlurmError
from slurm_runs import Run, unlock
from workspace import digests

TIMES = 3
PLACE = "micro/adversarial/iteration_1"
TARGET = f"results/{PLACE}/denoiser/config.json"
SECONDS = 15  # from the first job's start; most likely within one of the two


def stage_killed(run: Run) -> None:
    """SIGKILL to the stage program, as for want of memory."""
    run.signal_stages("SIGKILL")


def job_cancelled(run: Run) -> None:
    """scancel, while it runs."""
    run.cancel()


def time_limit(run: Run) -> None:
    """The stage hangs until Slurm's limit of a minute is over."""
    run.signal_stages("SIGSTOP")
    for job in run.jobs("running"):
        run.slurm("scontrol", "update", f"JobId={job}", "TimeLimit=1")


def node_down(run: Run) -> None:
    """The node is taken down; Slurm starts the job anew on the other one."""
    for node in run.nodes():
        run.slurm("scontrol", "update", f"NodeName={node}", "State=DOWN", "Reason=test")
        time.sleep(5)
        with contextlib.suppress(SlurmError):  # it may have come back by itself
            run.slurm("scontrol", "update", f"NodeName={node}", "State=RESUME")


def controller_restarted(run: Run) -> None:
    """slurmctld is away for a while."""
    run.cluster.stop_controller()
    time.sleep(10)
    run.cluster.start_controller()


def controller_forgets(run: Run) -> None:
    """slurmctld comes back without its state: no job is known any more."""
    run.cluster.stop_controller()
    for file in (run.cluster.DIRECTORY / "state").glob("job_state*"):
        file.unlink()
    run.cluster.start_controller()


def snakemake_killed(run: Run) -> None:
    """SIGKILL to Snakemake: its job goes on while the next run starts."""
    run.kill()
    unlock(run.workspace)


def snakemake_interrupted(run: Run) -> None:
    """Ctrl-C: Snakemake cancels its jobs and ends."""
    run.interrupt()
    assert not run.jobs("pending,running")


FAULTS = (
    stage_killed,
    job_cancelled,
    time_limit,
    node_down,
    controller_restarted,
    controller_forgets,
    snakemake_killed,
    snakemake_interrupted,
)


@pytest.fixture
def disturbed(start, finished_copy, shared_run, record_property):
    """Run two training jobs of the finished experiment again, with a fault in their way."""

    def run_through(fault, seconds=SECONDS):
        for file in ("discriminator", "denoiser", "denoiser_latest", "samples"):
            shutil.rmtree(finished_copy / f"results/{PLACE}/{file}")
        for rule in ("train_discriminator", "finetune_diffusion"):
            shutil.rmtree(finished_copy / f"state/{PLACE}/{rule}")
        run, moment = start(finished_copy, TARGET), random.uniform(0, seconds)
        print(f"{fault.__name__} {moment:.1f} s after the first job started")
        if run.until_running(moment):  # else it came too late, and does not count
            record_property("fault", fault.__name__.replace("_", " "))
        fault(run)
        starts = 1
        while run.wait() != 0 and starts < 3:
            run, starts = start(finished_copy, TARGET), starts + 1
        record_property("starts", starts)
        assert run.wait() == 0, run.output.read_text()
        assert digests(finished_copy / "results") == digests(shared_run / "results")
        return starts

    return run_through


def test_an_orphan_and_its_successor_agree(disturbed):
    assert disturbed(snakemake_killed, seconds=3) == 2


@pytest.mark.cluster
@pytest.mark.parametrize("again", range(TIMES))
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_no_fault_changes_the_outcome(disturbed, fault, again):
    disturbed(fault)
