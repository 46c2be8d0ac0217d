"""Sample latents to judge a denoiser by, from the same noise for every model."""

import argparse
from pathlib import Path

from sparring.settings.stages import SampleEvaluation
from sparring.stages.job import Job, StageParser, run_job
from sparring.stages.parser import add_reference, add_sampled_models


def run(job: Job[SampleEvaluation], args: argparse.Namespace) -> None:
    """Call the stage; torch is imported here, after run_job has set the thread count."""
    from sparring.stages.sampling import Models, sample_evaluation

    sample_evaluation(job, Models.given(args), args.output)


EXAMPLE = r"""
    python workflow/scripts/sample_evaluation.py --device cpu --denoiser by_hand/denoiser \
        --autoencoder by_hand/autoencoder --output by_hand/start/evaluation_latents.h5 \
        --set num_samples=64 --set sampling.num_steps=20
"""

if __name__ == "__main__":
    parser = StageParser(__doc__, EXAMPLE)
    add_sampled_models(parser)
    add_reference(parser)
    parser.add_argument("--output", type=Path, required=True, help="latents file to write")
    run_job(SampleEvaluation, parser, run)
