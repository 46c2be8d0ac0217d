"""Processes of one job: they share a batch, add up, and end together however one of them ends."""

import signal
import subprocess
import sys
import time
from pathlib import Path
from textwrap import indent

import pytest
import torch

from sparring import distributed
from sparring.distributed import ALONE, Group, processes
from sparring.errors import UserError

PROGRAM = """
import os, signal, sys, time
from pathlib import Path
from sparring import distributed
from sparring.errors import UserError

def add():
    tensor = torch.ones(3)
    group.sum_([tensor])
    assert tensor.tolist() == [2.0] * 3

Path(f"pid.{1 if distributed.is_child() else 0}").write_text(str(os.getpid()))
if BEFORE and distributed.is_child():
    sys.exit("no such module")
try:
    with distributed.processes(2, "cpu") as group:
        import torch
        BODY
except UserError as error:
    print(error)
    assert not Path("/proc", Path("pid.1").read_text()).exists()
    sys.exit(2)
"""


def launch(folder, body, before=False):
    """Run the program with this in its two processes."""
    code = PROGRAM.replace("BEFORE", str(before)).replace("BODY", indent(body, " " * 8).lstrip())
    return subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, timeout=120
    )


def has_ended(folder, rank):
    """Whether the process is gone at last; a zombie, which waits for its parent, is."""
    stat = Path("/proc", (folder / f"pid.{rank}").read_text(), "stat")
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            if stat.read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except (FileNotFoundError, ProcessLookupError):
            return True
        time.sleep(0.1)
    return False


@pytest.mark.parametrize("count", [1, 2, 3, 8])
@pytest.mark.parametrize("rows", [1, 2, 7, 8, 9])
def test_shares_are_the_whole_batch(rows, count):
    """Every row once; who gets none computes a row that counts nothing."""
    batch = torch.arange(100, 100 + rows)
    shares = [Group(rank, count).share(batch) for rank in range(count)]
    counted = [row for own, part in shares if part for row in own.tolist()]
    assert sorted(counted) == batch.tolist()
    assert sum(part for _, part in shares) == pytest.approx(1)
    assert all(len(own) for own, _ in shares)
    assert max(len(own) for own, _ in shares) - min(len(own) for own, _ in shares) <= 1


def test_a_group_of_one_leaves_everything_as_it_is():
    with processes(1, "cpu") as group:
        assert group is ALONE
    batch, tensor = torch.arange(5), torch.ones(3)
    own, part = group.share(batch)
    group.sum_([tensor])
    group.finish()
    assert torch.equal(own, batch)
    assert (part, group.is_main, group.from_main("said")) == (1.0, True, "said")
    assert tensor.tolist() == [1.0] * 3


def test_two_processes_add_up_and_listen_to_the_main_one(tmp_path):
    """In buckets smaller and larger than the tensors, in any memory format, under signals."""
    body = """
distributed._BUCKET = 10
tensors = [torch.full(size, group.rank + 1.0) for size in ((2, 2), (3,), (4, 5), (), (1,))]
tensors.append((torch.arange(24.0) * 10**group.rank).reshape(1, 2, 3, 4))
tensors[-1] = tensors[-1].contiguous(memory_format=torch.channels_last)
if group.is_main:
    for number in (signal.SIGTERM, signal.SIGUSR2, signal.SIGINT, signal.SIGALRM):
        os.kill(int(Path("pid.1").read_text()), number)
group.sum_(tensors)
assert all((tensor == 3).all() for tensor in tensors[:-1])
assert torch.equal(tensors[-1], 11 * torch.arange(24.0).reshape(1, 2, 3, 4))
for value in ({"loss": 0.1, "none": None}, [1, 2.5], None):
    assert group.from_main(value if group.is_main else "other") == value
add()
group.finish()
Path(f"after.{group.rank}").touch()
"""
    done = launch(tmp_path, body)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    assert sorted(path.name for path in tmp_path.glob("after.*")) == ["after.0"]
    assert has_ended(tmp_path, 1)


@pytest.mark.parametrize(
    ("death", "message"),
    [
        ("os.kill(os.getpid(), signal.SIGKILL)", "was killed by SIGKILL"),
        ("raise MemoryError('of the device')", "failed: MemoryError: of the device"),
        ("raise UserError('a file: broken')", "failed: a file: broken"),
    ],
)
def test_a_lost_process_ends_the_job_with_one_line(tmp_path, death, message):
    done = launch(tmp_path, f"add()\nif not group.is_main:\n    {death}\nadd()")
    assert done.returncode == 2, done.stdout + done.stderr
    assert done.stdout.startswith(f"process 2 of 2 {message}; the job stops, run again")
    assert done.stdout.count("\n") == 1


def test_the_main_process_ends_the_others(tmp_path):
    done = launch(
        tmp_path,
        "add()\nif group.is_main:\n    raise UserError('a setting: wrong')\ntime.sleep(100)",
    )
    assert (done.returncode, done.stdout) == (2, "a setting: wrong\n"), done.stderr


def test_a_process_that_never_joins_ends_the_job_with_one_line(tmp_path):
    done = launch(tmp_path, "add()", before=True)
    assert done.returncode == 2, done.stdout + done.stderr
    assert done.stdout.startswith("process 2 of 2 failed: no such module; the job stops")


def test_the_main_process_does_not_wait_for_ever(tmp_path):
    """NCCL may wait for a lost process without an error: the job ends all the same."""
    done = launch(
        tmp_path,
        "distributed.PATIENCE_SECONDS = 0.1\nadd()\n"
        "time.sleep(100) if group.is_main else os._exit(3)",
    )
    assert done.returncode == 2, done.stdout + done.stderr
    assert done.stderr.startswith("process 2 of 2 failed; the job stops, run again")
    assert done.stderr.count("\n") == 1


def test_nobody_outlives_the_main_process(tmp_path):
    """Killed, it cannot end the others: they see it themselves, also while they compute."""
    death = "add()\nos.kill(os.getpid(), signal.SIGKILL) if group.is_main else time.sleep(100)"
    done = launch(tmp_path, death)
    assert done.returncode == -signal.SIGKILL
    assert has_ended(tmp_path, 1)


def test_too_few_gpus_are_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(UserError) as refusal, processes(4, "cuda"):
        pass
    for part in ("gpus", "4", "2", "profile"):
        assert part in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_jobs_that_do_not_compute_yet_start_without_torch():
    """They may wait for a lock, or find everything finished."""
    program = (
        "import sys; from sparring.distributed import processes\n"
        "with processes(1, 'cpu'): pass\n"
        "print(*sorted({'torch', 'accelerate', 'numpy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.stdout.strip(), done.stderr) == ("", "")


def test_only_a_started_process_is_a_child(monkeypatch):
    """Ranks of other programs in the environment mean nothing."""
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert not distributed.is_child()
