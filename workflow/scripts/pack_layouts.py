"""Pack a dataset of layout images (or the procedural default) into one HDF5 file."""

import argparse
from pathlib import Path

from sparring.settings.stages import PackLayouts
from sparring.stages.job import Job, StageParser, run_job


def run(job: Job[PackLayouts], args: argparse.Namespace) -> None:
    """Call the stage; torch is imported here, after run_job has set the thread count."""
    from sparring.stages.data import pack_layouts

    pack_layouts(job, args.output)


EXAMPLE = r"""
    python workflow/scripts/pack_layouts.py --output by_hand/layouts.h5 \
        --set dataset.num_layouts=400 --set dataset.size=32
    python workflow/scripts/pack_layouts.py --output mine/layouts.h5 --manifest mine/manifest.csv
"""

if __name__ == "__main__":
    parser = StageParser(__doc__, EXAMPLE)
    parser.add_argument("--output", type=Path, required=True, help="layouts.h5 to write")
    parser.add_setting(
        "--manifest",
        key="dataset.manifest",
        also={"dataset.kind": "manifest"},
        type=Path,
        help="CSV that names layouts; without it apartments are generated",
    )
    run_job(PackLayouts, parser, run)
