"""Every fault of the LSF stand-in does what it is called."""

import time
from pathlib import Path

import pytest
from lsf.calls import call, lines, status, submit, until, wait
from lsf.cluster import ENDED


@pytest.mark.parametrize("program", ["bsub", "bjobs", "bkill", "badmin", "lsclusters", "bqueues"])
def test_a_command_fails_as_often_as_ordered(cluster, program):
    number = submit(cluster, "sleep 30", "-J", "x")
    arguments = {"bsub": ["true"], "badmin": ["showconf", "mbd"], "bkill": [str(number)]}
    cluster.break_command(program, "down", calls=2)
    for _ in range(2):
        done = call(cluster, program, *arguments.get(program, []))
        assert (done.returncode, done.stdout) == (255, "")
        assert done.stderr == "LSF is down. Please wait ...\n"
    assert len(cluster.jobs()) == 1
    assert call(cluster, program, *arguments.get(program, [])).returncode == 0


def test_a_command_fails_until_a_time(cluster):
    cluster.break_command("bqueues", "timeout", seconds=0.5)
    assert "Communication timeout" in call(cluster, "bqueues").stderr
    wait(lambda: call(cluster, "bqueues").returncode == 0)


def test_empty_and_hanging_answers(cluster):
    cluster.break_command("bqueues", "empty")
    done = call(cluster, "bqueues")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    cluster.break_command("bqueues", "hang", seconds=0.4)
    began = time.monotonic()
    assert "gpu" in call(cluster, "bqueues").stdout
    assert time.monotonic() - began >= 0.4


@pytest.mark.parametrize(("how", "code"), [("after", 255), ("silent", 0)])
def test_bsub_may_accept_without_saying_so(cluster, how, code):
    cluster.break_command("bsub", how)
    done = call(cluster, "bsub", "true")
    assert (done.returncode, done.stdout) == (code, "")
    assert len(cluster.jobs()) == 1


def test_lost(cluster):
    cluster.disturb("x", "lost")
    number = submit(cluster, "touch ran", "-J", "x")
    time.sleep(0.3)
    assert status(cluster, number) is None
    assert not (cluster.directory / "ran").exists()
    until(cluster, submit(cluster, "true", "-J", "x"), "DONE")  # ordered once


def test_unknown_for_a_while_hides_the_end(cluster):
    cluster.disturb("x", "unknown", lasts=0.6)
    number = submit(cluster, "touch ran; sleep 0.2", "-J", "x")
    until(cluster, number, "UNKWN")
    wait(lambda: (cluster.directory / "ran").exists())
    time.sleep(0.3)
    assert status(cluster, number) == "UNKWN"
    until(cluster, number, "DONE")


def test_unknown_for_ever_takes_force_to_remove(cluster):
    cluster.disturb("x", "unknown")
    number = submit(cluster, "while :; do date +%s%N > alive; sleep 0.05; done", "-J", "x")
    until(cluster, number, "UNKWN")
    call(cluster, "bkill", str(number))
    until(cluster, number, "ZOMBI")
    call(cluster, "bkill", "-r", str(number))
    until(cluster, number, "EXIT")
    time.sleep(0.2)
    before = lines(cluster.directory / "alive")
    time.sleep(0.3)
    assert lines(cluster.directory / "alive") != before  # out of reach, it runs on


@pytest.mark.parametrize("kind", ["vanish", "vanish_finished"])
def test_vanishing_leaves_no_trace_of_the_end(cluster, kind):
    cluster.disturb("x", kind)
    number = submit(cluster, "sleep 0.3; touch ran", "-J", "x")
    wait(lambda: (cluster.directory / "ran").exists())
    wait(lambda: status(cluster, number) is None)
    assert [line.split()[4] for line in lines(cluster.events)[1:]] == ["4"]


def test_duplicate_runs_twice_at_once(cluster):
    cluster.disturb("x", "duplicate")
    number = submit(cluster, "echo $LSB_JOBID >> starts; sleep 0.5", "-J", "x")
    wait(lambda: len(lines(cluster.directory / "starts")) == 2)
    assert lines(cluster.directory / "starts") == [str(number)] * 2


@pytest.mark.parametrize(
    ("kind", "state"), [("host_exit", "EXIT"), ("host_requeue", "RUN"), ("host_unknown", "UNKWN")]
)
def test_a_node_dies_with_all_its_processes(cluster, kind, state):
    cluster.disturb("x", kind, after=0.3)
    alive = "while :; do echo $LSB_HOSTS $$ >> starts; sleep 0.05; done"
    number = submit(cluster, alive, "-J", "x", "-m", "node1 node2")
    wait(lambda: lines(cluster.directory / "starts"))
    process = lines(cluster.directory / "starts")[0].split()[1]
    wait(lambda: not Path(f"/proc/{process}").exists())
    job = until(cluster, number, state)
    assert job.host == {"EXIT": None, "RUN": "node2", "UNKWN": "node1"}[state]
    other = until(cluster, submit(cluster, "sleep 30"), "RUN")
    assert other.host == "node2"


def test_suspended_jobs_stand_still(cluster):
    cluster.disturb("x", "suspend", lasts=0.5)
    number = submit(cluster, "while :; do date +%s%N > alive; sleep 0.02; done", "-J", "x")
    until(cluster, number, "USUSP")
    time.sleep(0.1)
    before = lines(cluster.directory / "alive")
    time.sleep(0.2)
    assert lines(cluster.directory / "alive") == before
    until(cluster, number, "RUN")
    wait(lambda: lines(cluster.directory / "alive") != before)


def test_held_jobs_wait_until_released(cluster):
    cluster.disturb("x", "suspend_pending")
    number = submit(cluster, "true", "-J", "x")
    time.sleep(0.2)
    assert status(cluster, number) == "PSUSP"
    cluster.release(number)
    until(cluster, number, "DONE")


def test_somebody_kills(cluster):
    cluster.disturb("x", "kill", after=0.1)
    number = submit(cluster, "sleep 30", "-J", "x")
    assert until(cluster, number, *ENDED).exit_code == 130
