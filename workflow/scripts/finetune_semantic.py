"""Fine-tune a denoiser with losses on its decoded predictions (stage 2, semantic)."""

import argparse
from pathlib import Path

from sparring.settings.stages import FinetuneSemantic
from sparring.stages.job import Job, StageParser, run_job


def run(job: Job[FinetuneSemantic], args: argparse.Namespace) -> None:
    """Call the stage; torch is imported here, after run_job has set the thread count."""
    from sparring.stages.denoiser import DenoiserInputs, DenoiserOutputs, finetune_semantic

    finetune_semantic(
        job,
        DenoiserInputs(args.train_latents, args.val_latents, args.autoencoder, args.layouts),
        args.denoiser,
        DenoiserOutputs(args.output, args.latest, args.history, args.samples),
    )


EXAMPLE = r"""
    python workflow/scripts/finetune_semantic.py --device cpu \
        --train-latents by_hand/latents/train.h5 --val-latents by_hand/latents/val.h5 \
        --layouts by_hand/layouts.h5 --autoencoder by_hand/autoencoder \
        --denoiser by_hand/denoiser --output-dir by_hand/semantic \
        --set diffusion.epochs=2 --set diffusion.sample_interval=0
"""

if __name__ == "__main__":
    parser = StageParser(__doc__, EXAMPLE)
    parser.add_input("--train-latents", required=True, help="latents to train on")
    parser.add_input("--val-latents", required=True, help="latents that choose the best epoch")
    parser.add_input("--layouts", required=True, help="layouts that the latents were encoded from")
    parser.add_input(
        "--autoencoder", required=True, help="autoencoder directory that decodes predictions"
    )
    parser.add_input("--denoiser", required=True, help="denoiser directory to start from")
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
    run_job(FinetuneSemantic, parser, run)
