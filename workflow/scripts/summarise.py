"""An experiment's evaluations as a table and a plot."""

import argparse
from pathlib import Path

from sparring.settings.parts import NULL
from sparring.settings.stages import Summarise
from sparring.stages.job import Job, StageParser, run_job


def run(job: Job[Summarise], args: argparse.Namespace) -> None:
    """Call the stage; torch is imported here, after run_job has set the thread count."""
    from sparring.stages.verdict import summarise

    judged = [NULL, *args.models]
    evaluations = dict(zip(judged, args.evaluations, strict=True))
    layouts = dict(zip(judged, args.layouts, strict=True)) if args.layouts else {}
    summarise(job, evaluations, args.comparisons, layouts, args.table, args.plot)


EXAMPLE = r"""
    python workflow/scripts/summarise.py --models start adversarial/iteration_0 \
        --evaluations by_hand/reals/evaluation.json by_hand/start/evaluation.json \
        by_hand/finetuned/evaluation.json --comparisons by_hand/comparisons.json \
        --table by_hand/evaluation.csv --plot by_hand/evaluation.png
"""

if __name__ == "__main__":
    parser = StageParser(__doc__, EXAMPLE)
    parser.add_argument(
        "--models", nargs="+", required=True, help="names of the models, such as start"
    )
    parser.add_input(
        "--evaluations",
        nargs="+",
        required=True,
        help="evaluation.json of the null, then per model",
    )
    parser.add_input("--comparisons", required=True, help="comparisons.json of the models")
    parser.add_input(
        "--layouts", nargs="+", help="layouts.json of the null, then per model, where measured"
    )
    parser.add_argument("--table", type=Path, required=True, help="evaluation.csv to write")
    parser.add_argument("--plot", type=Path, required=True, help="evaluation.png to write")
    run_job(Summarise, parser, run)
