"""Sample an iteration's fake latents from a denoiser."""

import argparse
from pathlib import Path

from sparring.settings.stages import SampleFake
from sparring.stages.job import Job, StageParser, run_job
from sparring.stages.parser import add_reference, add_sampled_models


def run(job: Job[SampleFake], args: argparse.Namespace) -> None:
    """Call the stage; torch is imported here, after run_job has set the thread count."""
    from sparring.stages.sampling import Models, sample_fake

    sample_fake(job, Models.given(args), args.output)


EXAMPLE = r"""
    python workflow/scripts/sample_fake.py --device cpu --denoiser by_hand/denoiser \
        --autoencoder by_hand/autoencoder --output by_hand/fake_latents.h5 \
        --set num_samples=300 --set sampling.num_steps=20
"""

if __name__ == "__main__":
    parser = StageParser(__doc__, EXAMPLE)
    add_sampled_models(parser)
    add_reference(parser)
    parser.add_argument("--output", type=Path, required=True, help="latents file to write")
    run_job(SampleFake, parser, run)
