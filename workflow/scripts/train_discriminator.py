"""Train a discriminator to tell real latents from fake ones."""

import argparse
from pathlib import Path

from sparring.settings.stages import TrainDiscriminator
from sparring.stages.job import Job, StageParser, run_job


def run(job: Job[TrainDiscriminator], args: argparse.Namespace) -> None:
    """Call the stage; torch is imported here, after run_job has set the thread count."""
    from sparring.stages.discriminator import train_discriminator

    train_discriminator(
        job, args.real_latents, args.fake_latents, args.start_from, args.output, args.history
    )


if __name__ == "__main__":
    parser = StageParser(__doc__)
    parser.add_input("--real-latents", required=True, help="reals")
    parser.add_input("--fake-latents", required=True, help="fakes")
    parser.add_input("--start-from", help="discriminator directory to go on from")
    parser.add_argument(
        "--output", type=Path, required=True, help="discriminator directory to write"
    )
    parser.add_argument(
        "--history", type=Path, required=True, help="CSV to write, one row per epoch"
    )
    run_job(TrainDiscriminator, parser, run)
