"""How often and how long a stage ran: one CSV row per attempt, kept over all of them."""

import csv
import os
import resource
import time
from datetime import datetime
from itertools import zip_longest
from pathlib import Path
from types import TracebackType

from ..interrupts import InterruptedRun
from .atomic import Superseded, explaining
from .lock import Holder
from .processes import Process

COLUMNS = (
    "started", "ended", "seconds", "outcome", "host", "job", "max_rss_mb", "device",
    "device_seconds", "work",
)  # fmt: skip
"""`device_seconds`: of the CPU those of all threads and processes, of GPUs wall time times their
number. `work`: the digest of settings and inputs."""

Row = dict[str, str]


def attempts_file(log: Path) -> Path:
    """Where the attempts of a stage stand: beside its log."""
    return log.with_suffix(".attempts.csv")


def read_attempts(log: Path) -> list[Row]:
    """The attempts of a stage, oldest first; none where there is no file.

    Rows of earlier versions have '' in the columns they lack. A row that a full disk has cut short
    is left out.
    """
    try:
        with open(attempts_file(log), newline="", encoding="utf-8") as file:
            head, *rows = csv.reader(file)
    except (OSError, ValueError, csv.Error):
        return []
    return [
        dict(zip_longest(COLUMNS, row[: len(COLUMNS)], fillvalue=""))
        for row in rows
        if len(row) >= len(head)
    ]


def attempts_of_outputs(rows: list[Row]) -> list[Row]:
    """The attempts that made the present outputs: the last that finished, and those before it that
    did not and were at the same work."""
    finished = [n for n, row in enumerate(rows) if row["outcome"] == "finished"]
    if not finished:
        return []
    first = finished[-2] + 1 if len(finished) > 1 else 0
    last = rows[finished[-1]]
    return [
        row
        for row in rows[first : finished[-1] + 1]
        if row["outcome"] != "already finished" and row["work"] == last["work"]
    ]


class Attempt:
    """Times what runs inside and appends a row when it ends."""

    def __init__(self, log: Path, device: str = "cpu", gpus: int = 1, work: str = "") -> None:
        self.path = attempts_file(log)
        self.outcome = "finished"
        self._device, self._gpus, self._work = device, gpus, work
        self._started, self._cpu_seconds = time.time(), _cpu_seconds()

    def __enter__(self) -> "Attempt":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        _: TracebackType | None,
    ) -> None:
        if isinstance(error, Superseded):
            self.outcome = "superseded"
        elif error is not None:
            self.outcome = "interrupted" if isinstance(error, InterruptedRun) else "failed"
        # Linux counts in kB.
        rss = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000)
        ended = time.time()
        cuda = self._device == "cuda"
        spent = self._gpus * (ended - self._started) if cuda else _cpu_seconds() - self._cpu_seconds
        more = rss, self._device, round(spent, 1), self._work
        self._append(self._started, ended, self.outcome, Process.own(), more)

    def record_death(self, holder: Holder) -> None:
        """The attempt of a dead holder of the lock ended at its last heartbeat, for all we know."""
        more = "", "", "", holder.digest
        self._append(holder.since, holder.time, "died", holder.process, more)

    def _append(
        self,
        started: float,
        ended: float,
        outcome: str,
        process: Process,
        more: tuple[object, ...],
    ) -> None:
        times = (_iso(started), _iso(ended), round(ended - started, 1))
        with explaining(self.path), open(self.path, "a", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            if file.tell() == 0:
                writer.writerow(COLUMNS)
            writer.writerow((*times, outcome, process.host, process.job, *more))


def _cpu_seconds() -> float:
    """Of this process with all its threads, and of its children that have ended."""
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds).isoformat(" ", "seconds")
