"""What the LSF executor makes of LSF's answers, without a scheduler."""

import asyncio
from types import SimpleNamespace

import pytest
from snakemake_interface_common.exceptions import WorkflowError

from snakemake_executor_plugin_steady_lsf import Executor, answers
from snakemake_executor_plugin_steady_lsf.answers import NO_JOB, PASSING, NoAnswerError
from snakemake_executor_plugin_steady_lsf.queues import gpu_request, is_unknown
from snakemake_executor_plugin_steady_lsf.steady import Steady


class Resources(dict):
    """Resources as a job has them."""

    __getattr__ = dict.__getitem__


def job(**resources):
    return SimpleNamespace(name="sample_fake", resources=Resources(resources))


@pytest.fixture
def bjobs(tmp_path, monkeypatch):
    """Let `bjobs` be this shell script."""

    def write(script):
        program = tmp_path / "bjobs"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    return write


@pytest.fixture
def executor(tmp_path):
    """An executor that has asked LSF for nothing yet."""
    made = Executor.__new__(Executor)
    made.logger = SimpleNamespace(warning=lambda text: None, error=lambda text: None)
    made.executor_settings = SimpleNamespace(lost_minutes=10, submit_minutes=10)
    made.run_uuid, made.lsf_config = "run", {"LSB_EVENTS": str(tmp_path / "lsb.events")}
    made._lost_since, made._suspended, made._asked = {}, set(), {"1", "2"}
    made.killed = []
    made._bkill = lambda *arguments: made.killed.append(arguments)
    return made


def statuses(executor):
    return asyncio.run(executor.job_stati_bjobs())[0]


# Answers --------------------------------------------------------------------------------------


def test_jobs_are_read_by_id(bjobs):
    bjobs("echo 'a banner of the site'; echo '12 RUN'; echo '13 DONE'")
    assert answers.listed("*", "stat") == {"12": "RUN", "13": "DONE"}


def test_no_job_at_all_is_an_answer(bjobs):
    bjobs("echo 'Job <*run*> is not found' >&2; exit 255")
    assert answers.listed("*run*", "stat") == {}


@pytest.mark.parametrize(
    "script", ["echo 'LSF is down. Please wait ...' >&2; exit 255", "exit 0", "exit 255"]
)
def test_no_answer_is_said_so(bjobs, script):
    bjobs(script)
    with pytest.raises(NoAnswerError, match="bjobs"):
        answers.listed("*", "stat")


def test_a_hanging_command_is_no_answer(bjobs, monkeypatch):
    monkeypatch.setattr(answers, "SECONDS", 0.2)
    bjobs("exec sleep 30")
    with pytest.raises(NoAnswerError, match="timed out"):
        answers.listed("*", "stat")


def test_a_missing_command_is_no_answer(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NoAnswerError, match="bjobs"):
        answers.listed("*", "stat")


@pytest.mark.parametrize(
    "words",
    [
        "LSF is down. Please wait ...",
        "Cannot connect to LSF. Please wait ...",
        "batch system daemon not responding ... still trying",
        "Failed in an LSF library call: Connection reset by peer",
        "Contacting batch daemon: Communication timeout",
        "Connection refused by server. Job not submitted.",
        "The destination queue has reached its job limit. Job not submitted.",
        "Batch daemon cannot fork. Job not submitted.",
    ],
)
def test_passing_troubles(words):
    assert PASSING.search(words)
    assert not NO_JOB.search(words)


@pytest.mark.parametrize(
    "words",
    [
        "nowhere: No such queue. Job not submitted.",
        "Bad resource requirement syntax. Job not submitted.",
        "RUNLIMIT: Cannot exceed queue's hard limit(s). Job not submitted.",
        "Too many processors requested. Job not submitted.",
        "User cannot use the queue. Job not submitted.",
        "/bin/sh: 1: bsub: not found",
    ],
)
def test_lasting_troubles(words):
    assert not PASSING.search(words)


def test_the_reason_is_picked_from_what_bsub_says():
    text = "Welcome\nproject x has 12 hours left\nq: No such queue. Job not submitted.\nBye\n"
    assert answers.one_line(text) == "q: No such queue. Job not submitted."
    assert answers.one_line("one\n\ntwo\n") == "two"
    assert answers.one_line("") == ""


def test_ends_in_the_event_log(tmp_path):
    events = tmp_path / "lsb.events"
    events.write_text(
        '"JOB_NEW" "10.1" 5 1 0 33554438 1\n"JOB_STATUS" "10.1" 6 1 4 0 0\n'
        '"JOB_STATUS" "10.1" 7 1 32 0 0\n"JOB_STATUS" "10.1" 8 1 4 0 0\n'  # requeued
        '"JOB_STATUS" "10.1" 7 2 64 0 0\n"JOB_STATUS" "10.1" 8 2 192 0 0\n'
        '"JOB_STATUS" "10.1" 7 3 288 0 0\n"JOB_STATUS" "10.1" 7 4 320 0 0\n'
        '"JOB_STATUS" "10.1" 7 9 64 0 0\n\n"QUEUE_CTRL"\n'
    )
    assert answers.ended(str(events), "12345") == {"2": "DONE", "3": "EXIT", "4": "DONE"}
    assert answers.ended(str(tmp_path / "none"), "1") == {}


