"""Draw an iteration's reals from the encoded training layouts."""

import argparse
from pathlib import Path

from sparring.settings.stages import EncodeReal
from sparring.stages.job import Job, StageParser, run_job


def run(job: Job[EncodeReal], args: argparse.Namespace) -> None:
    """Call the stage; torch is imported here, after run_job has set the thread count."""
    from sparring.stages.data import encode_real

    encode_real(job, args.latents, args.output)


EXAMPLE = r"""
    python workflow/scripts/encode_real.py --latents by_hand/latents/train.h5 \
        --output by_hand/real_latents.h5 --set num_samples=300
"""

if __name__ == "__main__":
    parser = StageParser(__doc__, EXAMPLE)
    parser.add_input("--latents", required=True, help="encoded train split")
    parser.add_argument("--output", type=Path, required=True, help="real_latents.h5 to write")
    run_job(EncodeReal, parser, run)
