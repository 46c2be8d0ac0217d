"""Sample an iteration's fake latents from a denoiser."""

import argparse
from pathlib import Path

from sparring.settings.stages import SampleFake
from sparring.stages.job import Job, StageParser, run_job


def run(job: Job[SampleFake], args: argparse.Namespace) -> None:
    """Call the stage; torch is imported here, after run_job has set the thread count."""
    from sparring.stages.sampling import Models, sample_fake

    sample_fake(job, Models(args.denoiser, args.autoencoder), args.output)


if __name__ == "__main__":
    parser = StageParser(__doc__)
    parser.add_input("--denoiser", required=True, help="denoiser directory")
    parser.add_input("--autoencoder", required=True, help="autoencoder that the latents belong to")
    parser.add_argument("--output", type=Path, required=True, help="latents file to write")
    run_job(SampleFake, parser, run)
