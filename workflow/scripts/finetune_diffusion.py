"""Fine-tune a denoiser: against a discriminator, or with the noise loss only (controls)."""

import argparse
from pathlib import Path

from sparring.settings.stages import FinetuneDiffusion
from sparring.stages.job import Job, StageParser, run_job
from sparring.stages.timing import epochs_digest


def run(job: Job[FinetuneDiffusion], args: argparse.Namespace) -> None:
    """Call the stage; torch is imported here, after run_job has set the thread count."""
    from sparring.stages.denoiser import (
        DenoiserInputs,
        DenoiserOutputs,
        OpponentFiles,
        finetune_diffusion,
    )

    finetune_diffusion(
        job,
        DenoiserInputs(args.train_latents, args.val_latents, args.autoencoder, args.layouts),
        args.denoiser,
        OpponentFiles(args.discriminator, args.fake_latents),
        args.optimizer,
        DenoiserOutputs(args.output, args.latest, args.history, args.samples),
        args.optimizer_output,
        args.time,
    )


EXAMPLE = r"""
    python workflow/scripts/finetune_diffusion.py --device cpu \
        --train-latents by_hand/latents/train.h5 --val-latents by_hand/latents/val.h5 \
        --autoencoder by_hand/autoencoder --denoiser by_hand/denoiser \
        --discriminator by_hand/discriminator --output-dir by_hand/finetuned \
        --set diffusion.epochs=2 --set diffusion.sample_interval=0 \
        --set adversarial.objective=x0_bce --set adversarial.weight=0.2
"""

if __name__ == "__main__":
    parser = StageParser(__doc__, EXAMPLE)
    parser.add_input("--train-latents", required=True, help="latents to train on")
    parser.add_input("--val-latents", required=True, help="latents that choose the best epoch")
    parser.add_input("--autoencoder", required=True, help="autoencoder directory, for sample grids")
    parser.add_input(
        "--layouts", help="layouts that the latents were encoded from, for semantic losses"
    )
    parser.add_input("--denoiser", required=True, help="denoiser directory to start from")
    parser.add_input(
        "--discriminator",
        settings="adversarial",
        help="discriminator directory; none in the control arm",
    )
    parser.add_input(
        "--fake-latents",
        settings="adversarial",
        help="samples of the denoiser that enters, for --set adversarial.objective=ddo",
    )
    parser.add_input(
        "--optimizer", help="optimizer.safetensors of the previous iteration to carry on"
    )
    parser.add_input(
        "--time",
        digest=epochs_digest,
        help="time.json of the iteration, for a control of equal time: it says how many epochs",
    )
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
    parser.add_argument(
        "--optimizer-output", type=Path, required=True, help="optimizer.safetensors to write"
    )
    parser.add_folder(
        "--output-dir",
        output="denoiser",
        latest="denoiser_latest",
        history="diffusion_history.csv",
        samples="samples",
        optimizer_output="optimizer.safetensors",
    )
    run_job(FinetuneDiffusion, parser, run)
