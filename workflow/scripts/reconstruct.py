"""Reconstruct one CT volume in NIfTI by a VQ-GAN: HU on the file's own grid, affine and dtype."""

import argparse
from pathlib import Path

from sparring.settings.volume_stages import ReconstructVolume
from sparring.stages.job import Job, StageParser, run_job


def run(job: Job[ReconstructVolume], args: argparse.Namespace) -> None:
    """Call the stage; torch is imported here, after run_job has set the thread count."""
    from sparring.stages.volumes import reconstruct_volume

    reconstruct_volume(job, args.model, args.volume, args.output, args.picture)


EXAMPLE = r"""
    python workflow/scripts/reconstruct.py --device cpu --model by_hand/vqgan \
        --volume mine/scan.nii.gz --output by_hand/scan.nii.gz --picture by_hand/scan.png
    python workflow/scripts/reconstruct.py --model by_hand/vqgan --volume mine/scan.nii.gz \
        --output by_hand/scan.nii.gz --window 64 --set inference.overlap=0.5
"""

if __name__ == "__main__":
    parser = StageParser(__doc__, EXAMPLE)
    parser.add_input("--model", required=True, help="VQ-GAN directory")
    parser.add_input("--volume", required=True, help="NIfTI file to reconstruct")
    parser.add_argument(
        "--output", type=Path, required=True, help=".nii or .nii.gz to write, HU clipped to window"
    )
    parser.add_argument(
        "--picture", type=Path, help="PNG to write with three planes and an error map"
    )
    parser.add_setting(
        "--window", key="inference.window", type=int, help="voxels along a window's side"
    )
    run_job(ReconstructVolume, parser, run)
