"""Add a discriminator of noised latents to a denoiser, so that sampling follows its gradient."""

import argparse
from pathlib import Path

from sparring.settings.stages import GuideDenoiser
from sparring.stages.job import Job, StageParser, run_job


def run(job: Job[GuideDenoiser], args: argparse.Namespace) -> None:
    """Call the stage; torch is imported here, after run_job has set the thread count."""
    from sparring.stages.guidance import guide_denoiser

    guide_denoiser(
        job, args.denoiser, args.discriminator, args.history, args.train_latents, args.output
    )


EXAMPLE = r"""
    python workflow/scripts/guide_denoiser.py --denoiser by_hand/denoiser \
        --discriminator by_hand/discriminator --history by_hand/discriminator_history.csv \
        --train-latents by_hand/latents/train.h5 --output by_hand/guided \
        --set guidance_weight=0.5
"""

if __name__ == "__main__":
    parser = StageParser(__doc__, EXAMPLE)
    parser.add_input("--denoiser", required=True, help="denoiser directory, guided already or not")
    parser.add_input(
        "--discriminator", required=True, help="discriminator that was trained on noised latents"
    )
    parser.add_input("--history", required=True, help="its history, which says whether it learnt")
    parser.add_input("--train-latents", required=True, help="latents that the denoiser trained on")
    parser.add_argument("--output", type=Path, required=True, help="denoiser directory to write")
    run_job(GuideDenoiser, parser, run)
