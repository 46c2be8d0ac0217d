"""Sample a denoiser: latents, a PNG each and a grid, in class colours where there are classes."""

import argparse
from pathlib import Path

from sparring.settings.stages_by_hand import Sample
from sparring.stages.job import Job, StageParser, run_job
from sparring.stages.parser import add_reference, add_sampled_models


def run(job: Job[Sample], args: argparse.Namespace) -> None:
    """Call the stage; torch is imported here, after run_job has set the thread count."""
    from sparring.stages.decoding import sample_pictures
    from sparring.stages.sampling import Models

    sample_pictures(job, Models.given(args), args.output)


EXAMPLE = r"""
    python workflow/scripts/sample.py --device cpu --denoiser by_hand/denoiser \
        --autoencoder by_hand/autoencoder --output by_hand/sampled --num-samples 16 \
        --num-steps 20
"""

if __name__ == "__main__":
    parser = StageParser(__doc__, EXAMPLE)
    add_sampled_models(parser)
    add_reference(parser)
    parser.add_argument(
        "--output",
        type=Path,
        required=True,
        help="folder for latents.h5, grid.png and pictures/00000.png and so on",
    )
    parser.add_setting("--condition", key="condition", help="the condition of all samples, by name")
    parser.add_setting("--num-samples", key="num_samples", type=int, help="samples; default 64")
    parser.add_setting(
        "--num-steps", key="sampling.num_steps", type=int, help="sampler steps; default 50"
    )
    run_job(Sample, parser, run)
