"""Figures of a model's decoded samples and one-step predictions, as layouts."""

import argparse
from pathlib import Path

from sparring.settings.stages import MeasureLayouts
from sparring.stages.job import Job, StageParser, run_job


def run(job: Job[MeasureLayouts], args: argparse.Namespace) -> None:
    """Call the stage; torch is imported here, after run_job has set the thread count."""
    from sparring.stages.evaluation import measure_layouts

    measure_layouts(
        job,
        args.autoencoder,
        args.layouts,
        args.held_out,
        args.samples,
        args.output,
        args.statistics,
        args.denoiser,
    )


EXAMPLE = r"""
    python workflow/scripts/measure_layouts.py --device cpu --denoiser by_hand/denoiser \
        --autoencoder by_hand/autoencoder --samples by_hand/start/evaluation_latents.h5 \
        --held-out by_hand/latents/test.h5 --layouts by_hand/layouts.h5 \
        --output by_hand/start/layouts.json --statistics by_hand/start/layout_statistics.h5
"""

if __name__ == "__main__":
    parser = StageParser(__doc__, EXAMPLE)
    parser.add_input("--denoiser", help="denoiser directory, for its predictions")
    parser.add_input("--autoencoder", required=True, help="autoencoder directory that decodes")
    parser.add_input(
        "--samples",
        required=True,
        help="the denoiser's samples; without --denoiser latents of the train split, of which some "
        "are drawn: the null",
    )
    parser.add_input("--held-out", required=True, help="latents of held-out layouts")
    parser.add_input("--layouts", required=True, help="packed layouts")
    parser.add_argument("--output", type=Path, required=True, help="layouts.json to write")
    parser.add_argument(
        "--statistics", type=Path, required=True, help="HDF5 to write, a row per layout"
    )
    run_job(MeasureLayouts, parser, run)
