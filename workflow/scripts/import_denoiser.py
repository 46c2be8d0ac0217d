"""Write a denoiser of another program, a bare state_dict of a UNet2DModel, as a model directory.

An experiment's `start_from` may then name the directory. The noise schedule must be the one that
the denoiser was trained with: name its scheduler_config.json, or spell it out.
"""

import argparse
from pathlib import Path

from sparring.errors import one_line_exit
from sparring.models.denoiser import build_scheduler, save_denoiser
from sparring.models.foreign_denoiser import read_denoiser, read_scheduler
from sparring.settings.parts import NoiseScheduleSettings
from sparring.settings.reading import validate

_KEYS = ("schedule", "num_timesteps", "beta_start", "beta_end", "prediction", "zero_terminal_snr")


def main(args: argparse.Namespace) -> None:
    """Read, write, and say what was taken."""
    spelt_out = {key: getattr(args, key) for key in _KEYS if getattr(args, key) is not None}
    if args.scheduler is not None:
        scheduler = read_scheduler(args.scheduler)
    else:
        scheduler = build_scheduler(validate(spelt_out, NoiseScheduleSettings, "--schedule"))
    denoiser = read_denoiser(args.weights, args.config, args.key)
    save_denoiser(args.output, denoiser.model, scheduler)
    taken = denoiser.taken
    print(f"{args.output}: {len(taken.tensors)} tensors of {args.weights}, float32")
    print(f"taken: {taken.place or 'the whole file'}")
    if taken.left_out:
        print(f"left out: {taken.left_out} tensors beside them that are not the denoiser's")
    if denoiser.others:
        print(f"also there, --key takes them instead: {', '.join(denoiser.others)}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--weights",
        type=Path,
        required=True,
        help=".pt, .pth, .bin or .safetensors with a state_dict, also under a key as 'state_dict', "
        "'model' or 'ema', also with a prefix as 'module.'",
    )
    parser.add_argument("--config", type=Path, required=True, help="config.json of the UNet2DModel")
    parser.add_argument("--key", help="which weights, where the file has several")
    parser.add_argument("--output", type=Path, required=True, help="denoiser directory to write")
    schedule = parser.add_mutually_exclusive_group(required=True)
    schedule.add_argument("--scheduler", type=Path, help="its scheduler_config.json")
    schedule.add_argument("--schedule", choices=["linear", "scaled_linear", "cosine"])
    spelt_out = parser.add_argument_group("with --schedule")
    spelt_out.add_argument("--num-timesteps", type=int, help="default: 1000")
    spelt_out.add_argument("--beta-start", type=float, help="default: 1e-4")
    spelt_out.add_argument("--beta-end", type=float, help="default: 0.02")
    spelt_out.add_argument("--prediction", choices=["epsilon", "v"], help="default: epsilon")
    spelt_out.add_argument("--zero-terminal-snr", action="store_true", default=None)
    arguments = parser.parse_args()
    given = [key for key in _KEYS[1:] if getattr(arguments, key) is not None]
    if arguments.scheduler is not None and given:
        parser.error(f"--{given[0].replace('_', '-')}: --scheduler says it already")
    with one_line_exit():
        main(arguments)
