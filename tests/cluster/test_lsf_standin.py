"""The LSF stand-in itself: options, refusals, states and limits."""

import re
import time

import pytest
from lsf.calls import call, lines, status, submit, until, wait
from lsf.cluster import CONFIG, ENDED, Cluster
from lsf.submission import RefusedError, parse

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
