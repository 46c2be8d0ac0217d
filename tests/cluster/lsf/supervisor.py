"""One job: waiting for a host, running, its run limit, its end, and the faults ordered for it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from .cluster import ENDED, Cluster, Job, mark_of, signal_run

INTERVAL = 0.05
HOST_FAULTS = {"host_exit": "EXIT", "host_requeue": "PEND", "host_unknown": "UNKWN"}


def main() -> None:
    """Supervise the job that the arguments name, to its end."""
    cluster, number = Cluster(sys.argv[2]), int(sys.argv[3])
    while (job := _wait_for_host(cluster, number)) is not None:
        process = _start(cluster, job)
        if job.fault and job.fault["kind"] == "duplicate" and job.run == 1:
            _start(cluster, job, twin=True)
        if _watch(cluster, number, process):
            return


def _wait_for_host(cluster: Cluster, number: int) -> Job | None:
    """The job once it has a host; None when it was killed before."""
    while True:
        with cluster.locked():
            job = cluster.job(number)
            if job.state in ENDED:
                return None
            if job.state == "PSUSP" and _over(job, job.submitted):
                cluster.turn(job, "PEND")
            if job.state == "PEND" and _placed(cluster, job):
                job.run, job.started = job.run + 1, time.time()
                cluster.turn(job, "RUN")
                return job
        time.sleep(INTERVAL)


def _over(job: Job, since: float) -> bool:
    """Whether the time of the ordered fault is over."""
    fault = job.fault
    return bool(fault and fault["lasts"] is not None and time.time() > since + fault["lasts"])


def _placed(cluster: Cluster, job: Job) -> bool:
    """Give the job a host, unless one that waits longer fits as well."""
    jobs = cluster.jobs()
    earlier = [other for other in jobs if other.id < job.id and other.state == "PEND"]
    place = _place(cluster, job, jobs)
    if place is None or any(_place(cluster, other, jobs) for other in earlier):
        return False
    job.host, job.devices = place
    return True


def _place(cluster: Cluster, job: Job, jobs: list[Job]) -> tuple[str, list[int]] | None:
    """A host with enough free slots, memory and GPUs, and the devices there."""
    config, asked = cluster.config, job.asked
    with cluster.faults() as faults:
        down = list(faults["down"])
    for name, host in config["hosts"].items():
        here = [one for one in jobs if one.host == name and one.state not in (*ENDED, "PEND")]
        slots = sum(one.asked.slots for one in here)
        memory = sum(_memory(one, config) for one in here)
        used = {device for one in here for device in one.devices}
        taken = {device for one in here if one.asked.exclusive for device in one.devices}
        free = [n for n in range(host["gpus"]) if n not in (used if asked.exclusive else taken)]
        if (
            name not in down
            and (not asked.hosts or name in asked.hosts)
            and slots + asked.slots <= host["slots"]
            and memory + _memory(job, config) <= host["memory"]
            and len(free) >= asked.gpus
        ):
            return name, free[: asked.gpus]
    return None


def _memory(job: Job, config: dict) -> float:
    return job.asked.memory * (job.asked.slots if config["reserve_per_slot"] else 1)


def _start(cluster: Cluster, job: Job, twin: bool = False) -> subprocess.Popen:
    """The job's command in a session of its own, with LSF's environment."""
    asked = job.asked
    environment = os.environ | {
        "LSB_JOBID": str(job.id),
        "LSB_JOBNAME": asked.name,
        "LSB_QUEUE": asked.queue,
        "LSB_HOSTS": " ".join([str(job.host)] * asked.slots),
        "LSB_DJOB_NUMPROC": str(asked.slots),
        "LSF_STANDIN_RUN": mark_of(cluster, job) + (":twin" if twin else ""),
    }
    del environment["LSF_STANDIN_SUPERVISOR"]
    environment["CUDA_VISIBLE_DEVICES"] = ",".join(map(str, job.devices))
    if not asked.gpus:
        del environment["CUDA_VISIBLE_DEVICES"]
    return subprocess.Popen(
        ["/bin/sh", "-c", asked.command],
        cwd=asked.cwd,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=_file(asked.output, job),
        stderr=_file(asked.error or asked.output, job),
        start_new_session=True,
        # sbatchd does so; a shell that runs the tests in the background has them ignore SIGINT
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def _file(path: str, job: Job) -> int:
    """-o and -e append; %J is the job's id."""
    name = path.replace("%J", str(job.id)) or os.devnull
    return os.open(name, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)


