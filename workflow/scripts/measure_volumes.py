"""Figures of a model's decoded samples, as volumes."""

import argparse
from pathlib import Path

from sparring.settings.volume_stages import MeasureVolumes
from sparring.stages.job import Job, StageParser, run_job


def run(job: Job[MeasureVolumes], args: argparse.Namespace) -> None:
    """Call the stage; torch is imported here, after run_job has set the thread count."""
    from sparring.stages.evaluation import measure_volumes

    measure_volumes(job, args.vqgan, args.held_out, args.samples, args.statistics, args.volumes)


EXAMPLE = r"""
    python workflow/scripts/measure_volumes.py --device cpu --vqgan by_hand/adversarial/vqgan \
        --samples by_hand/start/evaluation_latents.h5 --held-out by_hand/volume_latents/test.h5 \
        --statistics by_hand/start/volume_statistics.h5
"""

if __name__ == "__main__":
    parser = StageParser(__doc__, EXAMPLE)
    parser.add_input("--vqgan", required=True, help="VQ-GAN directory that decodes")
    parser.add_input(
        "--samples",
        required=True,
        help="the denoiser's samples; with --volumes latents of the train split, of which some are "
        "drawn",
    )
    parser.add_input("--held-out", required=True, help="latents of held-out volumes")
    parser.add_input(
        "--volumes",
        help="packed volumes; makes it the null: training volumes in the place of samples",
    )
    parser.add_argument(
        "--statistics", type=Path, required=True, help="HDF5 to write, a row per volume"
    )
    run_job(MeasureVolumes, parser, run)
