"""Reconstruct all held-out volumes of a dataset by a VQ-GAN, as HDF5, NIfTI and pictures."""

import argparse
from pathlib import Path

from sparring.settings.vqgan_stages import ReconstructVolumes
from sparring.stages.job import Job, StageParser, run_job


def run(job: Job[ReconstructVolumes], args: argparse.Namespace) -> None:
    """Call the stage; torch is imported here, after run_job has set the thread count."""
    from sparring.stages.volume_evaluation import reconstruct_volumes

    reconstruct_volumes(job, args.volumes, args.vqgan, args.output, args.folder)


EXAMPLE = r"""
    python workflow/scripts/reconstruct_volumes.py --device cpu --volumes by_hand/volumes.h5 \
        --vqgan by_hand/adversarial/vqgan --output by_hand/adversarial/reconstructions.h5 \
        --folder by_hand/adversarial/reconstructions --set inference.window=32
"""

if __name__ == "__main__":
    parser = StageParser(__doc__, EXAMPLE)
    parser.add_input("--volumes", required=True, help="packed volumes")
    parser.add_input("--vqgan", required=True, help="VQ-GAN directory")
    parser.add_argument("--output", type=Path, required=True, help="volumes file to write")
    parser.add_argument(
        "--folder", type=Path, required=True, help="folder for a NIfTI file and a picture of each"
    )
    run_job(ReconstructVolumes, parser, run)
