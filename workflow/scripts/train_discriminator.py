"""Train a discriminator to tell real latents from fake ones."""

import argparse
from pathlib import Path

from sparring.settings.stages import TrainDiscriminator
from sparring.stages.job import Job, job_parser, run_job


def run(job: Job[TrainDiscriminator], args: argparse.Namespace) -> None:
    """Call the stage; torch is imported here, after run_job has set the thread count."""
    from sparring.stages.discriminator import train_discriminator

    train_discriminator(
        job, args.real_latents, args.fake_latents, args.start_from, args.output, args.history
    )


if __name__ == "__main__":
    parser = job_parser(__doc__)
    parser.add_argument("--real-latents", type=Path, required=True, help="reals")
    parser.add_argument("--fake-latents", type=Path, required=True, help="fakes")
    parser.add_argument("--start-from", type=Path, help="discriminator directory to go on from")
    parser.add_argument(
        "--output", type=Path, required=True, help="discriminator directory to write"
    )
    parser.add_argument(
        "--history", type=Path, required=True, help="CSV to write, one row per epoch"
    )
    run_job(TrainDiscriminator, parser, run)
