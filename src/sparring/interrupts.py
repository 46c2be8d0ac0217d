"""What ends a job in an orderly way: signals, its wall time, the loss of its lock.

A request to stop is remembered. Work asks for it where it can stop and be taken up again: training
after every step, other stages after every batch.
"""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

# SIGUSR2 is LSF's warning ahead of the wall time, SIGTERM what Slurm and people send.
_SIGNALS = (signal.SIGTERM, signal.SIGUSR2, signal.SIGINT)
_OWN = signal.SIGALRM  # the wall time, and what other threads of this process ask for
EXIT_STATUS = 75  # EX_TEMPFAIL of sysexits.h: running again goes on


class InterruptedRun(Exception):  # noqa: N818 - not an error: the run goes on later
    """The job was asked to stop; what it needs to go on is saved."""


class Interrupts:
    """Requests to stop that came to this process."""

    def __init__(self) -> None:
        self.received: str | None = None
        """Why to stop, or None."""
        self._deadline = ""

    def stop_after(self, seconds: float, reason: str) -> None:
        """Ask to stop when so much time has passed."""
        self._deadline = reason
        signal.setitimer(signal.ITIMER_REAL, max(seconds, 0.001))

    def request(self, reason: str) -> None:
        """Ask to stop, from any thread."""
        self.received = reason
        signal.pthread_kill(threading.main_thread().ident or 0, _OWN)

    def check(self) -> None:
        """Raise InterruptedRun if a request came."""
        if self.received:
            raise InterruptedRun(self.message)

    @property
    def message(self) -> str:
        """Why the job ends, in one line."""
        return f"{self.received}: stopped in good order, run again to go on"

    def remember(self, number: int, _: FrameType | None) -> None:
        """The signal handler."""
        if number != _OWN:
            self.received = f"{signal.Signals(number).name} came"
        elif not self.received:
            self.received = self._deadline


_active: Interrupts | None = None


@contextmanager
def interruptible() -> Iterator[Interrupts]:
    """Inside, signals are remembered instead of ending the process; may be nested."""
    global _active
    if _active is not None:
        yield _active
        return
    _active = Interrupts()
    previous = {n: signal.signal(n, _active.remember) for n in (*_SIGNALS, _OWN)}
    try:
        yield _active
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in previous.items():
            signal.signal(number, handler)
        _active = None


def check_interrupts() -> None:
    """A point where the present work can stop: raises InterruptedRun if it is asked to."""
    if _active is not None:
        _active.check()
