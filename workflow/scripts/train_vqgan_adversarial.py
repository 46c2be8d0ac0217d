"""Go on training a VQ-GAN: against discriminators (phase two), or without them (control)."""

import argparse
from pathlib import Path

from sparring.settings.vqgan_stages import TrainVqganAdversarial
from sparring.stages.job import Job, StageParser, run_job


def run(job: Job[TrainVqganAdversarial], args: argparse.Namespace) -> None:
    """Call the stage; torch is imported here, after run_job has set the thread count."""
    from sparring.stages.vqgan import VqganOutputs, train_vqgan_adversarial

    outputs = VqganOutputs(
        args.output, args.history, args.optimizer_output, args.samples, args.discriminators
    )
    train_vqgan_adversarial(job, args.volumes, args.vqgan, args.optimizer, outputs)


EXAMPLE = r"""
    python workflow/scripts/train_vqgan_adversarial.py --device cpu \
        --volumes by_hand/volumes.h5 --vqgan by_hand/reconstruction/vqgan \
        --optimizer by_hand/reconstruction/optimizer.safetensors \
        --output-dir by_hand/adversarial --set first_step=200 --set steps=100 \
        --set training.eval_interval=100 --set training.patch_size=32 \
        --set adversarial.base_channels=16
"""

if __name__ == "__main__":
    parser = StageParser(__doc__, EXAMPLE)
    parser.add_input("--volumes", required=True, help="packed volumes")
    parser.add_input("--vqgan", required=True, help="VQ-GAN directory that phase one left")
    parser.add_input("--optimizer", help="optimizer.safetensors that phase one left, to carry on")
    parser.add_argument("--output", type=Path, required=True, help="VQ-GAN directory to write")
    parser.add_argument(
        "--history", type=Path, required=True, help="CSV to write, a row per eval_interval steps"
    )
    parser.add_argument(
        "--optimizer-output", type=Path, required=True, help="optimizer.safetensors to write"
    )
    parser.add_argument("--samples", type=Path, required=True, help="folder for pictures")
    parser.add_argument(
        "--discriminators", type=Path, required=True, help="folder for the discriminators"
    )
    parser.add_folder(
        "--output-dir",
        output="vqgan",
        history="history.csv",
        optimizer_output="optimizer.safetensors",
        samples="samples",
        discriminators=".",
    )
    run_job(TrainVqganAdversarial, parser, run)
