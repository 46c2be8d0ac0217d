"""All phases of a VQ-GAN and the baselines in one table, and a held-out volume in a picture."""

import argparse
from pathlib import Path

from sparring.settings.vqgan_stages import SummariseVolumes
from sparring.stages.job import Job, StageParser, run_job


def run(job: Job[SummariseVolumes], args: argparse.Namespace) -> None:
    """Call the stage; torch is imported here, after run_job has set the thread count."""
    from sparring.stages.volume_evaluation import summarise_volumes

    summarise_volumes(
        job,
        args.volumes,
        args.phases,
        args.evaluations,
        args.reconstructions,
        args.table,
        args.picture,
    )


EXAMPLE = r"""
    python workflow/scripts/summarise_volumes.py --volumes by_hand/volumes.h5 \
        --phases adversarial --evaluations by_hand/adversarial/evaluation.json \
        --reconstructions by_hand/adversarial/reconstructions.h5 \
        --table by_hand/volumes.csv --picture by_hand/volumes.png
"""

if __name__ == "__main__":
    parser = StageParser(__doc__, EXAMPLE)
    parser.add_input("--volumes", required=True, help="packed volumes")
    parser.add_argument(
        "--phases", nargs="+", required=True, help="names of the phases, in the table's order"
    )
    parser.add_input(
        "--evaluations", nargs="+", required=True, help="evaluation.json of each phase"
    )
    parser.add_input(
        "--reconstructions", nargs="+", required=True, help="reconstructions.h5 of each phase"
    )
    parser.add_argument("--table", type=Path, required=True, help="CSV to write")
    parser.add_argument("--picture", type=Path, required=True, help="PNG to write")
    run_job(SummariseVolumes, parser, run)
