"""Signals that end a job in an orderly way."""

import signal
from types import FrameType
from typing import Any

# SIGUSR2 is LSF's warning ahead of the wall time, SIGTERM what Slurm and people send.
_SIGNALS = (signal.SIGTERM, signal.SIGUSR2, signal.SIGINT)
EXIT_STATUS = 75  # EX_TEMPFAIL of sysexits.h: running again goes on


class InterruptedRun(Exception):  # noqa: N818 - not an error: the run goes on later
    """The job was asked to stop and has saved its state."""


class Interrupts:
    """While active, remembers that a signal came; the loop asks after every step."""

    def __init__(self) -> None:
        self.received: str | None = None
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> "Interrupts":
        for number in _SIGNALS:
            self._previous[number] = signal.signal(number, self._remember)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _remember(self, number: int, _: FrameType | None) -> None:
        self.received = signal.Signals(number).name
