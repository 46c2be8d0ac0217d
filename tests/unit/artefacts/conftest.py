"""Jobs in processes of their own that contend for one lock."""

import select
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).with_name("work_under_lock.py")
PATIENCE = 60.0  # seconds, for what must come; a sound lock never needs them


class Worker:
    """One process of work_under_lock.py."""

    def __init__(self, folder, digest="work", timeout=600.0, host="", how="always"):
        command = [sys.executable, str(PROGRAM), str(folder), digest, str(timeout), host, how]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
        )
        self.token = self.after = ""

    def says(self) -> str:
        """The next line, waited for."""
        assert not self.is_silent_for(PATIENCE), "the process says nothing"
        return self.process.stdout.readline().decode().strip()

    def is_silent_for(self, seconds) -> bool:
        return not select.select([self.process.stdout], [], [], seconds)[0]

    def holds(self) -> "Worker":
        """Wait until it has the lock."""
        word, self.token, _, self.after = self.says().split()
        assert word == "holding"
        return self

    def wrote(self) -> "Worker":
        """Wait until it has published its files, working `once`."""
        assert self.says() == "wrote"
        return self

    def end(self) -> str:
        """Let it end in good order; what it says last."""
        self.process.stdin.close()
        return self.last_word()

    def last_word(self) -> str:
        """Wait for its end."""
        lines = [self.says()]
        while line := self.says():
            lines.append(line)
        assert self.process.wait(PATIENCE) == 0
        return lines[-1]

    def signal(self, number) -> None:
        self.process.send_signal(number)


@pytest.fixture
def worker(tmp_path):
    """Starts workers in the test's folder; none outlives the test."""
    started = []

    def start(**keys) -> Worker:
        started.append(Worker(tmp_path, **keys))
        return started[-1]

    yield start
    for one in started:
        one.process.kill()
        one.process.wait()
        one.process.stdin.close()
        one.process.stdout.close()
