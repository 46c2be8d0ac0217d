"""Of all copies of a job one works at a time, whatever dies, and one that lost writes nothing."""

import select
import signal

import pytest


def files(folder) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def contents(folder) -> list[str]:
    """The output's writer and the checkpoint's."""
    output = (folder / "results" / "output.txt").read_text()
    token = output[: len(output) // 2000]
    assert output == token * 2000
    return [token, (folder / "state" / "checkpoint.pt").read_text()]


def first_that_holds(workers):
    """The one that got the lock; the others say nothing meanwhile."""
    streams = {one.process.stdout: one for one in workers}
    ready = select.select(list(streams), [], [], 60)[0]
    assert len(ready) == 1
    return streams[ready[0]].holds()


def test_of_several_processes_one_works_at_a_time_and_each_in_turn(worker, tmp_path):
    waiting = [worker(timeout=3.0) for _ in range(4)]
    while waiting:
        holder = first_that_holds(waiting)
        assert holder.after == "nobody"
        waiting.remove(holder)
        assert not select.select([w.process.stdout for w in waiting], [], [], 1.0)[0]
        assert holder.end() == "ended"
    assert files(tmp_path) == ["results/output.txt", "state/checkpoint.pt"]


@pytest.mark.parametrize("reaped", [True, False], ids=["gone", "zombie"])
def test_a_killed_holder_on_this_machine_is_followed_without_waiting(worker, tmp_path, reaped):
    """Long before its heartbeat could be missed."""
    killed = worker().holds()
    successor = worker(how="once")
    assert successor.is_silent_for(1.0)
    killed.signal(signal.SIGKILL)
    if reaped:
        killed.process.wait()
    assert successor.holds().wrote().after == killed.token
    assert successor.end() == "ended"
    assert contents(tmp_path) == [successor.token] * 2
    assert files(tmp_path) == ["results/output.txt", "state/checkpoint.pt"]


def test_a_silent_holder_elsewhere_is_followed_after_the_timeout_and_no_living_one(worker):
    far = worker(host="elsewhere", timeout=2.0).holds()
    successor = worker(timeout=2.0)
    assert successor.is_silent_for(4.0)
    far.signal(signal.SIGKILL)
    far.process.wait()
    assert successor.holds().after == far.token


@pytest.mark.parametrize("attempt", range(3))
def test_a_stopped_holder_that_wakes_up_writes_nothing(worker, tmp_path, attempt):
    """A frozen node, or a suspended job; it may stand anywhere in its work."""
    old = worker(host="elsewhere", timeout=1.0).holds()
    assert old.is_silent_for(0.2 + 0.013 * attempt)
    old.signal(signal.SIGSTOP)
    new = worker(timeout=1.0, how="once").holds().wrote()
    assert new.after == old.token
    published = tmp_path / "results" / "output.txt", tmp_path / "state" / "checkpoint.pt"
    before = [path.stat() for path in published]
    old.signal(signal.SIGCONT)
    assert old.last_word() == "Superseded"
    assert [path.stat() for path in published] == before
    assert contents(tmp_path) == [new.token] * 2
    assert new.end() == "ended"
    assert files(tmp_path) == ["results/output.txt", "state/checkpoint.pt"]


def test_a_stopped_holder_that_wakes_up_hears_that_it_lost(worker):
    old = worker(host="elsewhere", timeout=1.0, how="once").holds().wrote()
    old.signal(signal.SIGSTOP)
    worker(timeout=1.0).holds()
    old.signal(signal.SIGCONT)
    assert "was taken over by process" in old.says()
    assert old.end() == "ended"


def test_of_several_that_follow_a_dead_holder_at_once_one_wins(worker):
    dead = worker(host="elsewhere", timeout=1.5).holds()
    rivals = [worker(timeout=1.5) for _ in range(3)]
    assert all(rival.is_silent_for(0.5) for rival in rivals)
    dead.signal(signal.SIGKILL)
    winner = first_that_holds(rivals)
    assert winner.after == dead.token
    rivals.remove(winner)
    assert not select.select([r.process.stdout for r in rivals], [], [], 3.0)[0]
    assert winner.end() == "ended"
    assert first_that_holds(rivals).after == "nobody"


def test_a_holder_of_outdated_work_is_asked_to_stop(worker):
    """Its job was planned before the configuration was edited."""
    holder = worker(digest="old", timeout=3.0).holds()
    worker(digest="new", timeout=3.0)
    assert holder.says() == "lost a job with newer settings or inputs waits"
    assert holder.is_silent_for(1.0)  # once is enough


def test_a_holder_of_the_same_work_may_finish_it(worker):
    holder = worker(timeout=3.0).holds()
    worker(timeout=3.0)
    assert holder.is_silent_for(2.0)


def test_a_waiting_job_can_be_stopped_and_leaves_the_holder_alone(worker):
    holder = worker(timeout=3.0).holds()
    waiting = worker(timeout=3.0)
    assert waiting.is_silent_for(1.0)
    waiting.signal(signal.SIGTERM)
    assert waiting.last_word() == "InterruptedRun"
    assert holder.is_silent_for(1.0)
    assert holder.end() == "ended"
