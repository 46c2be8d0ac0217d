"""How each job stands, told from the files that jobs really leave."""

import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from sparring.artefacts.atomic import Superseded, write_text
from sparring.artefacts.attempts import Attempt
from sparring.artefacts.finished import Finished
from sparring.artefacts.lock import Holder, Lock
from sparring.artefacts.processes import Process
from sparring.interrupts import InterruptedRun
from sparring.rounds import freeze_job, job_files, stage_settings, status_of

RULE, WILDCARDS = "encode_real", {"experiment": "exp", "iteration": "1"}
DISCRIMINATOR = "train_discriminator"


class Planned:
    """One job of a run, as the workflow plans it and its program leaves it."""

    def __init__(self, project, rule=RULE) -> None:
        self.project, self.rule = project, rule
        self.plan()

    def plan(self, **keys) -> None:
        """Write its job file, with an experiment of these keys."""
        self.project.adversarial("exp", **keys)
        self.rounds = self.project.load("exp")
        settings = stage_settings(self.rounds, self.rule, WILDCARDS)
        freeze_job(self.rounds, self.rule, WILDCARDS, settings.to_json())
        files = job_files(self.rounds, self.rule, WILDCARDS)
        self.job, self.record, self.log = map(Path, (files.job, files.record, files.log))
        self.state, self.output = self.job.parent, self.record.parents[1] / "real_latents.h5"
        self.log.parent.mkdir(parents=True, exist_ok=True)

    def finish(self) -> None:
        with Attempt(self.log):
            write_text(self.output, "latents")
            settings = json.loads(self.job.read_text())["settings"]
            write_text(self.record, json.dumps({"settings": settings}))
            published = {path: path for path in (self.output, self.record)}
            Finished(self.state).keep("work", published)

    def fail(self, error) -> None:
        def attempt() -> None:
            with Attempt(self.log):
                raise error

        with pytest.raises(type(error)):
            attempt()

    def hold(self, process=None, ago=0.0, **note) -> None:
        """The lock as a holder wrote it with its last heartbeat, so many seconds ago."""
        now = time.time() - ago
        holder = Holder("token", process or Process.own(), "work", now - 60, 5, now, note)
        self.state.mkdir(parents=True, exist_ok=True)
        (self.state / "lock").write_bytes(holder.text())

    @property
    def status(self):
        (found,) = [
            job
            for job in status_of(self.rounds)
            if (job.rule, dict(job.wildcards)) == (self.rule, WILDCARDS)
        ]
        return found


@pytest.fixture
def planned(project):
    return Planned(project)


@pytest.fixture
def killed():
    """A process of this machine that was killed."""
    program = "from dataclasses import asdict; import json; "
    program += "from sparring.artefacts.processes import Process; "
    program += "print(json.dumps(asdict(Process.own())))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    return Process(**json.loads(done.stdout))


def test_before_anything_ran_every_job_waits(planned):
    found = status_of(planned.rounds)
    assert {job.state for job in found} == {"waiting"}
    assert planned.status.name == "exp/adversarial/iteration_1/encode_real"


def test_a_run_that_was_never_planned_waits_too(project):
    project.adversarial("exp")
    assert {job.state for job in status_of(project.load("exp"))} == {"waiting"}


def test_finished_work_is_done_and_no_other_job_is(planned):
    planned.finish()
    assert planned.status.state == "done"
    assert sum(job.state == "done" for job in status_of(planned.rounds)) == 1


@pytest.mark.parametrize("lost", ["output", "record"])
def test_finished_work_whose_output_was_deleted_is_not_done(planned, lost):
    planned.finish()
    getattr(planned, lost).unlink()
    assert planned.status.state == "waiting"


def test_work_planned_again_with_other_settings_waits(planned):
    planned.finish()
    planned.plan(num_samples=10)
    assert planned.status.state == "waiting"
    planned.plan()
    assert planned.status.state == "done"
    planned.plan(num_samples=10)
    planned.finish()
    assert planned.status.state == "done"


def test_done_work_says_what_it_took_over_all_attempts(planned):
    planned.finish()
    assert "attempts" not in planned.status.detail
    planned.fail(InterruptedRun())
    planned.finish()
    assert "in 3 attempts" in planned.status.detail


def test_a_living_holder_runs_and_says_how_far_it_is(planned):
    planned.hold(done=3.0, total=10, unit="epoch", train_loss=0.125, seconds_left=300.0)
    status = planned.status
    assert status.state == "running"
    assert status.detail.startswith("epoch 3 of 10, 5 min left, train_loss 0.125, ")
    assert status.detail.endswith(f"process {os.getpid()} on {Process.own().host}")


