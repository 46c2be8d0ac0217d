"""The lock file: who holds it, how it beats, and what damage to it does."""

import errno
import json
import os
import threading
import time
from dataclasses import replace

import pytest

from sparring.artefacts import lock as module
from sparring.artefacts.lock import Holder, Lock, read_lock
from sparring.artefacts.processes import Process
from sparring.errors import UserError
from sparring.interrupts import InterruptedRun

SOON = 0.6  # seconds: a heartbeat every tenth of a second


def never() -> None:
    """Nobody interrupts."""


def taken(folder, digest="work", timeout=SOON) -> Lock:
    lock = Lock(folder, digest, timeout)
    assert lock.acquire(never) is None
    return lock


def wait_until(condition) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "it does not come"
        time.sleep(0.01)


def names(folder) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


class Told:
    """Remembers why a holder was asked to stop."""

    def __init__(self) -> None:
        self.reasons: list[str] = []
        self._event = threading.Event()

    def __call__(self, reason: str) -> None:
        self.reasons.append(reason)
        self._event.set()

    def wait(self) -> str:
        assert self._event.wait(30)
        return self.reasons[0]


def test_the_file_names_its_holder_and_goes_when_it_ends(tmp_path):
    state = tmp_path / "a" / "state"
    lock = taken(state)
    holder = read_lock(state)
    assert (holder.token, holder.digest, holder.process.pid) == (lock.token, "work", os.getpid())
    assert not holder.process.is_gone
    with lock.beating(Told()):
        assert names(state) == ["lock"]
    assert read_lock(state) is None
    assert names(state) == []


def test_no_two_locks_have_one_token(tmp_path):
    assert len({Lock(tmp_path, "work", SOON).token for _ in range(100)}) == 100


def test_the_heartbeat_carries_notes(tmp_path):
    lock = taken(tmp_path)
    with lock.beating(Told()):
        for done in (1, 2):
            lock.note({"done": done})
            wait_until(lambda wanted=done: read_lock(tmp_path).note == {"done": wanted})
        first = read_lock(tmp_path)
        wait_until(lambda: read_lock(tmp_path).beat > first.beat)
        assert read_lock(tmp_path).time > first.time
        assert read_lock(tmp_path).since == first.since


def test_a_short_note_after_a_long_one_leaves_no_rest_of_it(tmp_path):
    lock = taken(tmp_path)
    with lock.beating(Told()):
        for note in ({"text": "x" * 1000}, {"text": "y"}):
            lock.note(note)
            wait_until(lambda wanted=note: read_lock(tmp_path).note == wanted)


def test_a_waiting_job_stops_when_it_is_asked_to(tmp_path):
    holder, waiting = taken(tmp_path, timeout=60.0), Lock(tmp_path, "work", 60.0)

    def stop() -> None:
        raise InterruptedRun("asked to")

    with pytest.raises(InterruptedRun):
        waiting.acquire(stop)
    assert read_lock(tmp_path).token == holder.token
    assert names(tmp_path) == ["lock"]


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"token": "x", "pid": 3}', b" " * 4096],
)
def test_a_lock_that_cannot_be_read_is_taken_over_when_it_stands_still(tmp_path, content):
    """A machine died while it wrote, or another version did."""
    (tmp_path / "lock").write_bytes(content)
    assert not read_lock(tmp_path).process.is_gone
    lock = Lock(tmp_path, "work", SOON)
    looks = []
    dead = lock.acquire(lambda: looks.append(read_lock(tmp_path).token))
    assert dead is not None
    assert dead.token not in ("", lock.token)
    assert set(looks) == {dead.token}  # it was waited for
    assert read_lock(tmp_path).token == lock.token
    assert lock.held


def test_of_two_that_follow_a_dead_holder_the_later_one_has_the_lock(tmp_path, monkeypatch):
    """Both found it dead; the rival wrote its own lock just after this one did."""
    own = Process.own()
    (tmp_path / "lock").write_bytes(Holder("dead", replace(own, started=1), "work", 0.0).text())
    plain = os.replace

    def replace_and_be_replaced(source, target):
        plain(source, target)
        (tmp_path / "lock").write_bytes(Holder("rival", own, "work", 0.0).text())

    def stop() -> None:
        raise InterruptedRun("it waits for the rival")

    monkeypatch.setattr(os, "replace", replace_and_be_replaced)
    with pytest.raises(InterruptedRun):
        Lock(tmp_path, "work", 600.0).acquire(stop)
    assert read_lock(tmp_path).token == "rival"


