"""A control of equal time: how long an iteration took beside its control."""

import json
import logging
import math
from collections.abc import Sequence
from pathlib import Path

from ..artefacts.atomic import write_text
from ..artefacts.attempts import attempts_of_outputs, read_attempts
from ..artefacts.digests import text_digest
from ..errors import UserError
from ..settings.stages import MeasureTime
from .job import Job

logger = logging.getLogger(__name__)


def measure_time(
    job: Job[MeasureTime], adversarial: Sequence[Path], control: Sequence[Path], output: Path
) -> None:
    """Write the epochs that take the control as long as the iteration took, at least its own.

    `adversarial` and `control` are the logs of the jobs beside which their attempts stand. Where
    some are missing, or the two ran on different devices, the usual ratio of times is taken: a
    run does not fail for want of a record.
    """
    s = job.settings
    (seconds, devices), (own_seconds, own_devices) = map(_spent, (adversarial, control))
    measured = bool(seconds and own_seconds) and len(devices | own_devices) == 1
    ratio = seconds / own_seconds if measured else s.usual_ratio
    content = {
        "measured": measured,
        "adversarial_seconds": round(seconds, 1) if measured else None,
        "control_seconds": round(own_seconds, 1) if measured else None,
        "ratio": round(ratio, 4),
        "epochs": max(s.epochs, math.ceil(s.epochs * ratio)),
    }
    write_text(output, json.dumps(content, indent=2) + "\n")
    how = "measured" if measured else "not measured: the usual ratio of updates"
    logger.info("%.2f times its control (%s): %d epochs", ratio, how, content["epochs"])


def epochs_of(time: Path) -> int:
    """The epochs in what `measure_time` wrote."""
    try:
        epochs = json.loads(time.read_text(encoding="utf-8"))["epochs"]
        if not isinstance(epochs, int) or epochs < 1:
            raise ValueError(f"epochs is {epochs!r}, expected a number from 1")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{time}: not a measured time ({error}); delete it and run snakemake again"
        ) from error
    return epochs


def epochs_digest(time: Path) -> str:
    """Another time that makes as many epochs is no other work."""
    return text_digest(str(epochs_of(time)))


def _spent(logs: Sequence[Path]) -> tuple[float, set[str]]:
    """Seconds of the device in which the present outputs were made, and which devices these were;
    0 seconds where a job has no record."""
    jobs = [attempts_of_outputs(read_attempts(log)) for log in logs]
    if not all(jobs):
        return 0.0, set()
    try:
        # Of attempts that died, and those of earlier versions, only the wall time is known.
        spent = (float(row["device_seconds"] or row["seconds"]) for rows in jobs for row in rows)
        return sum(spent), {rows[-1]["device"] for rows in jobs}
    except ValueError:  # a full disk has damaged a row
        return 0.0, set()
