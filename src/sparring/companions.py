"""The other processes of a job: started, watched and ended by the main one."""

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from tempfile import TemporaryFile
from typing import TYPE_CHECKING

from .errors import UserError

if TYPE_CHECKING:  # a job of one process starts without torch
    from torch.distributed import TCPStore

logger = logging.getLogger(__name__)

RANK, PORT = "SPARRING_RANK", "SPARRING_PORT"
"""Variables that tell a process its number and where the main one listens."""
PATIENCE_SECONDS = 10.0
_LEFT_TO_MAIN = (signal.SIGTERM, signal.SIGUSR2, signal.SIGINT, signal.SIGALRM)


class Others:
    """The processes that the main one starts, watches and ends."""

    def __init__(self, count: int, port: int) -> None:
        self._count = count
        self._messages = [TemporaryFile() for _ in range(1, count)]  # noqa: SIM115 - read later
        # Schedulers and terminals signal every process of a job, but the main one decides.
        # A new process inherits what is blocked, so there is no moment at which it would end.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _LEFT_TO_MAIN)
        try:
            self._processes = [self._start(rank, port) for rank in range(1, count)]
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        self._ended = threading.Event()
        threading.Thread(target=self._watch, daemon=True).start()

    def loss(self) -> str | None:
        """What a process that failed has met, in one line; None while there is none."""
        for rank, process in enumerate(self._processes, start=1):
            status = process.poll()
            if status:
                by = f"was killed by {signal.Signals(-status).name}" if status < 0 else "failed"
                said = self._last_line(rank)
                return (
                    f"process {rank + 1} of {self._count} {by}{': ' if said else ''}{said}; the "
                    "job stops, run again to go on from the last saved state"
                )
        return None

    def wait_for(self, store: "TCPStore") -> None:
        """Until all are ready to join; UserError where one fails before."""
        names = [f"ready/{rank}" for rank in range(1, self._count)]
        while not store.check(names):
            if loss := self.loss():
                raise UserError(loss)
            time.sleep(0.05)

    def end(self) -> None:
        """End all that still run: they hold nothing that would be lost."""
        self._ended.set()
        for process in self._processes:
            process.kill()
            process.wait()

    def _start(self, rank: int, port: int) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            [sys.executable, *sys.orig_argv[1:]],
            env=os.environ | {RANK: str(rank), PORT: str(port)},
            stdin=subprocess.PIPE,  # closes when the main process ends
            stdout=self._messages[rank - 1],
            stderr=subprocess.STDOUT,
        )

    def _last_line(self, rank: int) -> str:
        text = os.pread(self._messages[rank - 1].fileno(), 2**20, 0).decode(errors="replace")
        return text.strip().rpartition("\n")[2]

    def _watch(self) -> None:
        """Do not let the main process wait for ever, as NCCL may, for one that is lost."""
        while not self._ended.wait(1.0):
            loss = self.loss()
            if loss and not self._ended.wait(2 * PATIENCE_SECONDS):
                logger.error(loss)
                os._exit(2)


def end_with_parent() -> None:
    """End when the other end of standard input closes, as it does however the parent ends."""

    def wait() -> None:
        os.read(0, 1)
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()
