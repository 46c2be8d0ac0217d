"""What jobs ask of Slurm: checked before the first submission, and GPU jobs sent where GPUs are.

A site names its places once, as resources of every job (`default-resources` of the profile):
`slurm_partition`, and for jobs that ask for a `gpu` `slurm_gpu_partition`, `slurm_gpu_model` and
`gpus_per_node`.
"""

import shutil
import subprocess
from collections.abc import Iterable
from typing import Any

from snakemake_interface_common.exceptions import WorkflowError

FOR_GPU_JOBS = {"slurm_gpu_partition": "slurm_partition", "slurm_gpu_model": "gpu_model"}


def send_to_gpus(job: Any) -> None:
    """Give a job that asks for GPUs the partition and the model meant for such jobs.

    The plugin itself knows one partition for all; and `gpu_model` as a resource of every job
    would request a GPU for every job, whether it asks for one or not.
    """
    if job.resources.get("gpu"):
        for name, meant in FOR_GPU_JOBS.items():
            if value := job.resources.get(name):
                _ask(job, meant, value)


def keep_on_one_node(job: Any) -> None:
    """Let a group job run on one node: Snakemake adds up the `nodes` of members side by side."""
    if job.is_group() and job.resources.get("nodes"):
        _ask(job, "nodes", 1)


def _ask(job: Any, name: str, value: Any) -> None:
    """Change what a job asks for."""
    if job.is_group():  # its `resources` are a copy, made of these
        job._resources[name] = value
    else:
        setattr(job.resources, name, value)


def check_commands() -> None:
    """Raise WorkflowError where Slurm's commands are missing: the plugin would retry each job."""
    missing = [name for name in ("sbatch", "squeue", "scancel") if shutil.which(name) is None]
    if missing:
        raise WorkflowError(
            f"{', '.join(missing)}: not found, but jobs are to be submitted to Slurm; start on a "
            "login node, load Slurm's environment (module load slurm), or take another profile"
        )


def check_requests(jobs: Iterable[Any], limits: dict[str, float]) -> None:
    """Raise WorkflowError, one line, for a job that could never start.

    `limits`: minutes that each partition allows; empty where Slurm did not say.
    """
    for job in jobs:
        if not job.is_local:
            _check_gpus(job)
            _check_partition(job, limits)


def time_limits() -> dict[str, float]:
    """Minutes that each partition allows, as `sinfo` says; empty where it does not answer."""
    command = ("sinfo", "--all", "--noheader", "--format=%R|%l")
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    except (OSError, subprocess.SubprocessError):
        return {}
    pairs = (line.split("|") for line in done.stdout.split())
    return {name: minutes(limit) for name, limit in pairs}


def minutes(limit: str) -> float:
    """Slurm's `[days-]hours:minutes:seconds`, `minutes:seconds` or `infinite`, in minutes."""
    if not limit[0].isdigit():
        return float("inf")
    days, _, clock = limit.rpartition("-")
    hours, mins, seconds = [0, 0, *map(int, clock.split(":"))][-3:]
    return int(days or 0) * 1440 + hours * 60 + mins + seconds / 60


def _named(job: Any) -> str:
    return f"{'group' if job.is_group() else 'rule'} {job.name}"


def _check_gpus(job: Any) -> None:
    asked, present = job.resources.get("gpu"), job.resources.get("gpus_per_node")
    if isinstance(asked, int) and isinstance(present, int) and asked > present:
        raise WorkflowError(
            f"{_named(job)}: asks for {asked} GPUs, but gpus_per_node in the profile is "
            f"{present}; ask for at most {present}, or correct gpus_per_node"
        )


def _check_partition(job: Any, limits: dict[str, float]) -> None:
    resources, key = job.resources, "slurm_partition"
    if resources.get("gpu") and resources.get("slurm_gpu_partition"):
        key = "slurm_gpu_partition"
    if not resources.get(key) or not limits or resources.get("slurm_cluster"):
        return
    names = str(resources.get(key)).split(",")
    for name in names:
        if name not in limits:
            raise WorkflowError(
                f"{_named(job)}: {key} in the profile is '{name}', which Slurm does not know; "
                f"it has {', '.join(sorted(limits))}"
            )
    longest, runtime = max(limits[name] for name in names), resources.get("runtime")
    if isinstance(runtime, int) and runtime > longest:
        raise WorkflowError(
            f"{_named(job)}: runtime is {runtime} minutes, but partition "
            f"'{resources.get(key)}' allows {longest:.0f}; set a shorter runtime in the profile "
            "(stages go on where they stopped), or another partition"
        )
