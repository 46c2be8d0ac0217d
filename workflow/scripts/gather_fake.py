"""Put the shards of an iteration's fake latents into one file."""

import argparse
from pathlib import Path

from sparring.settings.stages import GatherFake
from sparring.stages.job import Job, StageParser, run_job
from sparring.stages.parser import add_reference


def run(job: Job[GatherFake], args: argparse.Namespace) -> None:
    """Call the stage."""
    from sparring.stages.data import gather_fake

    gather_fake(job, args.shards, args.output, args.reference)


EXAMPLE = r"""
    python workflow/scripts/gather_fake.py --shards by_hand/shards/0.h5 by_hand/shards/1.h5 \
        --output by_hand/fake_latents.h5
"""

if __name__ == "__main__":
    parser = StageParser(__doc__, EXAMPLE)
    parser.add_input("--shards", nargs="+", required=True, help="latents files, in order")
    add_reference(parser)
    parser.add_argument("--output", type=Path, required=True, help="fake_latents.h5 to write")
    run_job(GatherFake, parser, run)
