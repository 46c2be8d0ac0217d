"""The LSF stand-in itself: options, refusals, states, limits and every fault."""

import os
import re
import subprocess
import time
from pathlib import Path

import pytest
from lsf.cluster import CONFIG, ENDED, Cluster
from lsf.submission import RefusedError, parse

NODE = {"slots": 4, "memory": 1000, "gpus": 2}


@pytest.fixture
def cluster(tmp_path):
    """Two nodes, and minutes of half a second."""
    cluster = Cluster.create(
        tmp_path / "cluster",
        hosts={"node1": NODE, "node2": NODE},
        seconds_per_minute=0.5,
        grace_minutes=1,
        terminate_interval=0.2,
        groups=["lab"],
        closed_projects=["closed"],
    )
    yield cluster
    cluster.stop()


def call(cluster, program, *arguments):
    """Run one of the cluster's programs."""
    return subprocess.run(
        [cluster.bin / program, *arguments],
        capture_output=True,
        text=True,
        cwd=cluster.directory,
        env=os.environ | cluster.environment(),
    )


def submit(cluster, command, *options):
    """The id of an accepted job."""
    done = call(cluster, "bsub", *options, command)
    assert done.returncode == 0, done.stderr
    return int(re.match(r"Job <(\d+)> is submitted to ", done.stdout)[1])


def status(cluster, number):
    """What bjobs says of a job; None when it does not know it."""
    done = call(cluster, "bjobs", "-noheader", "-o", "jobid stat", str(number))
    return done.stdout.split()[1] if done.returncode == 0 else None


def wait(condition, seconds=10.0):
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return found


def until(cluster, number, *states):
    """The job once it is in one of these states."""

    def job():
        with cluster.locked():
            found = cluster.job(number)
        return found if found.state in states else None

    return wait(job)


def lines(path):
    return path.read_text().splitlines() if path.exists() else []


# Options --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["-q", "nowhere", "true"], "nowhere: No such queue. Job not submitted."),
        (["-zz", "true"], "illegal option -- zz"),
        (["-q"], "option requires an argument -- q"),
        ([], "No command is specified."),
        (["-n", "0", "true"], "Bad argument for option -n."),
        (["-n", "two", "true"], "Bad argument for option -n."),
        (["-q", "short", "-n", "3", "true"], "Too many processors requested."),
        (["-W", "soon", "true"], "soon: Bad RUNLIMIT specification."),
        (["-W", "1:75", "true"], "Bad RUNLIMIT specification."),
        (["-q", "short", "-W", "61", "true"], "RUNLIMIT: Cannot exceed queue's hard limit(s)."),
        (["-M", "much", "true"], "Bad MEMLIMIT specification."),
        (["-R", "rusage[mem=4G=5]", "true"], "Error in rusage section."),
        (["-R", "rusage[memory=4]", "true"], "Error in rusage section."),
        (["-R", "usage[mem=4]", "true"], "Bad resource requirement syntax."),
        (["-R", "rusage[mem=4", "true"], "Bad resource requirement syntax."),
        (["-R", "rusage[mem=4] rusage[mem=5]", "true"], "duplicate section"),
        (["-R", "span[host=1]", "true"], "Error in span section."),
        (["-R", "select[a & b]", "true"], "'&' cannot be used"),
        (["-gpu", "number=1", "true"], "Bad argument for option -gpu"),
        (["-gpu", "num=0", "true"], "Bad argument for option -gpu"),
        (["-gpu", "num=1:mode=exclusive", "true"], "Bad argument for option -gpu"),
        (["-J", "array[1-3]", "true"], "Bad job name."),
        (["-m", "node9", "true"], "Bad host name, host group name or cluster name."),
        (["-app", "nothing", "true"], "nothing: No such application profile."),
        (["-G", "strangers", "true"], "No such user/host group."),
        (["-P", "closed", "true"], "Request aborted by esub."),
    ],
)
def test_refused_with_lsf_s_words(cluster, arguments, words):
    done = call(cluster, "bsub", *arguments)
    assert done.returncode == 255
    assert words in done.stderr
    assert done.stdout == ""
    assert cluster.jobs() == []


def test_options_are_understood():
    arguments = ["-J", "name", "-P", "mine", "-q", "gpu", "-W", "1:30", "-n", "2,4"]
    arguments += ["-R", "rusage[mem=1333.25,tmp=5]", "-R", "span[hosts=1]", "-cwd", "/tmp"]
    arguments += ["-R", "select[hname!=node13 && mem>4]", "-M", "4000MB", "-env", "all"]
    arguments += ["-gpu", "num=2:mode=exclusive_process:gmodel=NVIDIAA100:gmem=20G", "-r"]
    job = parse([*arguments, "run", "it"], CONFIG)
    assert (job.command, job.name, job.project, job.queue) == ("run it", "name", "mine", "gpu")
    assert (job.run_limit, job.slots, job.memory) == (90, 2, 1333.25)
    assert (job.gpus, job.exclusive, job.rerunnable, job.cwd) == (2, True, True, "/tmp")


def test_a_queue_limits_jobs_without_a_limit():
    assert parse(["-q", "short", "true"], CONFIG).run_limit == 60
    assert parse(["true"], CONFIG).run_limit is None


def test_shared_gpus_are_not_exclusive():
    assert not parse(["-gpu", "-", "true"], CONFIG).exclusive
    assert parse(["-gpu", "num=1:j_exclusive=yes", "true"], CONFIG).exclusive
    with pytest.raises(RefusedError):
        parse(["-gpu", "num=1:mode=", "true"], CONFIG)


# Jobs -----------------------------------------------------------------------------------------