# Judging --------------------------------------------------------------------------------------


def test_lost_and_suspended_jobs_are_still_running(bjobs, executor):
    for words in ("UNKWN", "USUSP", "PSUSP", "ZOMBI", "SSUSP", "WAIT", "PROV"):
        bjobs(f"echo '1 {words}'; echo '2 RUN'")
        assert statuses(executor)["1"] not in ("DONE", "EXIT", "UNKWN", "USUSP", "PSUSP")
    assert executor.killed == []


@pytest.mark.parametrize("line", ["1 UNKWN", "1 ZOMBI", "7 RUN"])
def test_out_of_sight_for_too_long_is_a_failure(bjobs, executor, line):
    bjobs(f"echo '{line}'; echo '2 RUN'")
    assert statuses(executor)["1"] == "RUN"
    executor._lost_since["1"] -= 601
    found = statuses(executor)
    assert (found["1"], found["2"]) == ("EXIT", "RUN")
    assert executor.killed == [("-r", "1")]


def test_only_time_with_answers_counts(bjobs, executor):
    bjobs("echo '2 RUN'")
    statuses(executor)
    executor._lost_since["1"] -= 601
    bjobs("echo 'LSF is down. Please wait ...' >&2; exit 255")
    with pytest.raises(NoAnswerError):
        statuses(executor)
    bjobs("echo '2 RUN'")
    assert statuses(executor)["1"] == "RUN"


def test_back_in_sight_the_time_starts_anew(bjobs, executor):
    bjobs("echo '2 RUN'")
    statuses(executor)
    executor._lost_since["1"] -= 601
    bjobs("echo '1 RUN'; echo '2 RUN'")
    assert statuses(executor)["1"] == "RUN"
    assert executor._lost_since == {}


def test_the_event_log_tells_the_end_of_forgotten_jobs(bjobs, executor, tmp_path):
    (tmp_path / "lsb.events").write_text('"JOB_STATUS" "10.1" 7 1 192 0 0\n')
    bjobs("echo '2 RUN'")
    assert statuses(executor) == {"1": "DONE", "2": "RUN"}


# GPUs -----------------------------------------------------------------------------------------

SITE = {"lsf_gpu": "num={gpu}:mode=exclusive_process", "gpus_per_node": 4, "lsf_queue": "normal"}


def test_jobs_with_gpus_ask_for_them_in_their_queue(executor):
    site = SITE | {"lsf_gpu_queue": "gpu"}
    assert executor.get_queue_arg(job(**site, gpu=0)) == " -q normal"
    asked = executor.get_queue_arg(job(**site, gpu=2))
    assert asked == " -q gpu -gpu num=2:mode=exclusive_process"
    assert executor.get_queue_arg(job(**SITE, gpu=1)).startswith(" -q normal -gpu ")


def test_a_site_may_ask_for_gpus_otherwise():
    assert gpu_request(job(gpu=1, lsf_gpu="")) == ""


def test_more_gpus_than_a_node_has_are_refused_in_one_line():
    with pytest.raises(WorkflowError) as error:
        gpu_request(job(**SITE, gpu=5))
    text = str(error.value)
    assert "\n" not in text
    for part in ("sample_fake", "gpu=5", "has 4", "--set-resources sample_fake:gpu=4"):
        assert part in text


def test_a_template_that_cannot_be_filled_in_is_refused():
    with pytest.raises(WorkflowError, match=r"lsf_gpu: found 'num=\{gpus\}'"):
        gpu_request(job(gpu=1, lsf_gpu="num={gpus}"))


def test_a_queue_is_unknown_only_when_lsf_says_so(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert not is_unknown("gpu")  # no bqueues here
    (tmp_path / "bqueues").write_text('#!/bin/sh\necho "$3: No such queue" >&2; exit 255\n')
    (tmp_path / "bqueues").chmod(0o755)
    assert is_unknown("normal gpu")


# No answer ------------------------------------------------------------------------------------


class Plugin:
    """An executor whose polling fails after the jobs that it knows."""

    settles: tuple = ()
    yields: tuple = ()

    async def check_active_jobs(self, active_jobs):
        for active in active_jobs:
            if active in self.settles:
                self.report_job_success(active)
            elif active in self.yields:
                yield active
        raise TypeError("argument of type 'NoneType' is not iterable")

    def report_job_success(self, job_info):
        """As Snakemake would."""

    def report_job_error(self, job_info):
        """As Snakemake would."""


class SteadyPlugin(Steady, Plugin):
    logger = SimpleNamespace(warning=lambda text: None)


def test_no_job_is_forgotten_and_none_asked_after_twice():
    plugin = SteadyPlugin()
    jobs = [f"job {n}" for n in range(4)]
    plugin.settles, plugin.yields = (jobs[0],), (jobs[1],)

    async def check():
        return [job async for job in plugin.check_active_jobs(jobs)]

    assert sorted(asyncio.run(check())) == jobs[1:]
