"""Calling the stand-in's programs as a user would, and waiting for what comes of it."""

import os
import re
import subprocess
import time


def call(cluster, program, *arguments):
    """Run one of the cluster's programs."""
    return subprocess.run(
        [cluster.bin / program, *arguments],
        capture_output=True,
        text=True,
        cwd=cluster.directory,
        env=os.environ | cluster.environment(),
    )


def submit(cluster, command, *options):
    """The id of an accepted job."""
    done = call(cluster, "bsub", *options, command)
    assert done.returncode == 0, done.stderr
    return int(re.match(r"Job <(\d+)> is submitted to ", done.stdout)[1])


def status(cluster, number):
    """What bjobs says of a job; None when it does not know it."""
    done = call(cluster, "bjobs", "-noheader", "-o", "jobid stat", str(number))
    return done.stdout.split()[1] if done.returncode == 0 else None


def wait(condition, seconds=10.0):
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return found


def until(cluster, number, *states):
    """The job once it is in one of these states."""

    def job():
        with cluster.locked():
            found = cluster.job(number)
        return found if found.state in states else None

    return wait(job)


def lines(path):
    return path.read_text().splitlines() if path.exists() else []
