"""Held-out layouts, their reconstructions and the samples of every model in one picture."""

import argparse
from pathlib import Path

from sparring.settings.stages import CompareSamples
from sparring.stages.job import Job, job_parser, run_job


def run(job: Job[CompareSamples], args: argparse.Namespace) -> None:
    """Call the stage; torch is imported here, after run_job has set the thread count."""
    from sparring.stages.evaluation import compare_samples

    samples = dict(zip(args.models, args.samples, strict=True))
    compare_samples(job, args.layouts, args.autoencoder, samples, args.output)


if __name__ == "__main__":
    parser = job_parser(__doc__)
    parser.add_argument("--layouts", type=Path, required=True, help="packed layouts")
    parser.add_argument("--autoencoder", type=Path, required=True, help="autoencoder directory")
    parser.add_argument(
        "--models", nargs="+", required=True, help="names of the models: start, {arm}/iteration_{n}"
    )
    parser.add_argument(
        "--samples", type=Path, nargs="+", required=True, help="latents file per model"
    )
    parser.add_argument("--output", type=Path, required=True, help="PNG to write")
    run_job(CompareSamples, parser, run)
