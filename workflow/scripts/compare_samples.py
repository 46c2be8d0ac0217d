"""Held-out data, its reconstructions and the samples of every model in one picture."""

import argparse
from pathlib import Path

from sparring.errors import UserError
from sparring.settings.stages import CompareSamples
from sparring.stages.job import Job, StageParser, run_job


def run(job: Job[CompareSamples], args: argparse.Namespace) -> None:
    """Call the stage; torch is imported here, after run_job has set the thread count."""
    from sparring.stages.evaluation import compare_samples, compare_volume_samples

    samples = dict(zip(args.models, args.samples, strict=True))
    if (args.layouts is None) == (args.volumes is None):
        raise UserError("--layouts, --volumes: name one of them, the data that models are of")
    if args.volumes is not None:
        compare_volume_samples(job, args.volumes, args.autoencoder, samples, args.output)
    else:
        compare_samples(job, args.layouts, args.autoencoder, samples, args.output)


EXAMPLE = r"""
    python workflow/scripts/compare_samples.py --device cpu --layouts by_hand/layouts.h5 \
        --autoencoder by_hand/autoencoder --models start \
        --samples by_hand/start/evaluation_latents.h5 --output by_hand/samples.png
"""

if __name__ == "__main__":
    parser = StageParser(__doc__, EXAMPLE)
    parser.add_input("--layouts", help="packed layouts; this or --volumes")
    parser.add_input("--volumes", help="packed volumes")
    parser.add_input("--autoencoder", required=True, help="autoencoder or VQ-GAN directory")
    parser.add_argument(
        "--models", nargs="+", required=True, help="names of the models: start, {arm}/iteration_{n}"
    )
    parser.add_input("--samples", nargs="+", required=True, help="latents file per model")
    parser.add_argument("--output", type=Path, required=True, help="PNG to write")
    run_job(CompareSamples, parser, run)
