"""Whether a process lives, told only where it can be told for certain."""

import json
import os
import subprocess
import sys
from dataclasses import asdict, replace

import pytest

from sparring.artefacts.processes import Process, scheduler_job

PROGRAM = """
import json, os, sys
from dataclasses import asdict
from sparring.artefacts.processes import Process
if sys.argv[1]:
    open("/proc/self/comm", "w").write(sys.argv[1])
print(json.dumps(asdict(Process.own())), flush=True)
sys.stdin.read()
"""


@pytest.fixture
def child(request):
    """A process that says who it is, and lives until it is killed."""
    command = [sys.executable, "-c", PROGRAM, getattr(request, "param", "")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.known = Process(**json.loads(process.stdout.readline()))
        yield process
        process.kill()


@pytest.fixture(autouse=True)
def _outside_a_scheduler(monkeypatch):
    for variable in ("LSB_JOBID", "SLURM_JOB_ID"):
        monkeypatch.delenv(variable, raising=False)


def test_this_process_lives():
    assert not Process.own().is_gone
    assert Process.own() == Process.own()


# The kernel's table of processes shows the name in parentheses, whatever it holds.
@pytest.mark.parametrize("child", ["", "a b", "a) Z 1 (b", ")"], indirect=True)
def test_a_living_process_is_not_gone_and_a_killed_one_is(child):
    assert child.known.pid == child.pid
    assert not child.known.is_gone
    child.kill()
    child.wait()
    assert child.known.is_gone


def test_a_killed_process_that_nobody_waited_for_is_gone(child):
    """A zombie writes no more."""
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert child.known.is_gone


def test_a_later_process_of_the_same_number_is_another(child):
    assert replace(child.known, started=child.known.started - 1).is_gone


@pytest.mark.parametrize("key", ["host", "namespace"])
def test_of_a_process_elsewhere_nothing_is_certain(child, key):
    """Not even where a process of that number runs here, or none does."""
    elsewhere = replace(child.known, **{key: "other"})
    assert not elsewhere.is_gone
    child.kill()
    child.wait()
    assert not elsewhere.is_gone


def test_where_processes_have_no_namespace_nothing_is_certain(child):
    """Not Linux: no table of processes to look into."""
    child.kill()
    child.wait()
    assert not replace(child.known, namespace="").is_gone


@pytest.mark.parametrize(
    ("variable", "expected"), [("LSB_JOBID", "LSF job 17"), ("SLURM_JOB_ID", "Slurm job 17")]
)
def test_the_scheduler_s_job_is_part_of_the_description(monkeypatch, variable, expected):
    assert scheduler_job() == ""
    plain = Process.own().description
    monkeypatch.setenv(variable, "17")
    assert scheduler_job() == expected
    assert Process.own().description == f"{expected} ({plain})"


def test_a_process_survives_being_written_as_json():
    own = Process.own()
    assert Process(**json.loads(json.dumps(asdict(own)))) == own
