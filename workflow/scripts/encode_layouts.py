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


EXAMPLE = r"""
    python workflow/scripts/encode_layouts.py --device cpu --layouts by_hand/layouts.h5 \
        --autoencoder by_hand/autoencoder --output-dir by_hand/latents
"""

if __name__ == "__main__":
    parser = StageParser(__doc__, EXAMPLE)
    parser.add_input("--layouts", required=True, help="packed layouts")
    parser.add_input("--autoencoder", required=True, help="autoencoder directory")
    parser.add_argument(
        "--train", type=Path, required=True, help="latents of the train split to write"
    )
    parser.add_argument("--val", type=Path, required=True, help="latents of the val split to write")
    parser.add_argument(
        "--test", type=Path, required=True, help="latents of the test split to write"
    )
    parser.add_folder("--output-dir", train="train.h5", val="val.h5", test="test.h5")
    run_job(EncodeLayouts, parser, run)
