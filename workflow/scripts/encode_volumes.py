"""Encode all volumes of a dataset: patches as standardised latents with their codes."""

import argparse
from pathlib import Path

from sparring.settings.vqgan_stages import EncodeVolumes
from sparring.stages.job import Job, StageParser, run_job


def run(job: Job[EncodeVolumes], args: argparse.Namespace) -> None:
    """Call the stage; torch is imported here, after run_job has set the thread count."""
    from sparring.stages.volume_evaluation import encode_volumes

    outputs = {"train": args.train, "val": args.val, "test": args.test}
    encode_volumes(job, args.volumes, args.vqgan, outputs)


EXAMPLE = r"""
    python workflow/scripts/encode_volumes.py --device cpu --volumes by_hand/volumes.h5 \
        --vqgan by_hand/adversarial/vqgan --output-dir by_hand/volume_latents \
        --set patch_size=32
"""

if __name__ == "__main__":
    parser = StageParser(__doc__, EXAMPLE)
    parser.add_input("--volumes", required=True, help="packed volumes")
    parser.add_input("--vqgan", required=True, help="VQ-GAN directory")
    for split in ("train", "val", "test"):
        parser.add_argument(
            f"--{split}", type=Path, required=True, help=f"latents file to write for split {split}"
        )
    parser.add_folder("--output-dir", train="train.h5", val="val.h5", test="test.h5")
    run_job(EncodeVolumes, parser, run)
