"""Draw an iteration's reals from the encoded training layouts."""

import argparse
from pathlib import Path

from sparring.settings.stages import EncodeReal
from sparring.stages.job import Job, job_parser, run_job


def run(job: Job[EncodeReal], args: argparse.Namespace) -> None:
    """Call the stage; torch is imported here, after run_job has set the thread count."""
    from sparring.stages.data import encode_real

    encode_real(job, args.latents, args.output)


if __name__ == "__main__":
    parser = job_parser(__doc__)
    parser.add_argument("--latents", type=Path, required=True, help="encoded train split")
    parser.add_argument("--output", type=Path, required=True, help="real_latents.h5 to write")
    run_job(EncodeReal, parser, run)