def test_a_holder_whose_lock_file_is_removed_stops(tmp_path):
    lock, told = taken(tmp_path), Told()
    with lock.beating(told):
        (tmp_path / "lock").unlink()
        assert "was taken over by somebody who removed it" in told.wait()
        assert not lock.held
    assert names(tmp_path) == []


def test_a_lock_file_removed_before_the_first_heartbeat_stops_its_holder_too(tmp_path):
    lock, told = taken(tmp_path), Told()
    (tmp_path / "lock").unlink()
    with lock.beating(told):
        told.wait()
        assert not lock.held


def test_a_holder_removes_only_its_own_lock(tmp_path):
    """The successor's lock is there though the old holder has not noticed yet."""
    lock = taken(tmp_path, timeout=600.0)
    with lock.beating(Told()):
        (tmp_path / "lock").unlink()
        successor = taken(tmp_path)
    assert lock.held
    assert read_lock(tmp_path).token == successor.token


def test_a_holder_that_lost_does_not_beat_into_its_successor_s_lock(tmp_path):
    lock, told = taken(tmp_path), Told()
    with lock.beating(told):
        (tmp_path / "lock").unlink()
        successor = taken(tmp_path)
        before = (tmp_path / "lock").read_bytes()
        assert f"process {os.getpid()}" in told.wait()
    assert (tmp_path / "lock").read_bytes() == before
    assert read_lock(tmp_path).token == successor.token


@pytest.fixture
def no_hard_links(monkeypatch):
    def refuse(*_, **__):
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)


@pytest.mark.usefixtures("no_hard_links")
def test_without_hard_links_one_holds_the_lock_too(tmp_path):
    lock = taken(tmp_path, timeout=60.0)

    def stop() -> None:
        raise InterruptedRun("waiting")

    with pytest.raises(InterruptedRun):
        Lock(tmp_path, "work", 60.0).acquire(stop)
    with lock.beating(Told()):
        assert names(tmp_path) == ["lock"]
    taken(tmp_path)


def test_a_file_server_that_restarts_costs_heartbeats_but_not_the_lock(tmp_path, monkeypatch):
    plain, failures = os.pwrite, []

    def flaky(*arguments):
        if len(failures) < 3:
            failures.append(arguments)
            raise OSError(errno.EIO, "Input/output error")
        return plain(*arguments)

    monkeypatch.setattr(module.os, "pwrite", flaky)
    lock, told = taken(tmp_path), Told()
    with lock.beating(told):
        written = read_lock(tmp_path).beat
        wait_until(lambda: read_lock(tmp_path).beat > written)
    assert len(failures) == 3
    assert told.reasons == []
    assert lock.held


@pytest.mark.parametrize("content", ["", "{", "[]", "{}"])
def test_a_damaged_request_for_the_lock_does_not_end_the_heartbeat(tmp_path, content):
    lock, told = taken(tmp_path), Told()
    (tmp_path / "lock.wanted").write_text(content)
    with lock.beating(told):
        beat = read_lock(tmp_path).beat
        wait_until(lambda: read_lock(tmp_path).beat >= beat + 3)
    assert told.reasons == []


def request(folder, holder) -> None:
    (folder / "lock.wanted").write_text(json.dumps({"of": holder, "by": "somebody"}))


def test_a_request_to_an_earlier_holder_does_not_stop_a_new_one(tmp_path):
    request(tmp_path, "an earlier holder")
    lock, told = taken(tmp_path), Told()
    with lock.beating(told):
        beat = read_lock(tmp_path).beat
        wait_until(lambda: read_lock(tmp_path).beat >= beat + 3)
    assert told.reasons == []
    assert names(tmp_path) == []


def test_a_request_made_while_the_lock_is_being_taken_is_heard(tmp_path, monkeypatch):
    """It is made once only; unheard, the newer work would wait for the end of the outdated."""
    plain = os.link

    def link(source, target):
        plain(source, target)
        request(tmp_path, read_lock(tmp_path).token)

    monkeypatch.setattr(os, "link", link)
    lock, told = taken(tmp_path), Told()
    with lock.beating(told):
        assert told.wait() == "a job with newer settings or inputs waits"
    assert lock.held


def test_a_state_directory_that_cannot_be_made_is_one_clear_line(tmp_path):
    (tmp_path / "state").write_text("a file")
    with pytest.raises(UserError, match="part of its path is a file"):
        taken(tmp_path / "state" / "stage")
