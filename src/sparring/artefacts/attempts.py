"""How often and how long a stage ran: one CSV row per attempt, kept over all of them."""

import csv
import resource
import time
from datetime import datetime
from pathlib import Path
from types import TracebackType

from ..interrupts import InterruptedRun
from .atomic import Superseded, explaining
from .lock import Holder
from .processes import Process

COLUMNS = ("started", "ended", "seconds", "outcome", "host", "job", "max_rss_mb")


def attempts_file(log: Path) -> Path:
    """Where the attempts of a stage stand: beside its log."""
    return log.with_suffix(".attempts.csv")


class Attempt:
    """Times what runs inside and appends a row when it ends."""

    def __init__(self, log: Path) -> None:
        self.path = attempts_file(log)
        self.outcome = "finished"
        self._started = time.time()

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
        rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
        self._append(self._started, time.time(), self.outcome, Process.own(), round(rss))

    def record_death(self, holder: Holder) -> None:
        """The attempt of a dead holder of the lock ended at its last heartbeat, for all we know."""
        self._append(holder.since, holder.time, "died", holder.process, "")

    def _append(
        self, started: float, ended: float, outcome: str, process: Process, rss: object
    ) -> None:
        times = (_iso(started), _iso(ended), round(ended - started, 1))
        with explaining(self.path), open(self.path, "a", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            if file.tell() == 0:
                writer.writerow(COLUMNS)
            writer.writerow((*times, outcome, process.host, process.job, rss))


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds).isoformat(" ", "seconds")
