"""Judge a model's samples by held-out reals; without samples, training reals: the null."""

import argparse
from pathlib import Path

from sparring.settings.stages import Evaluate
from sparring.stages.job import Job, StageParser, run_job


def run(job: Job[Evaluate], args: argparse.Namespace) -> None:
    """Call the stage; torch is imported here, after run_job has set the thread count."""
    from sparring.stages.judging import evaluate

    evaluate(job, args.samples, args.held_out, args.reference, args.output, args.neighbours)


EXAMPLE = r"""
    python workflow/scripts/evaluate.py --samples by_hand/start/evaluation_latents.h5 \
        --held-out by_hand/latents/test.h5 --reference by_hand/latents/train.h5 \
        --output by_hand/start/evaluation.json --neighbours by_hand/start/neighbours.json \
        --set evaluation.feature_dim=8
"""

if __name__ == "__main__":
    parser = StageParser(__doc__, EXAMPLE)
    parser.add_input("--samples", help="latents of the model; leave it out for the null")
    parser.add_input("--held-out", required=True, help="latents of the test split")
    parser.add_input("--reference", required=True, help="latents of the train split")
    parser.add_argument("--output", type=Path, required=True, help="evaluation.json to write")
    parser.add_argument(
        "--neighbours",
        type=Path,
        required=True,
        help="neighbours.json to write: training layouts nearest to every sample",
    )
    run_job(Evaluate, parser, run)
