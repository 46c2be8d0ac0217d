"""`steady-lsf`: snakemake-executor-plugin-lsf 0.3.3, made to live with what LSF does.

It also asks for GPUs and their queue, so that a site sets both in its profile alone. Each method
says which fault of the plugin it works around; `Steady` has the one that Slurm's plugin shares.
All were seen with the stand-in in tests/cluster/lsf, which follows IBM's documentation of LSF 10.1.
"""

import shlex
import time
import traceback
from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import snakemake_executor_plugin_lsf as lsf
from snakemake_interface_common.exceptions import WorkflowError
from snakemake_interface_executor_plugins.executors.base import SubmittedJobInfo
from snakemake_interface_executor_plugins.settings import ExecutorSettingsBase

from .answers import PASSING, NoAnswerError, ask, ended, listed, one_line
from .queues import WAY_OUT, gpu_request, is_unknown, queue_of
from .steady import Steady

# A job that LSF does not list yet is waited for, so the plugin's 20 s before the first query go.
common_settings = replace(lsf.common_settings, init_seconds_before_status_checks=1)

OUT_OF_SIGHT = ("UNKWN", "ZOMBI", "gone")
SUSPENDED = {"USUSP": "SSUSP", "PSUSP": "PEND"}
LONGEST_PAUSE = 300


@dataclass
class ExecutorSettings(ExecutorSettingsBase):
    """How patient to be."""

    lost_minutes: float = field(
        default=15,
        metadata={
            "help": "Count a job as failed when LSF answers, but has lost sight of the job (not "
            "listed, UNKWN, ZOMBI) for that many minutes. A retry goes on from its saved state."
        },
    )
    submit_minutes: float = field(
        default=720,
        metadata={"help": "For how many minutes to submit again while LSF does not answer."},
    )


