"""How far a run is, read from its files alone: no scheduler and no Snakemake is asked."""

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ..artefacts.attempts import Row, read_attempts
from ..artefacts.finished import Finished
from ..artefacts.lock import Holder, read_lock
from ..balance import balance_of
from ..errors import UserError
from .jobs import JobFiles, Wildcards, job_files
from .listing import all_jobs
from .loading import Rounds

State = Literal["done", "running", "died", "failed", "interrupted", "waiting"]
_ENDINGS: dict[str, State] = {
    "failed": "failed",
    "interrupted": "interrupted",
    "superseded": "interrupted",
    "died": "died",
}
_LOG_LINES = 3


@dataclass(frozen=True)
class JobStatus:
    """One job: what it is, how it stands, and what there is to say."""

    rule: str
    wildcards: Wildcards
    name: str
    state: State
    detail: str
    log_tail: tuple[str, ...] = ()
    outcome: str = ""
    """What a finished discriminator came to."""


def status_of(rounds: Rounds) -> list[JobStatus]:
    """Every job of the configured experiments."""
    return [_status(rounds, rule, wildcards) for rule, wildcards in all_jobs(rounds)]


def _status(rounds: Rounds, rule: str, wildcards: Wildcards) -> JobStatus:
    files = job_files(rounds, rule, wildcards)
    state, detail = _judge(files, rounds.config.lock_timeout_seconds)
    tail = _tail(Path(files.log)) if state == "failed" else ()
    name = str(Path(files.job).parent.relative_to(rounds.config.state))
    outcome = ""
    if rule == "train_discriminator" and state == "done":
        outcome = _balance(Path(files.record).parent.parent, int(wildcards["iteration"]))
    return JobStatus(rule, wildcards, name, state, detail, tail, outcome)


def _judge(files: JobFiles, timeout: float) -> tuple[State, str]:
    directory = Path(files.job).parent
    holder = read_lock(directory)
    if holder is not None:
        return _of_holder(holder, timeout)
    attempts = read_attempts(Path(files.log))
    if _is_done(files):
        return "done", _spent(attempts)
    if attempts and attempts[-1]["outcome"] in _ENDINGS:
        last = attempts[-1]
        return _ENDINGS[last["outcome"]], f"{last['ended']} on {last['host']} {last['job']}".strip()
    return "waiting", ""


def _of_holder(holder: Holder, timeout: float) -> tuple[State, str]:
    silent = time.time() - holder.time
    who = holder.process.description
    if holder.process.is_gone or silent > 2 * timeout:
        return "died", f"{who}, last seen {_span(silent)} ago; run snakemake again to go on"
    note = holder.note
    parts = [who]
    if "done" in note:
        done = f"{note['done']:.1f}".removesuffix(".0")
        parts.insert(0, f"{note['unit']} {done} of {note['total']}")
        if note.get("seconds_left") is not None:
            parts.insert(1, f"{_span(note['seconds_left'])} left")
    losses = [f"{k} {v:.4g}" for k, v in note.items() if "loss" in k and v is not None]
    return "running", ", ".join([*parts[:-1], *losses, parts[-1]])


def _is_done(files: JobFiles) -> bool:
    """Finished with the settings it was last planned with, and its outputs are there."""
    planned, recorded = _settings(files.job), _settings(files.record)
    if recorded is None or planned not in (None, recorded):
        return False
    return all(path.exists() for path in Finished(Path(files.job).parent).outputs)


def _balance(folder: Path, iteration: int) -> str:
    try:
        found = balance_of(folder, iteration)
    except UserError as error:
        return str(error)
    return found.line if found else ""


def _settings(path: str) -> Any:
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))["settings"]
    except (OSError, ValueError, KeyError):
        return None


def _spent(attempts: list[Row]) -> str:
    seconds = sum(float(attempt["seconds"]) for attempt in attempts)
    worked = [a for a in attempts if a["outcome"] != "already finished"]
    return f"{_span(seconds)} in {len(worked)} attempts" if len(worked) > 1 else _span(seconds)


def _tail(log: Path) -> tuple[str, ...]:
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ()
    return tuple(lines[-_LOG_LINES:])


def _span(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
