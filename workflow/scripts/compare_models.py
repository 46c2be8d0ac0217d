"""Compare the figures of all models of an experiment; say what their differences mean."""

import argparse
from pathlib import Path

from sparring.settings.parts import NULL
from sparring.settings.stages import CompareModels
from sparring.stages.job import Job, StageParser, run_job


def run(job: Job[CompareModels], args: argparse.Namespace) -> None:
    """Call the stage; torch is imported here, after run_job has set the thread count."""
    from sparring.stages.verdict import Files, compare_models

    judged = [NULL, *args.models]
    files = Files(
        dict(zip(judged, args.evaluations, strict=True)),
        dict(zip(judged, args.statistics, strict=True)) if args.statistics else {},
    )
    compare_models(job, files, args.output)


EXAMPLE = r"""
    python workflow/scripts/compare_models.py --models start adversarial/iteration_0 \
        --evaluations by_hand/reals/evaluation.json by_hand/start/evaluation.json \
        by_hand/finetuned/evaluation.json --output by_hand/comparisons.json
"""

if __name__ == "__main__":
    parser = StageParser(__doc__, EXAMPLE)
    parser.add_argument(
        "--models",
        nargs="+",
        required=True,
        help="names of the models: start, {arm}/iteration_{n}, seed_{s}/{arm}/iteration_{n}",
    )
    parser.add_input(
        "--evaluations",
        nargs="+",
        required=True,
        help="evaluation.json of real against real, then per model",
    )
    parser.add_input(
        "--statistics",
        nargs="+",
        help="statistics of what was decoded, of real against real, then per model, where measured",
    )
    parser.add_argument("--output", type=Path, required=True, help="comparisons.json to write")
    run_job(CompareModels, parser, run)
