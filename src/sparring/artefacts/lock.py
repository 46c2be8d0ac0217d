"""One job at a time: a lock file with a heartbeat, for file systems that many machines share.

Two copies of a job can run at once: a scheduler starts one twice, or Snakemake is killed and
started again while its jobs go on. Locks of the operating system do not hold reliably between
machines, so the holder writes a heartbeat into a file; who finds it standing still, or its process
gone, takes the work over. What a holder that has lost its lock might still write is made harmless
by `Claim`: it wrote aside in folders that its successor renames away.
"""

import json
import logging
import os
import shutil
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from .atomic import Claim, Superseded, explaining, write_text
from .processes import Process
from .state_files import LOCK, WANTED

logger = logging.getLogger(__name__)
_BEATS = 6  # a holder is taken for dead after so many beats without a sign
_SIZE = 4096  # the file keeps its length, so that one write replaces all of it


@dataclass
class Holder:
    """Who holds a lock, and how far it is."""

    token: str
    process: Process
    digest: str
    """Of the settings and inputs of its work."""
    since: float
    """Seconds since 1970, by its own clock."""
    beat: int = 0
    time: float = 0.0
    """Of the last heartbeat."""
    note: dict[str, Any] = field(default_factory=dict)
    """Where its work stands."""

    def text(self) -> bytes:
        """What stands in the file."""
        return json.dumps(asdict(self)).encode().ljust(_SIZE)


def read_lock(directory: Path) -> Holder | None:
    """The holder that a state directory names, living or dead; None where there is none."""
    try:
        content = json.loads((directory / LOCK).read_text(encoding="utf-8"))
        return Holder(**content | {"process": Process(**content["process"])})
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, KeyError):
        return _unreadable(directory / LOCK)


def _unreadable(lock: Path) -> Holder | None:
    """Half-written by a machine that died, or by another version: its age decides."""
    try:
        written = lock.stat().st_mtime
    except FileNotFoundError:
        return None
    return Holder("unreadable", Process("an unknown host", 0, "", 0, ""), "", written, time=written)


