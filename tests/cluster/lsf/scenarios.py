"""One stage of the micro experiment under the stand-in, with one fault each."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from workspace import REPOSITORY, SNAKEFILE, Workspace, digests

from .cluster import ENDED, Cluster

OPTIONS = (
    "--profile",
    str(REPOSITORY / "profiles" / "lsf"),
    "--seconds-between-status-checks=1",
    "--latency-wait=20",
    "--steady-lsf-lost-minutes=0.05",
)
"""The profile as it is, with less patience."""
PLACE = "micro/adversarial/iteration_0"
STAGES = {
    "sample_fake": ("fake_latents.h5",),
    "train_discriminator": ("discriminator_history.csv", "discriminator"),
}
"""The stages to disturb, and what each makes; the first is the target."""
ROOM = {"node1": {"slots": 4, "memory": 64000, "gpus": 2}}
ROOM |= {name: dict(ROOM["node1"]) for name in ("node2", "node3")}


@dataclass(frozen=True)
class Scenario:
    """A fault, and how it is ordered for a rule's job at a moment (seconds after its start)."""

    fault: str
    order: Callable[[Cluster, str, float], None]
    ends: signal.Signals | None = None
    """A signal that ends Snakemake at that moment; it is then started again."""
    options: tuple[str, ...] = ()
    changes: tuple[tuple[str, object], ...] = ()
    """Of the cluster's configuration."""


def job_fault(kind: str, lasts: float | None = None) -> Callable[[Cluster, str, float], None]:
    """A fault of the job itself."""
    return lambda cluster, rule, moment: cluster.disturb(rule, kind, after=moment, lasts=lasts)


def command_fault(
    program: str, how: str, calls: int = 1, seconds: float = 0.0
) -> Callable[[Cluster, str, float], None]:
    """A fault of a command, from the beginning."""
    return lambda cluster, rule, moment: cluster.break_command(program, how, calls, seconds)


def no_order(cluster: Cluster, rule: str, moment: float) -> None:
    """Nothing goes wrong in the cluster itself."""


SCENARIOS = [
    Scenario("no fault", no_order),
    Scenario("job accepted and lost", job_fault("lost")),
    Scenario("UNKWN for 4 s", job_fault("unknown", 4)),
    Scenario("UNKWN for ever, the job runs on", job_fault("unknown")),
    Scenario("bjobs fails for 8 s", command_fault("bjobs", "down", seconds=8)),
    Scenario("bjobs prints nothing, 5 times", command_fault("bjobs", "empty", 5)),
    Scenario("bjobs hangs for 4 s", command_fault("bjobs", "hang", 2, 4)),
    Scenario("job vanishes while it runs", job_fault("vanish")),
    Scenario("job vanishes when it ends", job_fault("vanish_finished")),
    Scenario("bsub fails twice", command_fault("bsub", "down", 2)),
    Scenario("bsub fails after the job was accepted", command_fault("bsub", "after")),
    Scenario("bsub prints no job id", command_fault("bsub", "silent")),
    Scenario("job runs twice at once", job_fault("duplicate")),
    Scenario("node dies, job is EXIT", job_fault("host_exit")),
    Scenario("node dies, job is requeued", job_fault("host_requeue")),
    Scenario("node dies, job stays UNKWN", job_fault("host_unknown")),
    Scenario("job suspended for 4 s", job_fault("suspend", 4)),
    Scenario("pending job suspended for 4 s", job_fault("suspend_pending", 4)),
    Scenario("somebody kills the job", job_fault("kill"), changes=(("terminate_interval", 1.0),)),
    Scenario(
        "run limit: SIGUSR2",
        no_order,
        options=("--set-resources", *(f"{rule}:runtime=100" for rule in STAGES), "--retries=9"),
        changes=(("seconds_per_minute", 0.08), ("grace_minutes", 100)),
    ),
    Scenario("Snakemake killed, its jobs run on", no_order, ends=signal.SIGKILL),
    Scenario("Ctrl-C, and bkill fails", command_fault("bkill", "down", 9), ends=signal.SIGINT),
]


def unfinish(run: Workspace, rule: str) -> None:
    """Take away what a stage of iteration 0 made, as if it had never run."""
    for name in STAGES[rule]:
        path = run / "results" / PLACE / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    shutil.rmtree(run / "state" / PLACE / rule)


def start(run: Workspace, cluster: Cluster, *options: str) -> subprocess.Popen:
    """Start snakemake on the cluster in the run's directory."""
    run.write()
    settings = (f"--snakefile={SNAKEFILE}", f"--configfile={run.settings / 'config.yaml'}")
    with (run / "snakemake.txt").open("a") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "snakemake", "--nocolor", *settings, *OPTIONS, *options],
            cwd=run.directory,
            env=os.environ | cluster.environment(),
            stdout=output,
            stderr=output,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )


def play(scenario: Scenario, run: Workspace, directory: Path, rule: str, moment: float) -> str:
    """Run a stage through the fault; what came of it: "identical", or what is wrong."""
    expected = digests(run / "results")
    unfinish(run, rule)
    cluster = Cluster.create(directory, **{"hosts": ROOM} | dict(scenario.changes))
    arguments = (f"results/{PLACE}/{STAGES[rule][0]}", *scenario.options)
    try:
        scenario.order(cluster, f"rule_{rule}:", moment)
        snakemake = start(run, cluster, *arguments)
        if scenario.ends is not None:
            wait_for(lambda: running(cluster, f"rule_{rule}:"))
            time.sleep(moment)
            snakemake.send_signal(scenario.ends)
            snakemake.wait(60)
            start(run, cluster, "--unlock").wait(60)
            snakemake = start(run, cluster, *arguments)
        code = snakemake.wait(300)
        wait_for(lambda: all(job.state in ENDED for job in cluster.jobs() if job.known))
    finally:
        cluster.stop()
    if code:
        return f"snakemake ended with {code}: {(run / 'snakemake.txt').read_text()[-2000:]}"
    found = digests(run / "results")
    differing = sorted(name for name, digest in expected.items() if found.get(name) != digest)
    return "identical" if not differing else f"differ: {differing}"


def running(cluster: Cluster, name: str) -> bool:
    """Whether a job of that name runs."""
    with cluster.locked():
        return any(job.state == "RUN" and name in job.asked.name for job in cluster.jobs())


def wait_for(condition: Callable[[], bool], seconds: float = 120.0) -> None:
    """Wait until something holds. TimeoutError: it does not."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError("the cluster did not get there")
        time.sleep(0.1)
