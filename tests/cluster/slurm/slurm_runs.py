"""Runs of the micro experiment on the Slurm of this machine."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import slurm_cluster as cluster
from workspace import REPOSITORY, SNAKEFILE, Workspace

# The site's block of the profile, for a Slurm of two nodes with a GPU each, and quick polling.
SITE = (
    "--default-resources",
    "slurm_partition=short",
    "slurm_gpu_partition=gpu",
    "slurm_gpu_model=pretend",
    "gpus_per_node=1",
    "nodes=1",
    "disk_mb=1000",
)
ON_A_GPU = ("train_autoencoder", "pretrain_diffusion", "train_discriminator", "finetune_diffusion")
ON_SLURM = (
    *SITE,
    "--set-resources",
    *(f"{rule}:gpu=1" for rule in ON_A_GPU),
    # No list may come last, it would take in what follows.
    f"--profile={REPOSITORY / 'profiles' / 'slurm'}",
    "--seconds-between-status-checks=1",
    "--max-status-checks-per-second=10",
    "--steady-slurm-init-seconds-before-status-checks=1",
    "--latency-wait=10",
)
_PATIENCE = 180  # seconds; a controller that came back needs a while to trust its nodes


@dataclass
class Run:
    """A Snakemake at work, with what happens below it."""

    cluster: ClassVar = cluster
    slurm: ClassVar = staticmethod(cluster.run)

    workspace: Workspace
    process: subprocess.Popen
    output: Path

    def jobs(self, states: str = "pending,running,completing") -> list[str]:
        """Ids of this run's jobs in these states."""
        lines = self.output.read_text().splitlines()
        ours = {re.search(r"jobid (\d+)", line)[1] for line in lines if "SLURM jobid" in line}
        listed = self.slurm("squeue", "--noheader", f"--states={states}", "--format=%i")
        return [job for job in listed.split() if job in ours]

    def processes(self) -> dict[int, bytes]:
        """The command lines of all processes in this run's directory, on whichever node."""
        found = {}
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):  # it has ended, or is not ours
                if (process / "cwd").resolve() == self.workspace.directory.resolve():
                    found[int(process.name)] = (process / "cmdline").read_bytes()
        return found

    def stages(self) -> list[int]:
        """Those of them that are stage programs."""
        return [
            process
            for process, command in self.processes().items()
            if b"workflow/scripts/" in command and b"-m\0snakemake" not in command
        ]

    def nodes(self) -> set[str]:
        """Where this run's jobs run."""
        jobs = self.jobs("running")
        lines = self.slurm("squeue", "--noheader", "--format=%i %N").splitlines()
        return {node for job, node in map(str.split, lines) if job in jobs}

    def until_running(self, seconds: float = 0.0) -> bool:
        """Wait for a job, then so long, then for a job again. False: all is over."""
        cluster.wait_until(self._running, "a job to run", _PATIENCE)
        time.sleep(seconds)
        cluster.wait_until(self._running, "a job to run", _PATIENCE)
        return not self.ended()

    def cancel(self) -> None:
        """scancel what waits or runs."""
        if jobs := self.jobs():
            self.slurm("scancel", *jobs)

    def signal_stages(self, name: str) -> None:
        """Send a signal to the stage program that runs, or to the next one."""
        cluster.wait_until(lambda: self.stages() or self.ended(), "a stage to start", 60)
        for process in self.stages():
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.Signals[name])

    def ended(self) -> bool:
        """Whether Snakemake has."""
        return self.process.poll() is not None

    def wait(self, seconds: float = 400) -> int:
        """The exit status."""
        return self.process.wait(timeout=seconds)

    def interrupt(self) -> None:
        """Ctrl-C."""
        self.process.send_signal(signal.SIGINT)
        self.wait()

    def kill(self) -> None:
        """As a reboot of the login node does it."""
        self.process.kill()
        self.process.wait()

    def clear_away(self) -> None:
        """End all that is left of it; a node that was down may have kept processes."""
        self.kill()
        self.cancel()
        with contextlib.suppress(cluster.SlurmError):
            cluster.wait_until(lambda: not self.processes(), "processes to end", 5)
        for process in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)

    def _running(self) -> bool:
        return bool(self.jobs("running")) or self.ended()


def unlock(workspace: Workspace) -> None:
    """What Snakemake asks for after its own death."""
    done = workspace.snakemake("--unlock")
    assert done.returncode == 0, done.stderr


def start(workspace: Workspace, *targets: str) -> Run:
    """Start Snakemake on Slurm, in the background."""
    workspace.write()
    output = workspace.directory / "snakemake.txt"
    command = (
        *(sys.executable, "-m", "snakemake", "--nocolor"),
        f"--directory={workspace.directory}",
        f"--snakefile={SNAKEFILE}",
        f"--configfile={workspace.settings / 'config.yaml'}",
        *ON_SLURM,
        *targets,
    )
    with output.open("a") as file:
        process = subprocess.Popen(
            command,
            stdout=file,
            stderr=subprocess.STDOUT,
            cwd=workspace.directory,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
            # Tests that run in the background of a shell ignore Ctrl-C, and so would it.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
    return Run(workspace, process, output)
