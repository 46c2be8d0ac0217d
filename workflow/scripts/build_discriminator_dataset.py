"""Encode a manifest's training originals, sample as many fakes, and label both.

Writes real_latents.h5, fake_latents.h5 and manifest.csv (sample_id, latent_path, label, is_viable;
a latent_path such as real_latents.h5#12 is a file beside the manifest and a row in it).
"""

import argparse
from pathlib import Path

from sparring.settings.stages_by_hand import BuildDiscriminatorDataset
from sparring.stages.job import Job, StageParser, run_job


def run(job: Job[BuildDiscriminatorDataset], args: argparse.Namespace) -> None:
    """Call the stage; torch is imported here, after run_job has set the thread count."""
    from sparring.stages.discriminator_dataset import build_discriminator_dataset
    from sparring.stages.sampling import Models

    models = Models(args.diffusion_checkpoint, args.autoencoder_checkpoint, args.diffusion_config)
    build_discriminator_dataset(job, models, args.output_dir)


EXAMPLE = r"""
    python workflow/scripts/build_discriminator_dataset.py --device cpu \
        --manifest mine/manifest.csv --autoencoder-checkpoint by_hand/autoencoder \
        --diffusion-checkpoint by_hand/denoiser --output-dir by_hand/discriminator_dataset \
        --num-samples 40 --num-steps 20
"""

if __name__ == "__main__":
    parser = StageParser(__doc__, EXAMPLE)
    parser.add_setting(
        "--manifest",
        key="dataset.manifest",
        also={"dataset.kind": "manifest"},
        type=Path,
        required=True,
        help="CSV that names layouts",
    )
    parser.add_input("--autoencoder-checkpoint", required=True, help="autoencoder directory")
    parser.add_input("--diffusion-checkpoint", required=True, help="denoiser directory")
    parser.add_input(
        "--diffusion-config",
        help="scheduler_config.json, where none lies in the denoiser's directory",
    )
    parser.add_argument("--output-dir", type=Path, required=True, help="folder to write into")
    parser.add_setting(
        "--num-samples",
        key="num_samples",
        type=int,
        help="reals, and fakes; default all training originals",
    )
    parser.add_setting(
        "--batch-size", key="sampling.batch_size", type=int, help="fakes at once; default 32"
    )
    parser.add_setting(
        "--num-steps", key="sampling.num_steps", type=int, help="sampler steps; default 50"
    )
    run_job(BuildDiscriminatorDataset, parser, run)
