"""Which process on which machine: known to itself, and to others that ask whether it lives."""

import os
import platform
from dataclasses import dataclass
from pathlib import Path

_SCHEDULERS = {"LSB_JOBID": "LSF job", "SLURM_JOB_ID": "Slurm job"}


@dataclass(frozen=True)
class Process:
    """A process, and the scheduler's job that it belongs to."""

    host: str
    pid: int
    namespace: str
    """Of process numbers: every start of a machine and every container has its own."""
    started: int
    """Kernel ticks since boot: tells a process from a later one of the same number."""
    job: str
    """Such as `LSF job 1234`; empty outside a scheduler."""

    @classmethod
    def own(cls) -> "Process":
        """This process."""
        pid = os.getpid()
        return cls(platform.node(), pid, _namespace(), _started(pid) or 0, scheduler_job())

    @property
    def is_gone(self) -> bool:
        """True where it certainly runs no more; False also where it cannot be told from here."""
        if (self.host, self.namespace) != (platform.node(), _namespace()) or not self.namespace:
            return False
        return _started(self.pid) != self.started

    @property
    def description(self) -> str:
        """For messages."""
        process = f"process {self.pid} on {self.host}"
        return f"{self.job} ({process})" if self.job else process


def scheduler_job() -> str:
    """The scheduler's job that this process runs in; empty outside a scheduler."""
    found = [f"{name} {os.environ[key]}" for key, name in _SCHEDULERS.items() if key in os.environ]
    return found[0] if found else ""


def _namespace() -> str:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return ""


def _started(pid: int) -> int | None:
    """Start of a process in ticks since boot; None where it does not run (or is a zombie)."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else int(fields[19])
