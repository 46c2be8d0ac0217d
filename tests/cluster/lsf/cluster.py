"""A stand-in cluster: its directory, its jobs, and the faults that a test orders."""

import fcntl
import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from .submission import Submission

ENDED = ("DONE", "EXIT")
CODES = {"PEND": 1, "PSUSP": 2, "RUN": 4, "SSUSP": 8, "USUSP": 16, "EXIT": 32, "DONE": 64}
CODES |= {"UNKWN": 65536}
PROGRAMS = ("bsub", "bjobs", "bkill", "bhist", "bqueues", "badmin", "lsclusters")
CONFIG = {
    "name": "standin",
    "hosts": {
        "node1": {"slots": 4, "memory": 32000, "gpus": 2},
        "node2": {"slots": 4, "memory": 32000, "gpus": 2},
    },
    "queues": {"normal": {}, "gpu": {}, "short": {"run_limit": 60, "max_slots": 2}},
    "default_queue": "normal",
    "applications": [],
    "groups": [],
    "closed_projects": [],
    "unit": "MB",
    "reserve_per_slot": True,
    "seconds_per_minute": 60.0,
    "grace_minutes": 10,
    "terminate_interval": 10.0,
}
"""`terminate_interval`: seconds between the signals of bkill. `grace_minutes`: from SIGUSR2 at the
run limit to the end. Tests shorten minutes by `seconds_per_minute`."""


@dataclass
class Job:
    """An accepted job. Times are seconds since the epoch."""

    id: int
    asked: Submission
    state: str = "PEND"
    host: str | None = None
    devices: list[int] = field(default_factory=list)
    submitted: float = 0.0
    started: float | None = None
    ended: float | None = None
    exit_code: int | None = None
    reason: str = ""
    killed: float | None = None
    """When bkill asked for its end."""
    lost_until: float | None = None
    """Without contact to its host until then."""
    known: bool = True
    """Whether bjobs and the event log still tell of it."""
    run: int = 0
    fault: dict | None = None


