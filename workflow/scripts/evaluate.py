"""Distances of samples to held-out reals, beside training reals."""

import argparse
from pathlib import Path

from sparring.settings.stages import Evaluate
from sparring.stages.job import Job, StageParser, run_job


def run(job: Job[Evaluate], args: argparse.Namespace) -> None:
    """Call the stage; torch is imported here, after run_job has set the thread count."""
    from sparring.stages.evaluation import evaluate

    evaluate(job, args.samples, args.held_out, args.reference, args.output)


EXAMPLE = r"""
    python workflow/scripts/evaluate.py --samples by_hand/start/evaluation_latents.h5 \
        --held-out by_hand/latents/test.h5 --reference by_hand/latents/train.h5 \
        --output by_hand/start/evaluation.json --set evaluation.feature_dim=8
"""

if __name__ == "__main__":
    parser = StageParser(__doc__, EXAMPLE)
    parser.add_input("--samples", required=True, help="latents of the model")
    parser.add_input("--held-out", required=True, help="latents of the test split")
    parser.add_input("--reference", required=True, help="latents of the train split")
    parser.add_argument("--output", type=Path, required=True, help="evaluation.json to write")
    run_job(Evaluate, parser, run)
