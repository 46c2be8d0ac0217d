"""Measure reconstructed volumes, simple codes at the same rate, and how codes are used."""

import argparse
from pathlib import Path

from sparring.settings.vqgan_stages import EvaluateVqgan
from sparring.stages.job import Job, StageParser, run_job


def run(job: Job[EvaluateVqgan], args: argparse.Namespace) -> None:
    """Call the stage; torch is imported here, after run_job has set the thread count."""
    from sparring.stages.volume_evaluation import evaluate_vqgan

    evaluate_vqgan(job, args.volumes, args.reconstructions, args.vqgan, args.output)


EXAMPLE = r"""
    python workflow/scripts/evaluate_vqgan.py --device cpu --volumes by_hand/volumes.h5 \
        --reconstructions by_hand/adversarial/reconstructions.h5 \
        --vqgan by_hand/adversarial/vqgan --output by_hand/adversarial/evaluation.json \
        --set patch_size=32
"""

if __name__ == "__main__":
    parser = StageParser(__doc__, EXAMPLE)
    parser.add_input("--volumes", required=True, help="packed volumes")
    parser.add_input(
        "--reconstructions", required=True, help="volumes file that reconstruct_volumes wrote"
    )
    parser.add_input("--vqgan", required=True, help="VQ-GAN directory that made them")
    parser.add_argument("--output", type=Path, required=True, help="JSON to write")
    run_job(EvaluateVqgan, parser, run)
