"""Train a denoiser from scratch by noise prediction (stage 1)."""

import argparse
from pathlib import Path

from sparring.settings.stages import PretrainDiffusion
from sparring.stages.job import Job, StageParser, run_job


def run(job: Job[PretrainDiffusion], args: argparse.Namespace) -> None:
    """Call the stage; torch is imported here, after run_job has set the thread count."""
    from sparring.stages.denoiser import DenoiserInputs, DenoiserOutputs, pretrain_diffusion

    inputs = DenoiserInputs(args.train_latents, args.val_latents, args.autoencoder)
    outputs = DenoiserOutputs(args.output, args.latest, args.history, args.samples)
    pretrain_diffusion(job, inputs, outputs)


EXAMPLE = r"""
    python workflow/scripts/pretrain_diffusion.py --device cpu \
        --train-latents by_hand/latents/train.h5 --val-latents by_hand/latents/val.h5 \
        --autoencoder by_hand/autoencoder --output-dir by_hand \
        --set denoiser.preset=unet_tiny --set diffusion.epochs=3 --set diffusion.sample_interval=0
"""

if __name__ == "__main__":
    parser = StageParser(__doc__, EXAMPLE)
    parser.add_input("--train-latents", required=True, help="latents to train on")
    parser.add_input("--val-latents", required=True, help="latents that choose the best epoch")
    parser.add_input("--autoencoder", required=True, help="autoencoder directory, for sample grids")
    parser.add_argument(
        "--output", type=Path, required=True, help="denoiser directory to write (best epoch)"
    )
    parser.add_argument(
        "--latest", type=Path, required=True, help="denoiser directory to write (last epoch)"
    )
    parser.add_argument(
        "--history", type=Path, required=True, help="CSV to write, one row per epoch"
    )
    parser.add_argument("--samples", type=Path, required=True, help="folder for sample grids")
    parser.add_folder(
        "--output-dir",
        output="denoiser",
        latest="denoiser_latest",
        history="diffusion_history.csv",
        samples="samples",
    )
    run_job(PretrainDiffusion, parser, run)
