"""What the LSF and the Slurm executor of Snakemake need to survive a short outage of the scheduler.

The fault, in snakemake-executor-plugin-lsf 0.3.3 and snakemake-executor-plugin-slurm 2.8.0: when
every status query of a polling cycle fails (`bjobs` or `squeue` exits with an error while the
scheduler restarts), `check_active_jobs` goes on with `status_of_jobs = None`. The LSF plugin then
evaluates `job in None`: the TypeError ends the polling thread, and with it Snakemake, while its
jobs run on. The Slurm plugin yields no job at all: Snakemake forgets them and waits for ever.
A query without an answer says nothing about the jobs; they should be asked after again.
"""

from collections.abc import AsyncGenerator
from typing import Any


class Steady:
    """Comes before a plugin's Executor: no answer leaves every job as it was."""

    logger: Any
    _settled: frozenset[int] = frozenset()

    async def check_active_jobs(self, active_jobs: list[Any]) -> AsyncGenerator[Any, None]:
        """The jobs that still run: those the plugin yields, and those it lost sight of."""
        self._settled = frozenset()
        yielded = set()
        try:
            async for job in super().check_active_jobs(active_jobs):  # type: ignore[misc]
                yielded.add(id(job))
                yield job
        except Exception as error:
            self.logger.warning(f"The scheduler gave no usable answer ({error}); asking again.")
        for job in active_jobs:
            if id(job) not in yielded | self._settled:
                yield job

    def report_job_success(self, job_info: Any) -> None:
        """Pass on, and remember that this job needs no further asking."""
        self._settled |= {id(job_info)}
        super().report_job_success(job_info)  # type: ignore[misc]

    def report_job_error(self, job_info: Any, *args: Any, **kwargs: Any) -> None:
        """Pass on, and remember that this job needs no further asking."""
        self._settled |= {id(job_info)}
        super().report_job_error(job_info, *args, **kwargs)  # type: ignore[misc]