def test_large_numbers_are_written_out(planned):
    planned.hold(done=12345, total=20000, unit="batch", seconds_left=None)
    assert planned.status.detail.startswith("batch 12345 of 20000, ")


def test_a_holder_that_has_nothing_to_say_yet_runs(planned):
    planned.hold()
    assert planned.status.state == "running"


def test_a_real_lock_runs_while_it_is_held(planned):
    lock = Lock(planned.state, "work", 60.0)
    lock.acquire(lambda: None)
    assert planned.status.state == "running"
    with lock.beating(lambda _: None):
        assert planned.status.state == "running"
    assert planned.status.state == "waiting"


def test_a_holder_in_a_cluster_s_job_is_named_by_it(planned):
    planned.hold(replace(Process.own(), job="LSF job 4711"))
    assert "LSF job 4711 (process" in planned.status.detail


def test_a_holder_killed_on_this_machine_has_died_at_once(planned, killed):
    planned.hold(killed)
    status = planned.status
    assert status.state == "died"
    assert "run snakemake again to go on" in status.detail


def test_a_holder_elsewhere_has_died_when_it_was_silent_for_long(planned):
    """Some silence may come from clocks that differ."""
    elsewhere = replace(Process.own(), host="node7")
    timeout = planned.rounds.config.lock_timeout_seconds
    planned.hold(elsewhere, ago=timeout)
    assert planned.status.state == "running"
    planned.hold(elsewhere, ago=10 * timeout)
    assert planned.status.state == "died"
    assert "node7" in planned.status.detail
    assert "last seen 10 min ago" in planned.status.detail


def test_a_lock_that_cannot_be_read_is_no_reason_to_fail(planned):
    lock = planned.state / "lock"
    lock.write_text("{")
    assert planned.status.state == "running"  # somebody has just written it
    os.utime(lock, (0, 0))
    assert planned.status.state == "died"


def test_a_death_that_a_successor_recorded_is_told(planned, killed):
    Attempt(planned.log).record_death(Holder("token", killed, "work", 0.0, 1, 60.0))
    assert planned.status.state == "died"


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (ValueError("bug"), "failed"),
        (InterruptedRun(), "interrupted"),
        (Superseded(), "interrupted"),
    ],
)
def test_the_last_attempt_tells_how_unfinished_work_stands(planned, error, state):
    planned.fail(error)
    status = planned.status
    assert status.state == state
    assert Process.own().host in status.detail


def test_a_failed_job_shows_the_last_lines_of_its_log_and_no_other_does(planned):
    lines = [f"line {n}" for n in range(10)]
    planned.log.write_bytes("\n".join([*lines, "Küche"]).encode("latin-1"))
    planned.fail(ValueError())
    assert planned.status.log_tail[:-1] == ("line 8", "line 9")
    planned.fail(InterruptedRun())
    assert planned.status.log_tail == ()
    planned.finish()
    assert planned.status.log_tail == ()


def test_a_failure_is_forgotten_when_the_work_is_finished(planned):
    planned.fail(ValueError())
    planned.finish()
    assert planned.status.state == "done"


def test_a_row_that_a_full_disk_cut_short_is_no_reason_to_fail(planned):
    planned.finish()
    with open(planned.log.with_suffix(".attempts.csv"), "a") as file:
        file.write("2026-01-01 00:0")
    assert planned.status.state == "done"


HISTORY = "epoch,val_loss,val_accuracy\n0,0.7,0.5\n1,0.5,0.93\n2,0.6,0.6\n"


def discriminator(project, history):
    """A planned training of a discriminator, with what an earlier one left."""
    planned = Planned(project, DISCRIMINATOR)
    folder = planned.record.parents[1]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "discriminator_history.csv").write_text(history)
    return planned


def test_a_finished_discriminator_says_what_it_came_to(project):
    planned = discriminator(project, HISTORY)
    assert planned.status.outcome == ""  # its history is an earlier one's
    planned.finish()
    line = "discriminator 0.93 on validation (0.5 to 0.7 wanted): too strong"
    assert planned.status.outcome == line
    assert [job.outcome for job in status_of(planned.rounds) if job.outcome] == [line]


@pytest.mark.parametrize("history", ["epoch,val_loss\n0,much\n", ""])
def test_a_history_that_cannot_be_read_is_no_reason_to_fail(project, history):
    planned = discriminator(project, history)
    planned.finish()
    assert planned.status.state == "done"
    assert "\n" not in planned.status.outcome