def test_a_job_runs_with_lsf_s_environment_and_reports(cluster):
    log = cluster.directory / "log.txt"
    log.write_text("before\n")
    say = "echo $LSB_JOBID $LSB_QUEUE $LSB_HOSTS gpu=${CUDA_VISIBLE_DEVICES-none} >&2"
    number = submit(cluster, say, "-o", str(log), "-e", str(log), "-q", "gpu", "-n", "2")
    assert until(cluster, number, "DONE").exit_code == 0
    wait(lambda: "Successfully completed." in log.read_text())
    assert lines(log)[:2] == ["before", f"{number} gpu node1 node1 gpu=none"]


def test_a_failing_job_is_exit_with_its_code(cluster):
    number = submit(cluster, "exit 3")
    assert until(cluster, number, *ENDED).state == "EXIT"
    assert cluster.job(number).exit_code == 3


@pytest.mark.parametrize(
    ("options", "fit"),
    [
        (["-gpu", "num=1:mode=exclusive_process", "-m", "node1"], 2),
        (["-n", "2", "-m", "node2"], 2),
        (["-n", "2", "-R", "rusage[mem=400]", "-m", "node1"], 1),
    ],
)
def test_jobs_wait_for_gpus_slots_and_memory(cluster, options, fit):
    numbers = [submit(cluster, "sleep 30", *options) for _ in range(3)]
    for number in numbers[:fit]:
        until(cluster, number, "RUN")
    time.sleep(0.3)
    assert [status(cluster, number) for number in numbers[fit:]] == ["PEND"] * (3 - fit)
    devices = [device for number in numbers for device in cluster.job(number).devices]
    assert len(devices) == len(set(devices))
    call(cluster, "bkill", str(numbers[0]))
    until(cluster, numbers[fit], "RUN")


def test_what_no_node_has_is_waited_for_for_ever(cluster):
    number = submit(cluster, "true", "-gpu", "num=3")
    time.sleep(0.3)
    assert status(cluster, number) == "PEND"


def test_the_run_limit_is_a_signal_first(cluster):
    number = submit(cluster, "trap 'exit 7' USR2; while :; do sleep 0.05; done", "-W", "1")
    job = until(cluster, number, *ENDED)
    assert (job.state, job.exit_code) == ("EXIT", 7)
    assert job.reason.startswith("TERM_RUNLIMIT")


def test_who_ignores_the_run_limit_is_killed(cluster):
    number = submit(cluster, "trap '' USR2; while :; do sleep 0.05; done", "-W", "1")
    job = until(cluster, number, *ENDED)
    assert job.exit_code == 137
    assert job.ended - job.started >= 1.0  # the limit and the grace, half a second each


def test_nothing_of_a_job_outlives_it(cluster):
    file = cluster.directory / "alive"
    number = submit(cluster, f"(while :; do date +%s%N > {file}; sleep 0.05; done) & sleep 0.3")
    until(cluster, number, *ENDED)
    time.sleep(0.3)
    before = lines(file)
    time.sleep(0.2)
    assert lines(file) == before


def test_bkill_says_what_becomes_of_jobs(cluster):
    running, ended = submit(cluster, "sleep 30", "-J", "one"), submit(cluster, "true")
    until(cluster, ended, "DONE")
    done = call(cluster, "bkill", str(running), str(ended), "999")
    assert done.returncode == 255
    assert done.stdout == f"Job <{running}> is being terminated\n"
    assert f"Job <{ended}>: Job has already finished" in done.stderr
    assert "Job <999>: No matching job found" in done.stderr
    assert until(cluster, running, *ENDED).exit_code == 130


def test_bkill_by_name_takes_what_has_not_ended(cluster):
    numbers = [submit(cluster, "sleep 30", "-J", f"run_{n}") for n in range(2)]
    other = submit(cluster, "sleep 30", "-J", "other")
    until(cluster, other, "RUN")
    assert call(cluster, "bkill", "-J", "run_*", "0").returncode == 0
    assert [until(cluster, number, *ENDED).state for number in numbers] == ["EXIT", "EXIT"]
    assert status(cluster, other) == "RUN"


def test_bjobs_lists_ended_jobs_only_when_asked(cluster):
    number = submit(cluster, "true", "-J", "name_7")
    until(cluster, number, "DONE")
    asked = ("-noheader", "-o", "jobid stat")
    assert call(cluster, "bjobs", *asked, "-aJ", "*_7*").stdout == f"{number} DONE\n"
    done = call(cluster, "bjobs", *asked)
    assert (done.returncode, done.stdout) == (255, "")
    assert "No unfinished job found" in done.stderr
    assert "Job <x> is not found" in call(cluster, "bjobs", "-a", "-J", "x").stderr


def test_the_event_log_has_the_name_where_the_plugin_looks(cluster):
    number = submit(cluster, "true", "-J", "a b", "-o", "/dev/null")
    until(cluster, number, "DONE")
    new, *turns = lines(cluster.events)
    assert re.findall(r'"[^"]+"|[^ ]+', new)[41] == '"a b"'
    assert [turn.split()[4] for turn in turns] == ["4", "64"]


def test_clusters_do_not_know_each_other(cluster, tmp_path):
    other = Cluster.create(tmp_path / "other")
    number = submit(cluster, "sleep 30")
    assert status(other, number) is None
    other.stop()
    until(cluster, number, "RUN")


def test_unknown_queues_are_named(cluster):
    done = call(cluster, "bqueues", "-w", "gpu", "nowhere")
    assert (done.returncode, done.stderr) == (255, "nowhere: No such queue\n")
    assert "gpu" in done.stdout


# Faults ---------------------------------------------------------------------------------------


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
