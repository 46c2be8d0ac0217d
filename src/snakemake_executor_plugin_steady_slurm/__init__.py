"""Snakemake's Slurm executor, made to survive what schedulers do: `executor: steady-slurm`.

Submission, job scripts and settings are those of snakemake-executor-plugin-slurm. Faults of its
version 2.8.0 that a day-long run meets are worked around here, each in one place:

- no answer of `squeue` for a whole polling cycle: `Steady`
- answers it takes for "still running" for ever: `answers`
- a submission that Slurm could not receive: `Executor._report_job_error_threadsafe`
- Ctrl-C that leaves jobs behind: `Executor.cancel_jobs`
- polls ever further apart, whatever the settings: `Executor.next_seconds_between_status_checks`

Requests that Slurm would refuse, or leave pending for ever, are refused before the first
submission: `requests`.
"""

from snakemake_executor_plugin_slurm import ExecutorSettings, common_settings

from .executor import Executor

__all__ = ["Executor", "ExecutorSettings", "common_settings"]
