"""Sample latents to judge a denoiser by, from the same noise for every model."""

import argparse
from pathlib import Path

from sparring.settings.stages import SampleEvaluation
from sparring.stages.job import Job, StageParser, run_job


def run(job: Job[SampleEvaluation], args: argparse.Namespace) -> None:
    """Call the stage; torch is imported here, after run_job has set the thread count."""
    from sparring.stages.sampling import Models, sample_evaluation

    sample_evaluation(
        job, Models(args.denoiser, args.autoencoder, conditions=args.conditions), args.output
    )


EXAMPLE = r"""
    python workflow/scripts/sample_evaluation.py --device cpu --denoiser by_hand/denoiser \
        --autoencoder by_hand/autoencoder --output by_hand/start/evaluation_latents.h5 \
        --set num_samples=64 --set sampling.num_steps=20
"""

if __name__ == "__main__":
    parser = StageParser(__doc__, EXAMPLE)
    parser.add_input("--denoiser", required=True, help="denoiser directory")
    parser.add_input("--autoencoder", required=True, help="autoencoder that the latents belong to")
    parser.add_input(
        "--conditions",
        help="for a class-conditional denoiser: latents of its training data, whose conditions "
        "the samples take",
    )
    parser.add_argument("--output", type=Path, required=True, help="latents file to write")
    run_job(SampleEvaluation, parser, run)