class Executor(Steady, lsf.Executor):
    """The plugin's executor; `check_active_jobs` and the bsub command line are still its own."""

    executor_settings: ExecutorSettings

    def __post_init__(self) -> None:
        """Refuse what could never be submitted, before anything is."""
        self._claimed: set[str] = set()
        self._lost_since: dict[str, float] = {}
        self._asked: set[str] = set()
        self._suspended: set[str] = set()
        super().__post_init__()
        jobs = [job for job in self.workflow.dag.needrun_jobs() if not job.is_local]
        for job in jobs:
            gpu_request(job)
        for queue in sorted({queue_of(job) or "" for job in jobs} - {""}):
            if is_unknown(queue):
                rules = sorted({job.name for job in jobs if queue_of(job) == queue})
                raise WorkflowError(
                    f"LSF has no queue {queue!r}, which {', '.join(rules)} would go to; {WAY_OUT}"
                )

    # Asking after jobs -----------------------------------------------------------------------

    async def check_active_jobs(self, active_jobs: list[Any]) -> AsyncGenerator[Any, None]:
        """The jobs that still run.

        Fault: the plugin asks LSF up to six times in a row while no job is active, and warns.
        """
        if not active_jobs:
            return
        self._asked = {job.external_jobid for job in active_jobs}
        async for job in super().check_active_jobs(active_jobs):
            yield job

    async def job_stati_bjobs(self) -> tuple[dict[str, str], float]:
        """The status of every job that was asked after, and the seconds that took.

        Faults: (1) `bjobs` that hangs stops the polling for good. (2) `bjobs` says with status 255
        that it lists no job (all were cleaned from its memory): taken for an error. (3) UNKWN,
        LSF's word for a host out of contact, is reported as success while the job computes on.
        (4) USUSP and PSUSP (`bstop`) are reported as failure; the job comes back at `bresume`,
        beside its successor. (5) A job that bjobs and the event log no longer know is asked after
        for ever, six times per poll. (6) ZOMBI likewise.
        """
        began = time.monotonic()
        try:
            statuses = listed(f"*{self.run_uuid}*", "stat")
        except NoAnswerError:
            self._lost_since.clear()  # it is time with answers that counts
            raise
        missing = self._asked - statuses.keys()
        if missing:
            statuses |= (await self.job_stati_lsbevents())[0]
        for job in self._asked:
            statuses[job] = self._judged(job, statuses.get(job, "gone"))
        return statuses, time.monotonic() - began

    async def job_stati_lsbevents(self) -> tuple[dict[str, str], float]:
        """DONE or EXIT from the event log, and the seconds that took.

        Faults: the plugin needs gawk (see `answers.ended`), raises KeyError for combined states
        such as 320 (DONE with a failed post-execution), and UnboundLocalError where awk fails.
        """
        began = time.monotonic()
        found = ended(self.lsf_config["LSB_EVENTS"], self._asked)
        return found, time.monotonic() - began

    def _judged(self, job: str, status: str) -> str:
        """A status as the plugin should take it."""
        if status not in OUT_OF_SIGHT:
            self._lost_since.pop(job, None)
            if status in SUSPENDED and job not in self._suspended:
                self._suspended.add(job)
                self.logger.warning(f"LSF job {job} is suspended ({status}): bresume {job}")
            return SUSPENDED.get(status, status)
        minutes = (time.monotonic() - self._lost_since.setdefault(job, time.monotonic())) / 60
        if minutes < self.executor_settings.lost_minutes:
            return "RUN"
        self.logger.warning(
            f"LSF has lost sight of job {job} ({status}) for {minutes:.1f} minutes: counted as "
            "failed; should it run on after all, its successor waits for it."
        )
        self._bkill("-r", job)
        return "EXIT"

    @property
    def next_seconds_between_status_checks(self) -> int:
        """Always what the profile says.

        Fault: the plugin adds 10 s after each poll without an ended job, up to 180 s. After a
        long stage every short one then waits three minutes to be noticed.
        """
        return int(self.workflow.remote_execution_settings.seconds_between_status_checks)

    @next_seconds_between_status_checks.setter
    def next_seconds_between_status_checks(self, value: int) -> None:
        return

    # Submitting ------------------------------------------------------------------------------

    def run_job(self, job: Any) -> None:
        """Submit, and submit again while LSF does not answer.

        Faults: (1) any failure of bsub raises WorkflowError, on which Snakemake kills all running
        jobs and ends: a restart of LSF's daemon as much as one misspelt queue. (2) bsub may fail
        after LSF took the job, which then runs unseen beside its successor. (3) bsub that prints
        no job id is a TypeError (`re.search(...)[1]` of None).
        """
        pauses = self._pauses()
        while (trouble := self._submit(job)) is not None:
            taken = self._unclaimed(trouble, pauses) if PASSING.search(trouble) else None
            if taken is None:
                return self._refused(job, one_line(trouble))
            for number, log in taken.items():
                aux = {"lsf_logfile": log}
                return self.report_job_submission(SubmittedJobInfo(job, number, aux))

    def _submit(self, job: Any) -> str | None:
        """Call bsub; what it said where it failed."""
        try:
            super().run_job(job)
        except WorkflowError as error:
            return str(error).removeprefix("LSF job submission failed. The error message was ")
        except TypeError as error:
            if traceback.extract_tb(error.__traceback__)[-1].name != "run_job":
                raise
            return "bsub printed no job id"
        return None

    def _pauses(self) -> Iterator[float]:
        """Growing pauses, in seconds, for as long as the settings allow."""
        deadline = time.monotonic() + 60 * self.executor_settings.submit_minutes
        pause = float(self.next_seconds_between_status_checks)
        while time.monotonic() < deadline:
            yield pause
            pause = min(2 * pause, LONGEST_PAUSE)

    def _unclaimed(self, trouble: str, pauses: Iterator[float]) -> dict[str, str] | None:
        """Wait until LSF answers. The id and log of a job it took without our knowing, if any.

        Jobs are submitted one after the other, so it can only be the last one. None: LSF has not
        answered for too long.
        """
        for pause in pauses:
            self.logger.warning(f"bsub: {one_line(trouble)}; trying again in {pause:.0f} s")
            time.sleep(pause)
            try:
                jobs = listed(f"*{self.run_uuid}*", "output_file")
            except NoAnswerError:
                continue
            return {job: log for job, log in jobs.items() if job not in self._claimed}
        return None

    def report_job_submission(self, job_info: Any, register_job: bool = True) -> None:
        """Pass on, and remember the job as one of ours."""
        self._claimed.add(job_info.external_jobid)
        super().report_job_submission(job_info, register_job=register_job)

    def _refused(self, job: Any, words: str) -> None:
        """Fail this job alone, without retries: the next try would be refused as well."""
        self.logger.error(
            f"rule {job.name}: LSF takes no job for queue {queue_of(job) or 'of its choice'}: "
            f"{words}; {WAY_OUT}"
        )
        job.attempt = job.restart_times + 1
        self.workflow.scheduler.error_callback(job)

    def get_queue_arg(self, job: Any) -> str:
        """The queue; for a job that asks for `gpu` the site's GPU queue and its `-gpu` request."""
        queue, request = queue_of(job), gpu_request(job)
        argument = f" -q {shlex.quote(str(queue))}" if queue else super().get_queue_arg(job)
        return f"{argument} -gpu {shlex.quote(request)}" if request else argument

    def get_job_exec_prefix(self, job: Any) -> str:
        """Let only the stage hear SIGUSR2, LSF's warning at the run limit.

        Fault: Snakemake inside the job does not handle it and dies at once; LSF takes that for the
        job's end and kills the stage before it has saved its state.
        """
        return "trap '' USR2"

    # Ending ----------------------------------------------------------------------------------

    def cancel_jobs(self, active_jobs: list[Any]) -> None:
        """Kill all jobs of this run, by their name.

        Faults: `bkill` fails when one of the jobs has ended meanwhile, which raises
        CalledProcessError and skips Snakemake's own tidying up; jobs that are just being asked
        after are missing from `active_jobs` and run on.
        """
        if self._claimed:
            self._bkill("-J", f"*{self.run_uuid}*", "0")

    def _bkill(self, *arguments: str) -> None:
        try:
            said = ask("bkill", *arguments)
            trouble = one_line(said.stderr) if PASSING.search(said.stderr) else ""
        except NoAnswerError as error:
            trouble = str(error)
        if trouble:
            command = shlex.join(("bkill", *arguments))
            self.logger.warning(f"Jobs may run on ({trouble}); to kill them: {command}")

    @staticmethod
    def get_lsf_config() -> dict[str, str]:
        """LSF's configuration as the plugin needs it.

        Fault: where badmin or lsclusters is missing or fails, a bare KeyError or IndexError.
        """
        try:
            return lsf.Executor.get_lsf_config()
        except (KeyError, IndexError, OSError) as error:
            raise WorkflowError(
                f"LSF does not say how it is configured ({type(error).__name__}: {error}); both "
                "`badmin showconf mbd` and `lsclusters` must work here: load LSF's environment "
                "(module load lsf), or wait until LSF is up"
            ) from error
