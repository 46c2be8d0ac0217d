"""What LSF's commands say: which jobs it lists, why it takes none, how jobs ended."""

import re
import subprocess
from collections.abc import Iterable
from pathlib import Path

SECONDS = 120
"""An LSF command that takes longer hangs: LSF's client waits for ever for a daemon that is away."""

NO_JOB = re.compile(r"is not found|No (unfinished|matching|pending|running)? ?job found", re.I)
PASSING = re.compile(
    "LSF is down|cannot connect to LSF|please wait|not responding|time.?out|timed out"
    "|connection (refused|reset|is lost)|failed in sending/receiving|failed in an LSF library call"
    "|is not connected|temporarily unavailable|cannot fork|cannot allocate memory"
    "|internal error|no job id|job limit|threshold|not have enough .* job slots",
    re.IGNORECASE,
)
DONE, EXIT = 64, 32


class NoAnswerError(Exception):
    """LSF did not answer: nothing is known about any job."""


def ask(*command: str) -> subprocess.CompletedProcess[str]:
    """Run one of LSF's commands. NoAnswerError: it is missing, or hangs."""
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=SECONDS)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NoAnswerError(f"{command[0]}: {error}") from error


def listed(pattern: str, *fields: str) -> dict[str, str]:
    """The further fields of every job whose name matches, by id; ended jobs too.

    NoAnswerError: bjobs failed, hangs, or says nothing at all.
    """
    said = ask("bjobs", "-noheader", "-o", " ".join(("jobid", *fields)), "-a", "-J", pattern)
    pairs = [line.split(None, 1) for line in said.stdout.splitlines()]
    jobs = {pair[0]: pair[1].strip() for pair in pairs if len(pair) == 2 and pair[0].isdigit()}
    if not jobs and not NO_JOB.search(said.stderr):
        raise NoAnswerError(f"bjobs: {one_line(said.stderr) or 'printed nothing'}")
    return jobs


def ended(events: str, jobs: Iterable[str]) -> dict[str, str]:
    """DONE or EXIT of the jobs whose end the event log tells; {} where it cannot be read.

    Read here because the plugin's awk program needs gawk: mawk knows no FPAT and finds nothing.
    """
    wanted, found = set(jobs), dict[str, str]()
    try:
        with Path(events).open(errors="replace") as records:
            for record in records:
                kind, _, _, job, *rest = record.split(None, 5)[:5] + [""] * 5
                if job not in wanted:
                    continue
                found.pop(job, None)  # submitted anew or running again
                if kind == '"JOB_STATUS"' and rest[0].isdigit() and int(rest[0]) & (DONE | EXIT):
                    found[job] = "DONE" if int(rest[0]) & DONE else "EXIT"
    except OSError:
        return {}
    return found


def one_line(text: str) -> str:
    """What a command said, as one line: the one that says why a job was refused, else the last."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return next((line for line in lines if "not submitted" in line), lines[-1] if lines else "")
