"""Put the shards of an iteration's fake latents into one file."""

import argparse
from pathlib import Path

from sparring.settings.stages import GatherFake
from sparring.stages.job import Job, StageParser, run_job


def run(job: Job[GatherFake], args: argparse.Namespace) -> None:
    """Call the stage."""
    from sparring.stages.data import gather_fake

    gather_fake(job, args.shards, args.output)


if __name__ == "__main__":
    parser = StageParser(__doc__)
    parser.add_input("--shards", nargs="+", required=True, help="latents files, in order")
    parser.add_argument("--output", type=Path, required=True, help="fake_latents.h5 to write")
    run_job(GatherFake, parser, run)
