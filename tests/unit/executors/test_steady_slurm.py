"""The Slurm executor: every job is settled or asked after again, whatever Slurm answers."""

import asyncio
import logging
import threading
import time
from types import SimpleNamespace

import pytest
import snakemake_executor_plugin_slurm as plugin
from slurm_jobs import made_job
from throttler import Throttler

from snakemake_executor_plugin_steady_slurm import Executor, ExecutorSettings, executor, requests


class Scheduler:
    """Remembers what it was told."""

    def __init__(self):
        self.finished, self.failed = [], []
        self.finish_callback, self.error_callback = self.finished.append, self.failed.append


@pytest.fixture
def answers():
    """What Slurm will answer, one for each poll; the last one again and again."""
    return []


@pytest.fixture
def steady(answers, monkeypatch, tmp_path):
    """An executor between a scheduler that remembers and a Slurm that says what `answers` holds."""

    async def query(command, logger):
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        return (None, None) if answer is None else (dict(answer), 0.01)

    monkeypatch.setattr(plugin, "query_job_status", query)
    monkeypatch.setattr(plugin, "get_min_job_age", lambda: 300)
    monkeypatch.setattr(plugin, "is_query_tool_available", lambda tool: True)
    monkeypatch.setattr(requests.shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(plugin.atexit, "register", lambda function: None)
    monkeypatch.setattr(executor.Steady, "print_job_error", lambda *_, **__: None, raising=False)

    def start(pause=7, **settings):
        made = object.__new__(Executor)
        made.workflow = SimpleNamespace(
            executor_settings=ExecutorSettings(logdir=tmp_path, **settings),
            remote_execution_settings=SimpleNamespace(seconds_between_status_checks=pause),
            scheduler=Scheduler(),
            dag=SimpleNamespace(needrun_jobs=list),
        )
        made.logger = logging.getLogger("steady-slurm")
        made.status_rate_limiter = Throttler(rate_limit=1000, period=1)
        made.__post_init__()
        return made

    return start


def submitted(*ids):
    """Jobs that run in Slurm under these ids."""
    return [
        SimpleNamespace(job=number, external_jobid=number, aux={"slurm_logfile": None})
        for number in ids
    ]


def poll(steady, jobs, times):
    """Ask so many times; the ids of the jobs that are still asked after."""

    async def once(active):
        return [job async for job in steady.check_active_jobs(active)]

    for _ in range(times):
        jobs = asyncio.run(once(jobs))
    return [job.external_jobid for job in jobs]


def test_no_answer_leaves_every_job_as_it_was(steady, answers):
    answers += [None]
    made = steady(status_command="squeue", status_attempts=2)
    assert poll(made, submitted("1", "2"), 20) == ["1", "2"]
    assert not made.workflow.scheduler.failed


def test_an_outage_is_said_once_and_its_end_too(steady, answers, caplog):
    answers += [None, None, None, {"1": "RUNNING"}, {"1": "RUNNING"}]
    poll(steady(status_command="squeue", status_attempts=1), submitted("1"), 5)
    said = [record.message for record in caplog.records if "answer" in record.message]
    assert len(said) == 2


@pytest.mark.parametrize(
    ("tool", "last"),
    [
        ("sacct", {"1": "CANCELLED by 0"}),
        ("squeue", {"1": "PREEMPTED"}),
        ("squeue", {"1": "NODE_FAIL"}),
        ("squeue", {}),
        ("squeue", {"1": "TIMEOUT"}),
    ],
)
@pytest.mark.parametrize("requeue", [False, True])
def test_a_job_that_will_not_come_back_fails_once(steady, answers, tool, last, requeue):
    answers += [{"1": "RUNNING"}, last]
    made = steady(status_command=tool, status_attempts=1, requeue=requeue)
    assert poll(made, submitted("1"), 10) == []
    assert made.workflow.scheduler.failed == ["1"]
    assert not made.workflow.scheduler.finished


@pytest.mark.parametrize("gone", [{"1": "PREEMPTED"}, {"1": "NODE_FAIL"}, {}])
def test_a_job_that_slurm_starts_anew_is_waited_for(steady, answers, gone):
    alive = {"1": "PENDING"}
    answers += [gone, alive, gone, alive, gone, gone, alive, {"1": "RUNNING"}]
    made = steady(status_command="squeue", status_attempts=1, requeue=True)
    assert poll(made, submitted("1"), 8) == ["1"]
    assert not made.workflow.scheduler.failed


def test_a_job_that_accounting_has_not_heard_of_yet_is_waited_for(steady, answers):
    answers += [{}]
    made = steady(status_command="sacct", status_attempts=1)
    assert poll(made, submitted("1"), 20) == ["1"]


def test_polls_do_not_drift_apart(steady, answers):
    answers += [{"1": "RUNNING"}]
    made = steady(status_command="squeue", status_attempts=1)
    poll(made, submitted("1"), 20)
    assert made.next_seconds_between_status_checks == 7


@pytest.mark.parametrize(
    "words",
    [
        "Batch job submission failed: Unable to contact slurm controller (connect failure)",
        "Batch job submission failed: Socket timed out on send/recv operation",
        "sacctmgr: error: slurm_persist_conn_open: Connection refused",
    ],
)
def test_what_slurm_could_not_receive_is_submitted_again(steady, answers, monkeypatch, words):
    answers += [{}]
    made = steady(pause=0, status_command="squeue")
    again = threading.Event()
    monkeypatch.setattr(made, "run_job", lambda job: again.set(), raising=False)
    made._report_job_error_threadsafe(SimpleNamespace(job=made_job()), words)
    assert again.wait(10)
    assert not made.workflow.scheduler.failed


def test_what_slurm_refuses_fails_at_once(steady, answers):
    answers += [{}]
    made = steady(status_command="squeue")
    job = made_job()
    made._report_job_error_threadsafe(SimpleNamespace(job=job), "Invalid qos specification")
    assert made.workflow.scheduler.failed == [job]


def test_shutting_down_does_not_wait_for_slurm(steady, answers):
    answers += [{}]
    made = steady(pause=3600, status_command="squeue")
    job = made_job()
    waiting = threading.Thread(
        target=made._report_job_error_threadsafe,
        args=(SimpleNamespace(job=job), "Unable to contact slurm controller"),
    )
    waiting.start()
    time.sleep(0.1)
    made._stopping.set()
    waiting.join(10)
    assert made.workflow.scheduler.failed == [job]


@pytest.mark.parametrize("status", [0, 1])
def test_cancelling_reaches_jobs_that_are_just_being_asked_after(
    steady, answers, monkeypatch, tmp_path, status
):
    told = tmp_path / "told"
    scancel = tmp_path / "scancel"
    scancel.write_text(f'#!/bin/sh\necho "$@" > {told}\nexit {status}\n')
    scancel.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    answers += [{}]
    made = steady(status_command="squeue")
    made.cancel_jobs([])
    assert told.read_text().split() == [f"--name={made.run_uuid}"]
