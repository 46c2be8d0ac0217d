"""Train a VQ-GAN to reconstruct volumes: phase one, without discriminators."""

import argparse
from pathlib import Path

from sparring.settings.vqgan_stages import TrainVqganReconstruction
from sparring.stages.job import Job, StageParser, run_job


def run(job: Job[TrainVqganReconstruction], args: argparse.Namespace) -> None:
    """Call the stage; torch is imported here, after run_job has set the thread count."""
    from sparring.stages.vqgan import VqganOutputs, train_vqgan_reconstruction

    outputs = VqganOutputs(args.output, args.history, args.optimizer_output, args.samples)
    train_vqgan_reconstruction(job, args.volumes, args.start_from, outputs)


EXAMPLE = r"""
    python workflow/scripts/train_vqgan_reconstruction.py --device cpu \
        --volumes by_hand/volumes.h5 --output-dir by_hand/reconstruction \
        --set steps=200 --set training.eval_interval=100 --set training.patch_size=32 \
        --set training.codebook.start_step=50 --set model.channels=[0,24,32]
"""

if __name__ == "__main__":
    parser = StageParser(__doc__, EXAMPLE)
    parser.add_input("--volumes", required=True, help="packed volumes")
    parser.add_input("--start-from", help="VQ-GAN directory to go on from")
    parser.add_argument("--output", type=Path, required=True, help="VQ-GAN directory to write")
    parser.add_argument(
        "--history", type=Path, required=True, help="CSV to write, a row per eval_interval steps"
    )
    parser.add_argument(
        "--optimizer-output", type=Path, required=True, help="optimizer.safetensors to write"
    )
    parser.add_argument("--samples", type=Path, required=True, help="folder for pictures")
    parser.add_folder(
        "--output-dir",
        output="vqgan",
        history="history.csv",
        optimizer_output="optimizer.safetensors",
        samples="samples",
    )
    run_job(TrainVqganReconstruction, parser, run)
