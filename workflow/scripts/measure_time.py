"""How long an iteration took beside its control, and the epochs of a control of equal time."""

import argparse
from pathlib import Path

from sparring.settings.stages import MeasureTime
from sparring.stages.job import Job, StageParser, run_job


def run(job: Job[MeasureTime], args: argparse.Namespace) -> None:
    """Call the stage."""
    from sparring.stages.timing import measure_time

    measure_time(job, args.adversarial_logs, args.control_logs, args.output)


def unwatched(log: Path) -> str:
    """A log may grow, move or go: what was measured stays."""
    return ""


EXAMPLE = r"""
    python workflow/scripts/measure_time.py \
        --adversarial by_hand/finetuned/denoiser --adversarial-logs by_hand/logs/sample_fake.log \
        by_hand/logs/train_discriminator.log by_hand/logs/finetune_diffusion.log \
        --control by_hand/control/denoiser --control-logs by_hand/logs/control.log \
        --output by_hand/time.json --set epochs=3
"""

if __name__ == "__main__":
    parser = StageParser(__doc__, EXAMPLE)
    for arm, what in (("adversarial", "the adversarial arm"), ("control", "the control")):
        parser.add_input(f"--{arm}", required=True, help=f"denoiser directory that {what} left")
        parser.add_input(
            f"--{arm}-logs",
            nargs="+",
            required=True,
            digest=unwatched,
            help=f"logs of {what} in this iteration; their .attempts.csv lie beside them",
        )
    parser.add_argument("--output", type=Path, required=True, help="time.json to write")
    run_job(MeasureTime, parser, run)
