"""The programs of the stand-in: bsub, bjobs, bkill, bhist, bqueues, badmin, lsclusters."""

import fnmatch
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from .cluster import ENDED, ROOT, Cluster, Job
from .submission import RefusedError, parse

DOWN = "LSF is down. Please wait ..."
TIMEOUT = (
    "Failed in an LSF library call: Failed in sending/receiving a message: Communication timeout"
)


def main(directory: str) -> None:
    """Run the program that this process was called as."""
    cluster, program = Cluster(directory), Path(sys.argv[0]).name
    how, seconds = _fault(cluster, program)
    if how == "hang":
        time.sleep(seconds)
    if how in ("down", "timeout"):
        sys.exit(_fail(DOWN if how == "down" else TIMEOUT))
    if how == "empty":
        sys.exit(0)
    commands: dict[str, Callable[[Cluster, list[str]], int]] = {
        "bsub": bsub,
        "bjobs": bjobs,
        "bkill": bkill,
        "bhist": bhist,
        "bqueues": bqueues,
        "badmin": badmin,
        "lsclusters": lsclusters,
    }
    if how in ("after", "silent"):
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115
    code = commands[program](cluster, sys.argv[1:])
    sys.exit(_fail(DOWN) if how == "after" else code)


def _fault(cluster: Cluster, program: str) -> tuple[str, float]:
    """The fault that is ordered for this call, and its seconds."""
    with cluster.locked(), cluster.faults() as faults:
        for fault in faults["commands"]:
            if fault["program"] != program:
                continue
            if fault["until"] is not None and fault["until"] > time.time():
                return fault["how"], fault["seconds"]
            if fault["until"] is None and fault["calls"] > 0:
                fault["calls"] -= 1
                return fault["how"], fault["seconds"]
    return "", 0.0


def _fail(message: str) -> int:
    print(message, file=sys.stderr)
    return 255


def bsub(cluster: Cluster, arguments: list[str]) -> int:
    """Accept a job and start its supervisor."""
    try:
        asked = parse(arguments, cluster.config)
    except RefusedError as refused:
        return _fail(str(refused))
    asked = replace(asked, cwd=asked.cwd or os.getcwd())
    with cluster.locked(), cluster.faults() as faults:
        job = Job(cluster.next_id(), asked, submitted=time.time())
        for fault in faults["jobs"]:
            if fault["times"] > 0 and fault["name"] in asked.name:
                fault["times"] -= 1
                job.fault = fault
                break
        if not job.fault or job.fault["kind"] != "lost":
            held = asked.held or (job.fault and job.fault["kind"] == "suspend_pending")
            job.state = "PSUSP" if held else "PEND"
            cluster.save(job)
            _log_new(cluster, job)
            _supervise(cluster, job)
    default = "default queue" if asked.default_queue else "queue"
    print(f"Job <{job.id}> is submitted to {default} <{asked.queue}>.")
    return 0


def _log_new(cluster: Cluster, job: Job) -> None:
    """JOB_NEW with the fields of IBM's reference up to the command; 11 limits of -1."""
    asked, now = job.asked, int(job.submitted)
    user, home = os.environ.get("USER", "user"), os.environ.get("HOME", "/")
    head = [job.id, os.geteuid(), 0, asked.slots, now, 0, 0, 0, 0, 0, user]
    where = [asked.queue, "", "login", asked.cwd, "", "", asked.output, asked.error, home, ""]
    limits = [-1] * 11
    cluster.log("JOB_NEW", *head, *limits, "login", 1.0, 18, *where, 0, "", "", asked.name)


