"""A stage program without a job file: lock, log, record and way back are the workflow's."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

PROGRAM = Path(__file__).with_name("count_steps.py")


class ByHand:
    """Runs count_steps.py with its settings as options."""

    def __init__(self, folder) -> None:
        self.folder, self._trace = folder, folder / "trace"
        (folder / "input.txt").write_text("a")

    def start(self, *options) -> subprocess.Popen:
        command = [sys.executable, str(PROGRAM), "--input", "input.txt"]
        command += ["--output", "out/output.txt", "--table", "out/table.txt", *options]
        outside = {k: v for k, v in os.environ.items() if k not in ("LSB_JOBID", "SLURM_JOB_ID")}
        return subprocess.Popen(
            command,
            cwd=self.folder,
            env=outside | {"COUNT_TRACE": str(self._trace)},
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *options) -> tuple[int, list[str]]:
        process = self.start(*options)
        _, errors = process.communicate(timeout=60)
        return process.returncode, errors.splitlines()

    @property
    def steps(self) -> list[int]:
        return [int(s) for s in self._trace.read_text().split()] if self._trace.exists() else []

    def wait_for_steps(self, count) -> None:
        deadline = time.monotonic() + 60
        while len(self.steps) < count:
            assert time.monotonic() < deadline, "it does not work"
            time.sleep(0.01)

    @property
    def output(self) -> Path:
        return self.folder / "out" / "output.txt"

    @property
    def states(self) -> list[Path]:
        return [p for p in (self.folder / "state" / "by_hand").iterdir() if p.is_dir()]


@pytest.fixture
def program(tmp_path):
    return ByHand(tmp_path)


def test_it_needs_nothing_but_options(program):
    status, errors = program.run("--set", "steps=3")
    assert status == 0, errors
    assert program.output.read_text() == "aaa"
    record = json.loads((program.folder / "out/settings/count_steps.json").read_text())
    assert record["settings"] == {"stage": "count_steps", "revision": 1, "steps": 3}
    (state,) = program.states
    assert json.loads((state / "job.json").read_text())["settings"] == record["settings"]
    assert state.with_name(f"{state.name}.log").is_file()
    assert state.with_name(f"{state.name}.attempts.csv").is_file()


def test_a_required_setting_without_a_default_is_one_line(program):
    status, (line,) = program.run()
    assert status == 2
    assert line == "settings by hand: 'steps' is missing"
    assert not (program.folder / "state").exists()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_the_same_command_goes_on_after_a_kill(program, number):
    options = ("--set", "steps=4", "--set", "seconds=0.3")
    process = program.start(*options)
    program.wait_for_steps(2)
    process.send_signal(number)
    process.communicate(timeout=60)
    assert process.returncode == (75 if number == signal.SIGTERM else -signal.SIGKILL)
    assert not program.output.exists()
    assert program.run(*options)[0] == 0
    assert program.output.read_text() == "aaaa"
    assert sorted(set(program.steps)) == [0, 1, 2, 3]
    assert len(program.steps) <= 5  # at most the step in which it died is done again
    assert list(program.folder.rglob("*aside*")) == []


def test_finished_work_is_not_done_again_and_other_work_is(program):
    program.run("--set", "steps=2")
    status, errors = program.run("--set", "steps=2", "--threads", "2", "--device", "cpu")
    assert (status, len(program.steps)) == (0, 2)
    assert "finished before" in errors[-1]
    program.run("--set", "steps=3")
    assert len(program.steps) == 5
    assert program.output.read_text() == "aaa"
    assert len(program.states) == 1


def test_two_copies_do_the_work_once(program):
    options = ("--set", "steps=4", "--set", "seconds=0.2")
    copies = [program.start(*options), program.start(*options)]
    for copy in copies:
        copy.communicate(timeout=60)
    assert [copy.returncode for copy in copies] == [0, 0]
    assert program.steps == [0, 1, 2, 3]


def test_what_the_workflow_finished_is_finished_by_hand_too(stage):
    """With the state and the record of the workflow, as the commands of a dry run name them."""
    assert stage.run()[0] == 0
    settings = json.dumps({"stage": "count_steps", "revision": 1, "steps": 3})
    options = ["--settings", settings, "--device", "cpu", "--log", str(stage.log)]
    options += ["--record", str(stage.results / "settings" / "count_steps.json")]
    before = stage.output.read_text(), stage.attempts
    stage.output.unlink()
    assert stage.run(*options)[0] == 0
    assert stage.output.read_text() == before[0]
    assert len(stage.steps) == 3
    assert stage.attempts == [*before[1], "already finished"]


def test_settings_of_a_command_win_over_an_older_job_file(stage):
    """A dry run after an edit shows what would run, not what the last run had frozen."""
    settings = json.dumps({"stage": "count_steps", "revision": 1, "steps": 2})
    assert stage.run("--settings", settings)[0] == 0
    assert stage.output.read_text() == "aa"
    assert json.loads(stage.job.read_text())["settings"]["steps"] == 2
