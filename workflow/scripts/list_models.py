"""List the denoiser presets: size, arithmetic and memory at a latent shape and batch size."""

import argparse

from sparring.errors import UserError
from sparring.models.costs import Costs, costs
from sparring.models.presets import PRESETS
from sparring.settings.parts import DenoiserSettings

NOTES = """\
GFLOP: one forward of one latent, two operations per multiply-add, in convolutions and matrix
products, attention's own among them. A training step costs about three forwards per latent.

Training GB: the most that a training step holds at once: weights, gradients, AdamW's two moments,
the weight average (all fp32), and what forward and backward keep. Sampling GB: likewise for a
sampler's step. Both are found by following every allocation of a step on tensors without data; to
them come the encoded layouts, the libraries' workspace and a GPU's context. How far that is from
what a process takes: bench/results/model_memory.md."""
HEAD = (
    f"{'':<16}{'':<26}{'':>12}{'':>8}   training GB     sampling GB\n"
    f"{'preset':<16}{'widths':<26}{'parameters':>12}{'GFLOP':>8}    fp32   bf16     fp32   bf16"
)


def row(name: str, found: Costs) -> str:
    """One line of the table."""
    widths = "-".join(map(str, PRESETS[name].widths))
    sizes = [found.training.fp32, found.training.bf16, found.sampling.fp32, found.sampling.bf16]
    train32, train16, sample32, sample16 = (f"{size / 1e9:7.2f}" for size in sizes)
    return (
        f"{name:<16}{widths:<26}{found.parameters:>12,}{found.flop / 1e9:>8.2f} "
        f"{train32}{train16}  {sample32}{sample16}"
    )


def show(channels: int, side: int, batch_size: int) -> None:
    """Print the table, line by line as it is found."""
    print(f"latents {channels}x{side}x{side}, batches of {batch_size}\n\n{HEAD}")
    for name, preset in PRESETS.items():
        try:
            settings = DenoiserSettings.model_validate({"preset": name})
            found = costs(settings, channels, side, batch_size)
        except UserError:
            print(f"{name:<16}needs a side that is a multiple of {preset.factor}")
        else:
            print(row(name, found), flush=True)
    print(f"\n{NOTES}")


def positive(text: str) -> int:
    """A whole number above 0, for argparse."""
    value = int(text)
    if value < 1:
        raise ValueError
    return value


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog=NOTES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--channels", type=positive, default=16, help="of the latents")
    parser.add_argument("--side", type=positive, default=32, help="of the latents")
    parser.add_argument("--batch-size", type=positive, default=32, help="latents per step")
    args = parser.parse_args()
    show(args.channels, args.side, args.batch_size)