def _watch(cluster: Cluster, number: int, process: subprocess.Popen) -> bool:
    """Follow a running job; whether it has ended (False: it is to run again)."""
    sent: set[str] = set()
    while True:
        with cluster.locked():
            job = cluster.job(number)
            _play(cluster, job, sent)
            if job.state == "PEND":
                return False
            code = process.poll()
            if job.state in ENDED or (code is not None and _finish(cluster, job, code)):
                break
            if code is None and job.state not in ("UNKWN", "ZOMBI"):
                _limit(cluster, job, sent)
        time.sleep(INTERVAL)
    if job.lost_until is None or time.time() > job.lost_until:
        signal_run(cluster, job, signal.SIGKILL)  # sbatchd leaves no process behind
    _report(cluster, job)
    return True


def _finish(cluster: Cluster, job: Job, code: int) -> bool:
    """Note the end, unless the host is out of contact."""
    if job.lost_until is not None and time.time() < job.lost_until:
        return False
    job.exit_code = code if code >= 0 else 128 - code
    if job.fault and job.fault["kind"] == "vanish_finished":
        job.known = False
    cluster.turn(job, "DONE" if code == 0 else "EXIT")
    return True


def _limit(cluster: Cluster, job: Job, sent: set[str]) -> None:
    """Signals at the run limit and after bkill."""
    config, now = cluster.config, time.time()
    minute, since = config["seconds_per_minute"], job.started or now
    steps = []
    if job.asked.run_limit:
        limit = since + job.asked.run_limit * minute
        steps += [
            (limit, signal.SIGUSR2),
            (limit + config["grace_minutes"] * minute, signal.SIGKILL),
        ]
    if job.killed:
        stages = (signal.SIGINT, signal.SIGTERM, signal.SIGKILL)
        pause = config["terminate_interval"]
        steps += [(job.killed + pause * n, stage) for n, stage in enumerate(stages)]
    for when, number in steps:
        if now >= when and f"{when} {number}" not in sent:
            sent.add(f"{when} {number}")
            if number == signal.SIGUSR2:
                job.reason = "TERM_RUNLIMIT: job killed after reaching LSF run time limit."
                cluster.save(job)
            signal_run(cluster, job, number)


def _play(cluster: Cluster, job: Job, sent: set[str]) -> None:
    """Let the ordered fault happen when its time has come, and end when it is over."""
    fault, since = job.fault, time.time() - (job.started or time.time())
    if not fault or since < fault["after"] or job.state in ENDED or job.run > 1:
        return
    kind, begins = fault["kind"], "fault" not in sent
    sent.add("fault")
    over = fault["lasts"] is not None and since >= fault["after"] + fault["lasts"]
    if begins and kind == "unknown":
        job.lost_until = time.time() + (fault["lasts"] if fault["lasts"] is not None else 1e9)
        cluster.turn(job, "UNKWN")
    elif begins and kind == "suspend":
        signal_run(cluster, job, signal.SIGSTOP)
        cluster.turn(job, "USUSP")
    elif begins and kind == "vanish":
        job.known = False
        cluster.save(job)
    elif begins and kind == "kill":
        job.killed = time.time()
        cluster.save(job)
    elif begins and kind in HOST_FAULTS:
        kill_host(cluster, str(job.host), HOST_FAULTS[kind], job)
    elif over and job.state in ("UNKWN", "USUSP") and kind in ("unknown", "suspend"):
        signal_run(cluster, job, signal.SIGCONT)
        job.lost_until = None
        cluster.turn(job, "RUN")


def kill_host(cluster: Cluster, host: str, state: str, current: Job) -> None:
    """A host dies: no process survives, and its jobs go to this state. The cluster is locked."""
    with cluster.faults() as faults:
        faults["down"].append(host)
    for other in cluster.jobs():
        if other.host != host or other.state in (*ENDED, "PEND"):
            continue
        signal_run(cluster, other, signal.SIGKILL)
        job = current if other.id == current.id else other
        if state == "UNKWN":
            job.lost_until = time.time() + 1e9
        else:
            job.host, job.devices = None, []
        if state == "EXIT":
            job.exit_code, job.reason = 130, "TERM_UNKNOWN: execution host is down."
        cluster.turn(job, state)


def _report(cluster: Cluster, job: Job) -> None:
    """What LSF appends to the output file."""
    if not job.asked.output or not job.known:
        return
    word, ended = "Done", "Successfully completed."
    if job.state == "EXIT":
        word, ended = "Exited", f"{job.reason}\nExited with exit code {job.exit_code}."
    name, rule = job.asked.name, "-" * 60
    text = (
        f"\n{rule}\nSender: LSF System <lsfadmin@{job.host}>\n"
        f"Subject: Job {job.id}: <{name}> in cluster <standin> {word}\n\n"
        f"Job <{name}> was submitted from host <login> in cluster <standin>.\n"
        f"Job was executed on host(s) <{job.host}>, in queue <{job.asked.queue}>.\n\n"
        f"{ended}\n"
    )
    with Path(job.asked.output.replace("%J", str(job.id))).open("a") as file:
        file.write(text)
