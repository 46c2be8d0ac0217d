"""Requests to stop are remembered, whoever makes them, and met where the work can stop."""

import os
import signal
import threading
import time

import pytest

from sparring.interrupts import EXIT_STATUS, InterruptedRun, check_interrupts, interruptible
from sparring.progress import progress

SIGNALS = [signal.SIGTERM, signal.SIGUSR2, signal.SIGINT]


def send(number) -> None:
    os.kill(os.getpid(), number)


def wait_for(interrupts) -> None:
    deadline = time.monotonic() + 30
    while interrupts.received is None:
        assert time.monotonic() < deadline, "no request came"
        time.sleep(0.01)


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_is_remembered_and_met_later(number):
    with interruptible() as interrupts:
        check_interrupts()
        send(number)
        with pytest.raises(InterruptedRun) as caught:
            check_interrupts()
        with pytest.raises(InterruptedRun):
            interrupts.check()
    message = str(caught.value)
    assert message.startswith(f"{number.name} came: stopped in good order, run again to go on")


def test_what_was_there_before_comes_back():
    everything = [*SIGNALS, signal.SIGALRM]
    before = [signal.getsignal(number) for number in everything]
    with interruptible():
        assert all(signal.getsignal(n) not in before for n in everything)
    assert [signal.getsignal(number) for number in everything] == before


def test_a_request_does_not_outlive_the_block():
    with interruptible():
        send(signal.SIGTERM)
    check_interrupts()
    with interruptible():
        check_interrupts()


def test_outside_nothing_is_asked_for():
    check_interrupts()


def test_blocks_may_be_nested_and_share_their_requests():
    with interruptible() as outer:
        with interruptible() as inner:
            assert inner is outer
            send(signal.SIGTERM)
        assert signal.getsignal(signal.SIGTERM) == outer.remember
        with pytest.raises(InterruptedRun):
            check_interrupts()


def test_an_error_inside_restores_the_handlers_too():
    before = signal.getsignal(signal.SIGTERM)

    def fail() -> None:
        with interruptible():
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert signal.getsignal(signal.SIGTERM) is before
    check_interrupts()


def test_a_deadline_asks_to_stop_with_its_reason():
    with interruptible() as interrupts:
        interrupts.stop_after(0.05, "the wall time is near")
        check_interrupts()
        wait_for(interrupts)
        with pytest.raises(InterruptedRun, match="the wall time is near: stopped in good order"):
            check_interrupts()


@pytest.mark.parametrize("seconds", [0.0, -60.0])
def test_a_deadline_that_has_passed_asks_at_once(seconds):
    """A margin longer than the wall time."""
    with interruptible() as interrupts:
        interrupts.stop_after(seconds, "too late")
        wait_for(interrupts)
        assert interrupts.received == "too late"


def test_a_deadline_does_not_outlive_the_block():
    with interruptible() as interrupts:
        interrupts.stop_after(0.2, "the wall time is near")
    time.sleep(0.3)  # the default of SIGALRM would end this process
    check_interrupts()


def test_any_thread_may_ask():
    with interruptible() as interrupts:
        thread = threading.Thread(target=interrupts.request, args=("the lock was lost",))
        thread.start()
        thread.join()
        with pytest.raises(InterruptedRun, match="the lock was lost"):
            check_interrupts()


def test_a_request_is_not_forgotten_for_a_deadline_that_comes_later():
    with interruptible() as interrupts:
        interrupts.request("the lock was lost")
        interrupts.stop_after(0.001, "the wall time is near")
        time.sleep(0.05)
        assert interrupts.received == "the lock was lost"


def test_progress_stops_between_items_and_never_within_one():
    begun, ended = [], []

    def work() -> None:
        for item in progress(range(10), "working", 10):
            begun.append(item)
            if item == 3:
                send(signal.SIGTERM)
            ended.append(item)

    with interruptible(), pytest.raises(InterruptedRun):
        work()
    assert begun == ended == [0, 1, 2, 3]


def test_the_exit_status_says_that_trying_again_helps():
    assert EXIT_STATUS == os.EX_TEMPFAIL
