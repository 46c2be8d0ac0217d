"""The executor: the plugin's own, with its answers translated and its submissions repeated."""

import re
import subprocess
import threading
from collections.abc import AsyncGenerator
from typing import Any

import snakemake_executor_plugin_slurm as plugin

from snakemake_executor_plugin_steady_lsf.steady import Steady

from .answers import Answers
from .requests import (
    check_commands,
    check_requests,
    keep_on_one_node,
    send_to_gpus,
    time_limits,
)

# How `sbatch`, `sinfo` and `sacctmgr` say that a daemon could not be reached or was too busy.
UNREACHABLE = re.compile(
    "unable to contact|unable to connect|connection (refused|timed out|reset)|"
    "socket timed out|zero bytes were transmitted|backup controller in standby|"
    "temporarily un(able|available)|unexpected message received",
    re.IGNORECASE,
)


class Executor(Steady, plugin.Executor):
    """Submits to Slurm and follows the jobs; an outage of Slurm makes it wait."""

    def __post_init__(self, test_mode: bool = False) -> None:
        """Refuse what could never run, before anything is submitted.

        The plugin calls its query as a function of its module: that is where ours goes in.
        """
        self._answers = Answers()
        self._asked: set[str] = set()
        self._answered = True
        self._stopping = threading.Event()
        self._plugin_query = plugin.query_job_status
        plugin.query_job_status = self._query
        check_commands()
        dag = self.workflow.dag
        jobs = list(dag.needrun_jobs())
        groups = {group for job in jobs if (group := dag.get_job_group(job))}
        check_requests([*jobs, *groups], time_limits())
        super().__post_init__(test_mode)

    async def check_active_jobs(self, active_jobs: list[Any]) -> AsyncGenerator[Any, None]:
        """The jobs that still run."""
        self._asked = {job.external_jobid for job in active_jobs}
        async for job in super().check_active_jobs(active_jobs):
            yield job

    async def _query(self, command: str, logger: Any) -> tuple[dict[str, str] | None, float | None]:
        """Statuses by job id and seconds that the query took; None, None without an answer."""
        statuses, seconds = await self._plugin_query(command, logger)
        if (statuses is not None) != self._answered:
            self._answered = not self._answered
            again = "answers again" if self._answered else "does not answer; asking on"
            self.logger.warning(f"Slurm {again} ({command.split()[0]}).")
        if statuses is None:
            return None, None
        # A job reaches sacct's data base late; squeue knows it from its submission on.
        complete = command.startswith("squeue")
        return self._answers.translate(statuses, self._asked, complete=complete), seconds

    @property
    def next_seconds_between_status_checks(self) -> int:
        """Always what the profile says.

        The plugin adds 10 s after every poll without a finished job, up to 180 s, and ignores that
        option: after a long stage every short one waits three minutes to be noticed.
        """
        return int(self.workflow.remote_execution_settings.seconds_between_status_checks)

    @next_seconds_between_status_checks.setter
    def next_seconds_between_status_checks(self, value: int) -> None:
        return

    def run_job(self, job: Any) -> None:
        """Submit a job; those that ask for GPUs go where GPUs are."""
        send_to_gpus(job)
        keep_on_one_node(job)
        super().run_job(job)

    def _report_job_error_threadsafe(self, job_info: Any, msg: str) -> None:
        """Submit again later what Slurm could not receive; pass on every other error.

        The plugin reports a failed `sbatch` as a failed job whatever the reason, and all retries
        are used up within a minute: restarting slurmctld or slurmdbd ends the run. The job may
        have been accepted though the answer was lost; then there are two copies of it, of which
        the second waits for the lock of the first.
        """
        if not UNREACHABLE.search(msg):
            super()._report_job_error_threadsafe(job_info, msg)
            return
        pause = self.next_seconds_between_status_checks
        self.logger.warning(
            f"Slurm could not be reached to submit rule {job_info.job.name}; "
            f"trying again in {pause} s."
        )
        if self._stopping.wait(pause):
            super()._report_job_error_threadsafe(job_info, msg)
        else:
            self._job_submission_executor.submit(self.run_job, job_info.job)

    def cancel_jobs(self, active_jobs: list[Any]) -> None:
        """Cancel every job of this run, by the name that all of them bear.

        The plugin names the jobs one by one: those just being asked after are missing and run on,
        and one that Slurm has forgotten raises WorkflowError, which skips Snakemake's tidying up.
        """
        command = ["scancel", f"--name={self.run_uuid}"]
        if self._submitted_job_clusters:
            command.append("--clusters=all")
        try:
            subprocess.run(command, capture_output=True, timeout=60, check=True)
        except (OSError, subprocess.SubprocessError):
            self.logger.warning(f"Jobs may run on; to cancel them: {' '.join(command)}")

    def cancel(self) -> None:
        """Cancel the jobs and stop."""
        self._stopping.set()
        super().cancel()

    def shutdown(self) -> None:
        """Stop; nothing is submitted again."""
        self._stopping.set()
        super().shutdown()
