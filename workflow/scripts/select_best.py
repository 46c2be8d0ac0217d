"""Hand on the model that the comparison chose, and say why."""

import argparse
from pathlib import Path

from sparring.settings.stages import SelectBest
from sparring.stages.job import Job, StageParser, run_job


def run(job: Job[SelectBest], args: argparse.Namespace) -> None:
    """Call the stage; torch is imported here, after run_job has set the thread count."""
    from sparring.stages.verdict import select_best

    denoisers = dict(zip(args.models, args.denoisers, strict=True))
    select_best(job, args.comparisons, denoisers, args.output, args.verdict)


EXAMPLE = r"""
    python workflow/scripts/select_best.py --models start adversarial/iteration_0 \
        --comparisons by_hand/comparisons.json \
        --denoisers by_hand/denoiser by_hand/finetuned/denoiser \
        --output by_hand/selected/denoiser --verdict by_hand/selected.json
"""

if __name__ == "__main__":
    parser = StageParser(__doc__, EXAMPLE)
    parser.add_argument(
        "--models", nargs="+", required=True, help="names of the models: start, {arm}/iteration_{n}"
    )
    parser.add_input("--comparisons", required=True, help="comparisons.json of the models")
    parser.add_input("--denoisers", nargs="+", required=True, help="denoiser directory per model")
    parser.add_argument("--output", type=Path, required=True, help="denoiser directory to write")
    parser.add_argument("--verdict", type=Path, required=True, help="selected.json to write")
    run_job(SelectBest, parser, run)
