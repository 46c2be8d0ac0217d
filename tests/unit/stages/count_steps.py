"""A stage program that counts: it needs no network, and its steps can be seen from outside.

Every step appends a line to the file that COUNT_TRACE names.
"""

import argparse
import os
import time
from pathlib import Path

from sparring.artefacts.atomic import replacing, write_text
from sparring.artefacts.state_files import CHECKPOINT
from sparring.errors import UserError
from sparring.progress import progress
from sparring.settings.stage_settings import StageSettings
from sparring.stages.job import Job, StageParser, run_job


class CountSteps(StageSettings):
    """So many steps, each of so many seconds; ends as `ending` says, some seconds later."""

    stage = "count_steps"
    steps: int
    seconds: float = 0.0
    ending: str = "well"
    lingering: float = 0.0


def run(job: Job[CountSteps], args: argparse.Namespace) -> None:
    """Count on from the saved step, then write the input and the count."""
    saved = job.file.parent / CHECKPOINT
    done = int(saved.read_text()) if saved.exists() else 0
    steps = range(done, job.settings.steps)
    with replacing(args.table) as table:
        for step in progress(steps, "counting", len(steps)):
            table.write_text(f"half a table at step {step}")
            with open(os.environ["COUNT_TRACE"], "a") as trace:
                trace.write(f"{step}\n")
            time.sleep(job.settings.seconds)
            write_text(saved, str(step + 1))
            job.note({"done": step + 1, "total": job.settings.steps, "unit": "step"})
        if job.settings.ending == "refused":
            raise UserError("the input is of no use; take another")
        if job.settings.ending == "crash":
            raise ZeroDivisionError("a bug")
        table.write_text(f"{job.settings.steps} steps\n")
    write_text(args.output, args.input.read_text() * job.settings.steps)
    time.sleep(job.settings.lingering)


if __name__ == "__main__":
    parser = StageParser(__doc__)
    parser.add_input("--input", required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--table", type=Path, required=True)
    run_job(CountSteps, parser, run)
