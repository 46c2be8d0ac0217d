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


EXAMPLE = r"""
    python workflow/scripts/train_discriminator.py --device cpu \
        --real-latents by_hand/real_latents.h5 --fake-latents by_hand/fake_latents.h5 \
        --output-dir by_hand --epochs 5 --set discriminator.num_layers=3
"""

if __name__ == "__main__":
    parser = StageParser(__doc__, EXAMPLE)
    parser.add_input("--real-latents", required=True, help="reals")
    parser.add_input("--fake-latents", required=True, help="fakes")
    parser.add_input("--start-from", help="discriminator directory to go on from")
    parser.add_argument(
        "--output", type=Path, required=True, help="discriminator directory to write"
    )
    parser.add_argument(
        "--history", type=Path, required=True, help="CSV to write, one row per epoch"
    )
    parser.add_folder("--output-dir", output="discriminator", history="discriminator_history.csv")
    settings = {
        "--epochs": (int, "passes over reals and fakes"),
        "--batch-size": (int, "latents per step"),
        "--learning-rate": (float, "Adam's rate"),
    }
    for flag, (kind, meaning) in settings.items():
        key = f"discriminator.{flag.removeprefix('--').replace('-', '_')}"
        parser.add_setting(flag, key=key, type=kind, help=meaning)
    run_job(TrainDiscriminator, parser, run)
