"""Jobs on one machine share its GPUs out among themselves; a scheduler's choice stands."""

import os
import select
import signal
import subprocess
import sys
import tempfile

import pytest

from sparring import devices
from sparring.devices import claim_gpus, visible_gpus
from sparring.errors import UserError

PROGRAM = """
import os, sys
from sparring.devices import claim_gpus
from sparring.interrupts import InterruptedRun, interruptible
try:
    with interruptible():
        claim_gpus(int(sys.argv[1]))
    print(os.environ["CUDA_VISIBLE_DEVICES"], flush=True)
    sys.stdin.read()
except InterruptedRun as error:
    print(error, flush=True)
"""


class Claimer:
    """A process that claims GPUs and computes until it is told to end."""

    def __init__(self, count, environment):
        command = [sys.executable, "-c", PROGRAM, str(count)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "bufsize": 0}
        self.process = subprocess.Popen(command, env=os.environ | environment, **pipes)

    def is_silent_for(self, seconds) -> bool:
        return not select.select([self.process.stdout], [], [], seconds)[0]

    def says(self) -> str:
        assert not self.is_silent_for(60), "the process says nothing"
        return self.process.stdout.readline().decode().strip()

    def devices(self) -> set[str]:
        return set(self.says().split(","))

    def end(self, number=None) -> None:
        if number is not None:
            self.process.send_signal(number)
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait(60)


@pytest.fixture(autouse=True)
def _outside_a_scheduler(monkeypatch):
    for variable in ("LSB_JOBID", "SLURM_JOB_ID", "CUDA_VISIBLE_DEVICES"):
        monkeypatch.delenv(variable, raising=False)


@pytest.fixture
def claimer(tmp_path):
    """Starts claimers on a machine of their own that shows three GPUs."""
    started = []

    def start(count, visible="0,1,2", **environment) -> Claimer:
        given = {"TMPDIR": str(tmp_path), "CUDA_VISIBLE_DEVICES": visible}
        started.append(Claimer(count, given | environment))
        return started[-1]

    yield start
    for one in started:
        if one.process.poll() is None:
            one.end(signal.SIGKILL)


def test_jobs_take_different_devices_and_wait_for_what_is_not_free(claimer):
    first, second = claimer(1), claimer(1)
    taken = first.devices() | second.devices()
    assert len(taken) == 2
    assert taken < {"0", "1", "2"}
    third = claimer(2)
    assert third.is_silent_for(2.0)
    first.end()
    found = third.devices()
    assert len(found) == 2
    assert found <= {"0", "1", "2"}
    fourth = claimer(1)
    assert fourth.is_silent_for(2.0)
    third.end()
    assert fourth.devices() < found


def test_a_killed_job_gives_its_devices_back(claimer):
    first = claimer(3)
    assert first.devices() == {"0", "1", "2"}
    first.end(signal.SIGKILL)
    assert claimer(3).devices() == {"0", "1", "2"}


def test_a_job_that_waits_for_several_keeps_none_from_others(claimer):
    """Or two that want two of two would wait for each other for ever."""
    first = claimer(2, visible="0,1,2")
    (free,) = {"0", "1", "2"} - first.devices()
    waiting = claimer(2)
    assert waiting.is_silent_for(2.0)
    assert claimer(1).devices() == {free}


def test_a_job_that_waits_can_be_stopped(claimer):
    first = claimer(3)
    first.devices()
    waiting = claimer(1)
    assert waiting.is_silent_for(1.0)
    waiting.process.send_signal(signal.SIGTERM)
    assert waiting.says().startswith("SIGTERM came")


@pytest.mark.parametrize("variable", ["LSB_JOBID", "SLURM_JOB_ID"])
def test_a_scheduler_s_choice_is_left_as_it_is(claimer, variable):
    """Two jobs of it may even share a device."""
    for _ in range(2):
        assert claimer(1, visible="2,0", **{variable: "17"}).devices() == {"2", "0"}


def test_devices_may_have_names_of_other_forms(claimer):
    visible = "GPU-8932f937-d72c-4106-c12f-20bd9faed9f6, MIG-GPU-1/2/3"
    first, second = claimer(1, visible=visible), claimer(1, visible=visible)
    assert first.devices() | second.devices() == {name.strip() for name in visible.split(",")}


@pytest.mark.parametrize(("named", "count"), [("0", 2), ("0,1", 3)])
def test_more_than_the_machine_shows_are_refused_in_one_line(monkeypatch, named, count):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", named)
    with pytest.raises(UserError) as caught:
        claim_gpus(count)
    shown = count - 1
    assert str(caught.value) == (
        f"gpus: the job wants {count}, but this machine shows {shown} ({named}); "
        f"set gpus: {shown} in the configuration"
    )
    assert os.environ["CUDA_VISIBLE_DEVICES"] == named


@pytest.mark.parametrize(
    ("named", "expected"), [("", []), ("3", ["3"]), ("3, 1", ["3", "1"]), ("0,,1,", ["0", "1"])]
)
def test_what_is_visible_is_what_the_environment_names(monkeypatch, named, expected):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", named)
    assert visible_gpus() == expected


def test_without_a_choice_the_driver_s_list_counts(monkeypatch, tmp_path):
    monkeypatch.setattr(devices, "_DRIVER", tmp_path)
    assert visible_gpus() == []
    for address in ("0000:01:00.0", "0000:41:00.0"):
        (tmp_path / address).mkdir()
    assert visible_gpus() == ["0", "1"]
    monkeypatch.setattr(devices, "_DRIVER", tmp_path / "none")
    assert visible_gpus() == []


def test_where_no_gpu_is_seen_nothing_is_claimed(monkeypatch, tmp_path):
    """Whether there is one after all, or none, torch says better."""
    monkeypatch.setattr(devices, "_DRIVER", tmp_path / "none")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    claim_gpus(1)
    assert "CUDA_VISIBLE_DEVICES" not in os.environ
    assert list(tmp_path.iterdir()) == []
