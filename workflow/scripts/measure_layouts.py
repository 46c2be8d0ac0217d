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


if __name__ == "__main__":
    parser = StageParser(__doc__)
    parser.add_input("--denoiser", required=True, help="denoiser directory")
    parser.add_input("--autoencoder", required=True, help="autoencoder directory that decodes")
    parser.add_input("--samples", required=True, help="the denoiser's samples to judge it by")
    parser.add_input("--held-out", required=True, help="latents of held-out layouts")
    parser.add_input("--layouts", required=True, help="packed layouts")
    parser.add_argument("--output", type=Path, required=True, help="layouts.json to write")
    run_job(MeasureLayouts, parser, run)
