"""Figures of a model's decoded samples and one-step predictions, as layouts."""

import argparse
from pathlib import Path

from sparring.settings.stages import MeasureLayouts
from sparring.stages.job import Job, StageParser, run_job


def run(job: Job[MeasureLayouts], args: argparse.Namespace) -> None:
    """Call the stage; torch is imported here, after run_job has set the thread count."""
    from sparring.stages.evaluation import measure_layouts
    from sparring.stages.sampling import Models

    models = Models(args.denoiser, args.autoencoder)
    measure_layouts(job, models, args.samples, args.held_out, args.layouts, args.output)


EXAMPLE = r"""
    python workflow/scripts/measure_layouts.py --device cpu --denoiser by_hand/denoiser \
        --autoencoder by_hand/autoencoder --samples by_hand/start/evaluation_latents.h5 \
        --held-out by_hand/latents/test.h5 --layouts by_hand/layouts.h5 \
        --output by_hand/start/layouts.json
"""

if __name__ == "__main__":
    parser = StageParser(__doc__, EXAMPLE)
    parser.add_input("--denoiser", required=True, help="denoiser directory")
    parser.add_input("--autoencoder", required=True, help="autoencoder directory that decodes")
    parser.add_input("--samples", required=True, help="the denoiser's samples to judge it by")
    parser.add_input("--held-out", required=True, help="latents of held-out layouts")
    parser.add_input("--layouts", required=True, help="packed layouts")
    parser.add_argument("--output", type=Path, required=True, help="layouts.json to write")
    run_job(MeasureLayouts, parser, run)
