"""Pack a dataset of CT volumes in NIfTI (or procedural phantoms) into one HDF5 file."""

import argparse
from pathlib import Path

from sparring.settings.volume_stages import PackVolumes
from sparring.stages.job import Job, StageParser, run_job


def run(job: Job[PackVolumes], args: argparse.Namespace) -> None:
    """Call the stage; torch is imported here, after run_job has set the thread count."""
    from sparring.stages.volumes import pack_volumes

    pack_volumes(job, args.output)


EXAMPLE = r"""
    python workflow/scripts/pack_volumes.py --output by_hand/volumes.h5 \
        --set dataset.num_volumes=6 --set dataset.size=32
    python workflow/scripts/pack_volumes.py --output mine/volumes.h5 --manifest mine/volumes.csv
"""

if __name__ == "__main__":
    parser = StageParser(__doc__, EXAMPLE)
    parser.add_argument("--output", type=Path, required=True, help="volumes.h5 to write")
    parser.add_setting(
        "--manifest",
        key="dataset.manifest",
        also={"dataset.kind": "nifti"},
        type=Path,
        help="CSV that names volumes; without it phantoms are generated",
    )
    run_job(PackVolumes, parser, run)
