"""A job that takes a lock and publishes files under it, in a process of its own.

    python work_under_lock.py FOLDER DIGEST TIMEOUT HOST {once|always}

Says `holding TOKEN after TOKEN` (of a dead holder, else `nobody`), `lost REASON` and how it ended;
ends in good order when its standard input does.
"""

import os
import platform
import sys
import threading
from pathlib import Path

from sparring.artefacts.atomic import Superseded, claiming, write_text
from sparring.artefacts.lock import Lock, claim_folders
from sparring.interrupts import InterruptedRun, Interrupts, interruptible


def say(*words: str) -> None:
    """One line, at once."""
    os.write(1, (" ".join(words) + "\n").encode())


def work(lock: Lock, state: Path, results: Path, interrupts: Interrupts, once: bool) -> None:
    """Publish an output and a checkpoint, once or until told to end."""
    told = threading.Event()
    threading.Thread(target=lambda: (os.read(0, 1), told.set()), daemon=True).start()
    while not told.is_set():
        write_text(results / "output.txt", lock.token * 2000)
        write_text(state / "checkpoint.pt", lock.token)
        interrupts.check()
        if once:
            say("wrote")
            told.wait()


def main(folder: Path, digest: str, timeout: float, host: str, once: bool) -> None:
    """Wait for the lock, then work."""
    if host:
        platform.node = lambda: host
    state, results = folder / "state", folder / "results"
    lock = Lock(state, digest, timeout)
    with interruptible() as interrupts:
        dead = lock.acquire(interrupts.check)
        say("holding", lock.token, "after", dead.token if dead else "nobody")
        beating = lock.beating(lambda reason: say("lost", reason))
        with beating, claiming(claim_folders(lock, state, results)):
            work(lock, state, results, interrupts, once)


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]), sys.argv[2], float(sys.argv[3]), sys.argv[4], sys.argv[5] == "once")
        say("ended")
    except (Superseded, InterruptedRun) as error:
        say(type(error).__name__)
