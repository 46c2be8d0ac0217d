"""Choose the model that an experiment hands on, and say why."""

import argparse
from pathlib import Path

from sparring.settings.stages import SelectBest
from sparring.stages.job import Job, StageParser, run_job


def run(job: Job[SelectBest], args: argparse.Namespace) -> None:
    """Call the stage; torch is imported here, after run_job has set the thread count."""
    from sparring.stages.evaluation import select_best

    evaluations = dict(zip(args.models, args.evaluations, strict=True))
    denoisers = dict(zip(args.models, args.denoisers, strict=True))
    select_best(job, evaluations, denoisers, args.output, args.verdict)


EXAMPLE = r"""
    python workflow/scripts/select_best.py --models start adversarial/iteration_0 \
        --evaluations by_hand/start/evaluation.json by_hand/finetuned/evaluation.json \
        --denoisers by_hand/denoiser by_hand/finetuned/denoiser \
        --output by_hand/selected/denoiser --verdict by_hand/selected.json
"""

if __name__ == "__main__":
    parser = StageParser(__doc__, EXAMPLE)
    parser.add_argument(
        "--models", nargs="+", required=True, help="names of the models: start, {arm}/iteration_{n}"
    )
    parser.add_input("--evaluations", nargs="+", required=True, help="evaluation.json per model")
    parser.add_input("--denoisers", nargs="+", required=True, help="denoiser directory per model")
    parser.add_argument("--output", type=Path, required=True, help="denoiser directory to write")
    parser.add_argument("--verdict", type=Path, required=True, help="selected.json to write")
    run_job(SelectBest, parser, run)
