"""Held-out data, its reconstructions and the samples of every model in one picture."""

import argparse
from pathlib import Path

from sparring.settings.stages import CompareSamples
from sparring.stages.job import Job, StageParser, run_job


def run(job: Job[CompareSamples], args: argparse.Namespace) -> None:
    """Call the stage; torch is imported here, after run_job has set the thread count."""
    from sparring.stages.comparison import compare_samples, originals_of

    samples = dict(zip(args.models, args.samples, strict=True))
    latents = args.train_latents, args.test_latents
    originals = originals_of(job, args.layouts, args.volumes, args.autoencoder, args.test_latents)
    compare_samples(job, originals, latents, samples, args.output, args.pictures)


EXAMPLE = r"""
    python workflow/scripts/compare_samples.py --device cpu --layouts by_hand/layouts.h5 \
        --autoencoder by_hand/autoencoder --models start \
        --samples by_hand/start/evaluation_latents.h5 \
        --train-latents by_hand/latents/train.h5 --test-latents by_hand/latents/test.h5 \
        --output by_hand/samples.png --pictures by_hand/samples.h5
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
    parser.add_input("--train-latents", required=True, help="latents of the train split")
    parser.add_input("--test-latents", required=True, help="latents of the test split")
    parser.add_argument("--output", type=Path, required=True, help="PNG to write")
    parser.add_argument(
        "--pictures", type=Path, required=True, help="HDF5 to write, for the report"
    )
    run_job(CompareSamples, parser, run)
