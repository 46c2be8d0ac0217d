"""Train an autoencoder on packed layouts, or measure the statistics of a given one."""

import argparse
from pathlib import Path

from sparring.settings.stages import TrainAutoencoder
from sparring.stages.job import Job, StageParser, run_job


def run(job: Job[TrainAutoencoder], args: argparse.Namespace) -> None:
    """Call the stage; torch is imported here, after run_job has set the thread count."""
    from sparring.stages.autoencoder import train_autoencoder

    train_autoencoder(job, args.layouts, args.output)


EXAMPLE = r"""
    python workflow/scripts/train_autoencoder.py --device cpu --layouts by_hand/layouts.h5 \
        --output by_hand/autoencoder --set autoencoder.input=classes --set autoencoder.epochs=3
"""

if __name__ == "__main__":
    parser = StageParser(__doc__, EXAMPLE)
    parser.add_input("--layouts", required=True, help="packed layouts")
    parser.add_argument("--output", type=Path, required=True, help="model directory to write")
    run_job(TrainAutoencoder, parser, run)
