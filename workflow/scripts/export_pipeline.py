"""Write a denoiser and its autoencoder as a diffusers pipeline directory with a model card."""

import argparse
from pathlib import Path

from sparring.artefacts.model_card import results_digest
from sparring.settings.stages import ExportPipeline
from sparring.stages.job import Job, StageParser, run_job
from sparring.stages.parser import add_reference


def run(job: Job[ExportPipeline], args: argparse.Namespace) -> None:
    """Call the stage; torch is imported here, after run_job has set the thread count."""
    from sparring.stages.exchange import export_pipeline, pipeline_matching

    title = args.title or args.output.absolute().name
    models = args.denoiser, args.autoencoder
    matched = None
    if job.settings.moments == "match":
        matched = pipeline_matching(*models, args.samples, args.reference)
    export_pipeline(*models, args.conditions, args.results, args.output, title, matched)


EXAMPLE = r"""
    python workflow/scripts/export_pipeline.py --denoiser by_hand/denoiser \
        --autoencoder by_hand/autoencoder --output by_hand/pipeline
"""

if __name__ == "__main__":
    parser = StageParser(__doc__, EXAMPLE)
    parser.add_input("--denoiser", required=True, help="denoiser directory")
    parser.add_input("--autoencoder", required=True, help="the autoencoder that it belongs to")
    parser.add_input(
        "--conditions",
        help="latents of the training data, which name the conditions of a class-conditional "
        "denoiser",
    )
    parser.add_input(
        "--results",
        digest=results_digest,
        nargs="+",
        default=[],
        help="folders of results whose settings and figures the model card quotes, such as "
        "results/demo results/stage1_demo; the one that the denoiser lies in is quoted anyway",
    )
    parser.add_setting(
        "--moments",
        key="moments",
        choices=["keep", "match"],
        help="match: bring samples to the train latents' mean and standard deviation per channel, "
        "by --samples and --reference; default keep",
    )
    parser.add_input("--samples", help="with moments match: latents that the denoiser sampled")
    add_reference(parser)
    parser.add_argument("--title", help="of the model card (default: the output's name)")
    parser.add_argument("--output", type=Path, required=True, help="pipeline directory to write")
    run_job(ExportPipeline, parser, run)
