"""Encode every layout of a dataset once, one latents file per split."""

import argparse
from pathlib import Path

from sparring.settings.stages import EncodeLayouts
from sparring.stages.job import Job, StageParser, run_job


def run(job: Job[EncodeLayouts], args: argparse.Namespace) -> None:
    """Call the stage; torch is imported here, after run_job has set the thread count."""
    from sparring.stages.autoencoder import encode_layouts

    outputs = {split: getattr(args, split) for split in ("train", "val", "test")}
    encode_layouts(job, args.layouts, args.autoencoder, outputs)


if __name__ == "__main__":
    parser = StageParser(__doc__)
    parser.add_input("--layouts", required=True, help="packed layouts")
    parser.add_input("--autoencoder", required=True, help="autoencoder directory")
    parser.add_argument(
        "--train", type=Path, required=True, help="latents of the train split to write"
    )
    parser.add_argument("--val", type=Path, required=True, help="latents of the val split to write")
    parser.add_argument(
        "--test", type=Path, required=True, help="latents of the test split to write"
    )
    run_job(EncodeLayouts, parser, run)