class Cluster:
    """The directory of a cluster. The commands and supervisors open it, a test creates it."""

    def __init__(self, directory: Path | str) -> None:
        self.directory = Path(directory)
        self.bin = self.directory / "bin"
        self.events = self.directory / "work" / "standin" / "logdir" / "lsb.events"

    @classmethod
    def create(cls, directory: Path, **changes: object) -> "Cluster":
        """A new cluster with the default hosts and queues, but for these changes of CONFIG."""
        cluster = cls(directory)
        (directory / "jobs").mkdir(parents=True)
        cluster.bin.mkdir()
        cluster.events.parent.mkdir(parents=True)
        cluster.events.touch()
        params = directory / "conf" / "lsbatch" / "standin" / "configdir" / "lsb.params"
        params.parent.mkdir(parents=True)
        config = CONFIG | changes
        params.write_text(f"Begin Parameters\nDEFAULT_QUEUE = {config['default_queue']}\n")
        cluster._write("cluster.json", config)
        cluster._write("faults.json", {"commands": [], "jobs": [], "down": []})
        for program in PROGRAMS:
            path = cluster.bin / program
            path.write_text(
                PROGRAM.format(python=sys.executable, path=str(ROOT), directory=str(directory))
            )
            path.chmod(0o755)
        return cluster

    def environment(self) -> dict[str, str]:
        """What makes a process a client of this cluster."""
        return {"PATH": f"{self.bin}:{os.environ['PATH']}"}

    @property
    def config(self) -> dict:
        """Hosts, queues and times."""
        return json.loads((self.directory / "cluster.json").read_text())

    @contextmanager
    def locked(self) -> Iterator[None]:
        """One command or supervisor at a time."""
        with (self.directory / "lock").open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def jobs(self) -> list[Job]:
        """All accepted jobs by id."""
        return [self._read(path) for path in sorted((self.directory / "jobs").glob("*.json"))]

    def job(self, number: int) -> Job:
        """One job."""
        return self._read(self._path(number))

    def save(self, job: Job) -> None:
        """Write a job whole or not at all."""
        self._write(str(self._path(job.id).relative_to(self.directory)), asdict(job))

    def next_id(self) -> int:
        """Ids are given in order, also to jobs that are lost at once."""
        path = self.directory / "last_id"
        number = int(path.read_text()) + 1 if path.exists() else 101
        path.write_text(str(number))
        return number

    def turn(self, job: Job, state: str) -> None:
        """Change a job's state, and log it as LSF does."""
        job.state = state
        if state in ENDED:
            job.ended, job.devices = time.time(), []
        self.save(job)
        if job.known:
            self.log("JOB_STATUS", job.id, CODES[state], 0, 0, 0.0)

    def log(self, kind: str, *values: object) -> None:
        """A record of the event log: strings quoted, numbers bare."""
        fields = [kind, "10.1", int(time.time()), *values]
        with self.events.open("a") as file:
            file.write(" ".join(_quoted(value) for value in fields) + "\n")

    # Faults -----------------------------------------------------------------------------------

    def break_command(self, program: str, how: str, calls: int = 1, seconds: float = 0.0) -> None:
        """Let the next calls of a program fail, or all calls for some seconds.

        how: down (LSF's words, 255), timeout (likewise), empty (nothing, 0), hang (seconds per
        call); bsub only: after (accepts, then down), silent (accepts, says nothing, 0).
        """
        until = time.time() + seconds if seconds and how != "hang" else None
        fault = {"program": program, "how": how, "seconds": seconds, "until": until}
        with self.locked(), self.faults() as faults:
            faults["commands"].append(fault | {"calls": calls})

    def disturb(
        self, name: str, kind: str, after: float = 0.0, lasts: float | None = None, times: int = 1
    ) -> None:
        """Order a fault for the next jobs whose name contains `name`.

        kind: lost (accepted, never known), duplicate (runs on two hosts), suspend_pending; and,
        `after` seconds of running: unknown, suspend (both for `lasts` seconds, None: for ever),
        vanish, host_exit, host_requeue, host_unknown (the host dies; what becomes of its jobs),
        kill (bkill by somebody); vanish_finished (forgotten when it ends).
        """
        fault = {"name": name, "kind": kind, "after": after, "lasts": lasts, "times": times}
        with self.locked(), self.faults() as faults:
            faults["jobs"].append(fault)

    def release(self, number: int) -> None:
        """Let a held job go (bresume)."""
        with self.locked():
            self.turn(self.job(number), "PEND")

    @contextmanager
    def faults(self) -> Iterator[dict]:
        """The orders, to read and change while the cluster is locked."""
        path = self.directory / "faults.json"
        faults = json.loads(path.read_text())
        yield faults
        self._write("faults.json", faults)

    def stop(self) -> None:
        """End all processes of all jobs and all supervisors."""
        for mark in (
            f"LSF_STANDIN_SUPERVISOR={self.directory}\0",
            f"LSF_STANDIN_RUN={self.directory}:",
        ):
            for process in processes(mark):
                _signal(process, signal.SIGKILL)

    # Files ------------------------------------------------------------------------------------

    def _path(self, number: int) -> Path:
        return self.directory / "jobs" / f"{number:06}.json"

    @staticmethod
    def _read(path: Path) -> Job:
        content = json.loads(path.read_text())
        return Job(**content | {"asked": Submission(**content["asked"])})

    def _write(self, name: str, content: object) -> None:
        path = self.directory / name
        beside = path.with_suffix(f".{os.getpid()}")
        beside.write_text(json.dumps(content, indent=1))
        beside.replace(path)


ROOT = Path(__file__).resolve().parents[1]
PROGRAM = """#!{python} -IS
import sys

sys.path.insert(0, {path!r})
from lsf.commands import main

main({directory!r})
"""


def mark_of(cluster: Cluster, job: Job) -> str:
    """What every process of this run of a job carries in its environment."""
    return f"{cluster.directory}:{job.id}:{job.run}"


def processes(mark: str) -> list[int]:
    """The processes whose environment holds this text, but for the asking one."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            environment = "\0" + (entry / "environ").read_bytes().decode(errors="replace")
        except OSError:  # ended, or somebody else's
            continue
        if "\0" + mark in environment:
            found.append(int(entry.name))
    return found


def signal_run(cluster: Cluster, job: Job, number: signal.Signals) -> None:
    """A signal to all processes of a job, as LSF's sbatchd sends it."""
    for process in processes(f"LSF_STANDIN_RUN={mark_of(cluster, job)}\0"):
        _signal(process, number)


def _signal(process: int, number: signal.Signals) -> None:
    try:
        os.kill(process, number)
    except ProcessLookupError:
        return


def _quoted(value: object) -> str:
    return '"{}"'.format(value.replace('"', '""')) if isinstance(value, str) else str(value)
