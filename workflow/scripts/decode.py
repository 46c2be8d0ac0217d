"""Decode a latents file: a PNG each and a grid, in class colours where there are classes."""

import argparse
from pathlib import Path

from sparring.settings.stages_by_hand import Decode
from sparring.stages.job import Job, StageParser, run_job


def run(job: Job[Decode], args: argparse.Namespace) -> None:
    """Call the stage; torch is imported here, after run_job has set the thread count."""
    from sparring.stages.decoding import decode_latents

    decode_latents(job, args.latents, args.autoencoder, args.output)


EXAMPLE = r"""
    python workflow/scripts/decode.py --device cpu --latents by_hand/latents/test.h5 \
        --autoencoder by_hand/autoencoder --output by_hand/decoded --num-samples 16
"""

if __name__ == "__main__":
    parser = StageParser(__doc__, EXAMPLE)
    parser.add_input("--latents", required=True, help="latents file")
    parser.add_input("--autoencoder", required=True, help="autoencoder that the latents belong to")
    parser.add_argument(
        "--output",
        type=Path,
        required=True,
        help="folder for grid.png and pictures/00000.png and so on, in the file's order",
    )
    parser.add_setting(
        "--num-samples", key="num_samples", type=int, help="the first so many; default all"
    )
    run_job(Decode, parser, run)