def _supervise(cluster: Cluster, job: Job) -> None:
    program = "import sys; sys.path.insert(0, sys.argv[1]); from lsf.supervisor import main; main()"
    with (cluster.directory / "supervisors.log").open("a") as log:
        subprocess.Popen(
            [sys.executable, "-ISc", program, str(ROOT), str(cluster.directory), str(job.id)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            env=os.environ | {"LSF_STANDIN_SUPERVISOR": str(cluster.directory)},
        )


def bjobs(cluster: Cluster, arguments: list[str]) -> int:
    """`bjobs [-a] [-noheader] [-o fields] [-J pattern] [id ...]`."""
    given, numbers = _bjobs_options(arguments)
    if given is None:
        return _fail("bjobs: illegal option")
    with cluster.locked():
        jobs = [job for job in cluster.jobs() if job.known]
    missing = set(numbers) - {str(job.id) for job in jobs}
    for number in sorted(missing):
        _fail(f"Job <{number}> is not found")
    if numbers:
        jobs = [job for job in jobs if str(job.id) in numbers]
    elif "-a" not in given:
        jobs = [job for job in jobs if job.state not in ENDED]
    pattern = given.get("-J", "*")
    jobs = [job for job in jobs if fnmatch.fnmatchcase(job.asked.name, pattern)]
    if not jobs and not missing:
        wanted = f"Job <{pattern}> is not found" if "-J" in given else "No unfinished job found"
        return _fail(wanted)
    fields = given.get("-o", "jobid stat queue")
    if "-noheader" not in given:
        print(fields.upper())
    for job in jobs:
        print(" ".join(_field(job, name) for name in fields.split()))
    return 255 if missing else 0


def _bjobs_options(arguments: list[str]) -> tuple[dict[str, str] | None, list[str]]:
    """Options with their values, and job ids; None for an unknown option."""
    given, rest = {}, list(arguments)
    while rest and rest[0].startswith("-"):
        option = rest.pop(0)
        if option == "-aJ":
            given["-a"], option = "", "-J"
        if option in ("-o", "-J") and rest:
            given[option] = rest.pop(0)
        elif option in ("-a", "-noheader"):
            given[option] = ""
        else:
            return None, []
    return given, rest


def _field(job: Job, name: str) -> str:
    """A column of bjobs -o; empty ones are a hyphen."""
    columns = {
        "jobid": job.id,
        "stat": job.state,
        "queue": job.asked.queue,
        "job_name": job.asked.name,
        "job_description": job.asked.description,
        "output_file": job.asked.output,
        "exec_host": job.host,
        "exit_code": job.exit_code,
    }
    return str(columns[name] or "-")


def bkill(cluster: Cluster, arguments: list[str]) -> int:
    """`bkill [-r] id ...` or `bkill [-r] -J pattern 0`: INT, TERM, KILL."""
    force, code = "-r" in arguments, 0
    numbers = [argument for argument in arguments if argument != "-r"]
    with cluster.locked():
        jobs = {str(job.id): job for job in cluster.jobs() if job.known}
        if numbers[:1] == ["-J"] and numbers[2:] == ["0"]:
            named = [
                job for job in jobs.values() if fnmatch.fnmatchcase(job.asked.name, numbers[1])
            ]
            numbers = [str(job.id) for job in named if job.state not in ENDED]
            if not numbers:
                return _fail("No matching job found")
        if not numbers or not all(number.isdigit() for number in numbers):
            return _fail("Job ID, user name, job name, or queue name is required.")
        for number in numbers:
            job = jobs.get(number)
            if job is None:
                code = _fail(f"Job <{number}>: No matching job found")
            elif job.state in ENDED:
                code = _fail(f"Job <{number}>: Job has already finished")
            else:
                _kill(cluster, job, force)
                print(f"Job <{number}> is being terminated")
    return code


def _kill(cluster: Cluster, job: Job, force: bool) -> None:
    """With `force` LSF forgets the job at once; out of contact it becomes a ZOMBI."""
    job.killed, job.reason = time.time(), "TERM_OWNER: job killed by owner."
    cluster.save(job)
    if job.host is None or force:
        job.exit_code = 130
        cluster.turn(job, "EXIT")
    elif job.state == "UNKWN":
        job.state = "ZOMBI"
        cluster.save(job)


def bhist(cluster: Cluster, arguments: list[str]) -> int:
    """`bhist -l -a`: as much as names projects."""
    with cluster.locked():
        jobs = [job for job in cluster.jobs() if job.known]
    if not jobs:
        return _fail("No matching job found")
    for job in jobs:
        print(f"Job <{job.id}>, Job Name <{job.asked.name}>, Project <{job.asked.project}>")
    return 0


def bqueues(cluster: Cluster, arguments: list[str]) -> int:
    """`bqueues [-w] [name ...]`."""
    queues = cluster.config["queues"]
    names = [argument for argument in arguments if argument != "-w"] or list(queues)
    unknown = [name for name in names if name not in queues]
    if len(unknown) < len(names):
        print("QUEUE_NAME PRIO STATUS MAX JL/U JL/P JL/H NJOBS PEND RUN SUSP")
    for name in names:
        if name in queues:
            print(f"{name} 30 Open:Active - - - - 0 0 0 0")
    for name in unknown:
        _fail(f"{name}: No such queue")
    return 255 if unknown else 0


def badmin(cluster: Cluster, arguments: list[str]) -> int:
    """`badmin showconf mbd`."""
    if arguments != ["showconf", "mbd"]:
        return _fail("Illegal command. Try <help>.")
    print("MBD configuration at Mon Jan  1 00:00:00 2024:")
    print(f"    LSB_SHAREDIR = {cluster.directory}/work")
    print(f"    LSF_CONFDIR = {cluster.directory}/conf")
    print(f"    LSF_UNIT_FOR_LIMITS = {cluster.config['unit']}")
    return 0


def lsclusters(cluster: Cluster, arguments: list[str]) -> int:
    """`lsclusters [-w]`."""
    print("CLUSTER_NAME   STATUS   MASTER_HOST   ADMIN   HOSTS  SERVERS")
    print(f"standin   ok   login   lsfadmin   {len(cluster.config['hosts'])}   1")
    return 0
