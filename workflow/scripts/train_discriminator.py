"""Train a discriminator to tell real latents from fake ones.

Latents are files of this workflow (.h5), bare tensors (.pt, .npy), or the rows of a manifest.
"""

import argparse
from pathlib import Path

from sparring.artefacts.latent_manifests import manifest_digest
from sparring.settings.stages import TrainDiscriminator
from sparring.stages.job import Job, StageParser, run_job


def run(job: Job[TrainDiscriminator], args: argparse.Namespace) -> None:
    """Call the stage; torch is imported here, after run_job has set the thread count."""
    from sparring.artefacts.latent_sets import read_latent_set
    from sparring.stages.discriminator import DiscriminatorInputs, read_sets, train_discriminator

    sets = read_sets(args.real_latents, args.fake_latents, args.dataset)
    replayed = tuple(read_latent_set(path) for path in args.replay)
    inputs = DiscriminatorInputs(*sets, replayed, args.start_from, args.denoiser)
    train_discriminator(job, inputs, args.output, args.history)


EXAMPLE = r"""
    python workflow/scripts/train_discriminator.py --device cpu \
        --real-latents by_hand/real_latents.h5 --fake-latents by_hand/fake_latents.h5 \
        --output-dir by_hand --epochs 5 --set discriminator.num_layers=3
"""

if __name__ == "__main__":
    parser = StageParser(__doc__, EXAMPLE)
    parser.add_input("--real-latents", help="reals")
    parser.add_input("--fake-latents", help="fakes")
    parser.add_input(
        "--dataset",
        digest=manifest_digest,
        help="instead of the two, a CSV with latent_path and label (1 real, 0 fake) or is_viable",
    )
    parser.add_input("--start-from", help="discriminator directory to go on from")
    parser.add_input("--replay", nargs="+", default=[], help="fakes of earlier iterations too")
    parser.add_input(
        "--denoiser",
        help="denoiser directory whose noise schedule noises latents (--set noised=true), and "
        "whose encoder the discriminator may begin from",
    )
    parser.add_argument(
        "--output", type=Path, required=True, help="discriminator directory to write"
    )
    parser.add_argument(
        "--history", type=Path, required=True, help="CSV to write, one row per epoch"
    )
    parser.add_folder("--output-dir", output="discriminator", history="discriminator_history.csv")
    settings = {
        "--epochs": (int, "passes over reals and fakes"),
        "--batch-size": (int, "latents per step"),
        "--learning-rate": (float, "Adam's rate"),
    }
    for flag, (kind, meaning) in settings.items():
        key = f"discriminator.{flag.removeprefix('--').replace('-', '_')}"
        parser.add_setting(flag, key=key, type=kind, help=meaning)
    run_job(TrainDiscriminator, parser, run)