class Lock:
    """The right to work in a state directory and to write its results."""

    def __init__(self, directory: Path, digest: str, timeout: float) -> None:
        """`timeout` in seconds: how long a heartbeat may stand still."""
        self._path, self._wanted = directory / LOCK, directory / WANTED
        self._timeout = timeout
        self._me = Holder(uuid.uuid4().hex[:12], Process.own(), digest, time.time())
        self._lost = threading.Event()
        self._done = threading.Event()

    @property
    def token(self) -> str:
        """Names this holder among all."""
        return self._me.token

    def note(self, note: dict[str, Any]) -> None:
        """Say where the work stands; the next heartbeat carries it."""
        self._me.note = note

    @property
    def held(self) -> bool:
        """Whether no other job is known to have taken over."""
        return not self._lost.is_set()

    def acquire(self, check: Callable[[], None]) -> Holder | None:
        """Wait until the lock is free or its holder dead; returns the dead holder, if any.

        `check` is called while waiting and may raise.
        """
        said, watched, since = None, None, time.monotonic()
        while not self._create():
            holder = read_lock(self._path.parent)
            if holder is None:
                continue
            sign = holder.token, holder.beat
            if sign != watched:
                watched, since = sign, time.monotonic()
            if holder.process.is_gone or time.monotonic() - since > self._timeout:
                if self._take_over(sign):
                    return holder
                continue
            if said != holder.token:
                said = holder.token
                self._ask_for_it(holder)
            check()
            time.sleep(min(1.0, self._timeout / _BEATS))
        return None

    @contextmanager
    def beating(self, lost: Callable[[str], None]) -> Iterator[None]:
        """Keep the lock alive inside; `lost(reason)` is called when another job has or wants it."""
        thread = threading.Thread(target=self._beat, args=(lost,), daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._done.set()
            thread.join()
            self._release()

    def _create(self) -> bool:
        """Create the file with all its content, unless it exists."""
        with explaining(self._path):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            aside = self._write_aside()
            try:
                os.link(aside, self._path)
            except FileExistsError:
                return False
            except OSError:  # no hard links here: who looks too early reads an unreadable lock
                return self._create_without_link()
            finally:
                aside.unlink()
        return True

    def _create_without_link(self) -> bool:
        try:
            with open(self._path, "xb") as file:
                file.write(self._me.text())
        except FileExistsError:
            return False
        return True

    def _write_aside(self) -> Path:
        aside = self._path.with_name(f"{LOCK}.{self.token}")
        self._me.time = time.time()
        aside.write_bytes(self._me.text())
        return aside

    def _take_over(self, sign: tuple[str, int]) -> bool:
        """Replace a dead holder's lock; False where somebody else was faster."""
        holder = read_lock(self._path.parent)
        if holder is None or (holder.token, holder.beat) != sign:
            return False
        os.replace(self._write_aside(), self._path)
        # Two may have come this far: the last one has it.
        time.sleep(min(0.5, self._timeout / _BEATS))
        now = read_lock(self._path.parent)
        return now is not None and now.token == self.token

    def _ask_for_it(self, holder: Holder) -> None:
        """Say that the lock is held; ask for it where the holder does outdated work."""
        outdated = holder.digest != self._me.digest
        if outdated:
            write_text(self._wanted, json.dumps({"of": holder.token, "by": self.token}))
        logger.info(
            "%s is held by %s, alive %.0f s ago; waiting for it to %s",
            self._path,
            holder.process.description,
            max(0.0, time.time() - holder.time),
            "stop: its settings or inputs are outdated" if outdated else "finish this same work",
        )

    def _beat(self, lost: Callable[[str], None]) -> None:
        asked = False
        while self.held and not self._done.wait(self._timeout / _BEATS):
            try:
                self._beat_once(lost)
                if self.held and not asked and self._is_wanted():
                    asked = True
                    lost("a job with newer settings or inputs waits")
            except OSError as error:  # a full quota or a file server that restarts
                logger.warning("%s: no heartbeat (%s)", self._path, error)

    def _beat_once(self, lost: Callable[[str], None]) -> None:
        with suppress(FileNotFoundError), open(self._path, "r+b", buffering=0) as file:
            # Opened first: should the lock be replaced now, the beat goes into the old file.
            now = read_lock(self._path.parent)
            if now is not None and now.token == self.token:
                self._me.beat += 1
                self._me.time = time.time()
                os.pwrite(file.fileno(), self._me.text(), 0)
                return
        now = read_lock(self._path.parent)
        self._lost.set()
        by = now.process.description if now else "somebody who removed it"
        lost(f"the lock {self._path} was taken over by {by}")

    def _is_wanted(self) -> bool:
        """Whether somebody who would do other work asks this very holder for the lock."""
        try:
            return json.loads(self._wanted.read_text(encoding="utf-8"))["of"] == self.token
        except (FileNotFoundError, ValueError, TypeError, KeyError):
            return False

    def _release(self) -> None:
        holder = read_lock(self._path.parent)
        if self.held and holder is not None and holder.token == self.token:
            self._wanted.unlink(missing_ok=True)
            self._path.unlink(missing_ok=True)


def claim_folders(lock: Lock, state: Path, results: Path) -> Claim:
    """Fresh folders to write aside in, after those of all earlier holders are renamed away.

    `state` is the stage's own directory; others may share its folder of results. Raises Superseded
    where the lock went to another job before this was done.
    """
    _require_held(lock, state)
    stage = state.name
    marks = {state: "aside-", results: f".aside-{stage}-"}
    for root, mark in marks.items():
        for old in (*root.glob(f"{mark}*"), *root.glob(f".gone-{stage}-*")):
            gone = old.with_name(f".gone-{stage}-{uuid.uuid4().hex[:12]}")
            with suppress(FileNotFoundError):  # its owner ends at this moment
                os.replace(old, gone)
            shutil.rmtree(gone, ignore_errors=True)
    folders = {root.absolute(): root / f"{mark}{lock.token}" for root, mark in marks.items()}
    for folder in folders.values():
        with explaining(folder):
            folder.mkdir(parents=True)
    _require_held(lock, state)
    return Claim(folders, lambda: lock.held)


def _require_held(lock: Lock, state: Path) -> None:
    holder = read_lock(state)
    if holder is not None and holder.token != lock.token:
        raise Superseded(f"{state / LOCK}: taken over by {holder.process.description}")
