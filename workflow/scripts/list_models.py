"""List denoiser presets, or those of volumes and VQ-GANs: size, arithmetic and memory."""

import argparse

from sparring.artefacts.latents import Side
from sparring.errors import UserError
from sparring.models.costs import Costs, costs
from sparring.models.presets import PRESETS
from sparring.models.vqgan_costs import vqgan_costs
from sparring.settings.parts import DenoiserSettings
from sparring.settings.vqgan import VqganAdversarial, VqganModel

NOTES = """\
GFLOP: one forward of one latent, two operations per multiply-add, in convolutions and matrix
products, attention's own among them. A training step costs about three forwards per latent.

Training GB: the most that a training step holds at once: weights, gradients, AdamW's two moments,
the weight average (all fp32), and what forward and backward keep. Sampling GB: likewise for a
sampler's step. Both are found by following every allocation of a step on tensors without data; to
them come the encoded layouts, the libraries' workspace and a GPU's context. How far that is from
what a process takes: bench/results/model_memory.md."""
HEAD = (
    f"{'':<18}{'':<26}{'':>12}{'':>8}   training GB     sampling GB\n"
    f"{'preset':<18}{'widths':<26}{'parameters':>12}{'GFLOP':>8}    fp32   bf16     fp32   bf16"
)


def row(name: str, found: Costs) -> str:
    """One line of the table."""
    widths = "-".join(map(str, PRESETS[name].widths))
    sizes = [found.training.fp32, found.training.bf16, found.sampling.fp32, found.sampling.bf16]
    train32, train16, sample32, sample16 = (f"{size / 1e9:7.2f}" for size in sizes)
    return (
        f"{name:<18}{widths:<26}{found.parameters:>12,}{found.flop / 1e9:>8.2f} "
        f"{train32}{train16}  {sample32}{sample16}"
    )


def show(channels: int, side: int, batch_size: int) -> None:
    """Print the table, line by line as it is found."""
    print(f"latents {channels}x{side}x{side}, batches of {batch_size}\n\n{HEAD}")
    show_presets(2, channels, side, batch_size)
    print(f"\n{NOTES}")


def show_presets(dims: int, channels: int, side: Side, batch_size: int) -> None:
    """Print the rows of the presets of layouts (2 dimensions) or of volumes (3)."""
    for name, preset in PRESETS.items():
        if preset.dims != dims:
            continue
        try:
            settings = DenoiserSettings.model_validate({"preset": name})
            found = costs(settings, channels, side, batch_size)
        except UserError:
            print(f"{name:<18}needs a side that is a multiple of {preset.factor}")
        else:
            print(row(name, found), flush=True)


VQGANS = {
    "small": VqganModel(channels=(0, 24, 32), blocks=(0, 1, 1)),
    "default": VqganModel(),
    "n_hiddens 64": VqganModel(channels=(64, 128, 256), blocks=(1, 1, 1)),
}
"""The last is near the usual design, which is 64 channels wide at full resolution."""
VOLUME_NOTES = """\
GFLOP: one reconstruction of one patch, two operations per multiply-add. Training GB: the most that
a step of phase one holds at once; discriminators come to it in phase two, whose parameters are
those of base_channels 64.

Denoisers: one forward of one latent, and what a step holds as for layouts; latents are those of a
patch by a VQ-GAN of the default codes and downsampling."""
_CODE_DIM, _DOWNSAMPLING = 64, 4


def show_volumes(patch_size: int, batch_size: int) -> None:
    """Print the table of VQ-GANs, line by line as it is found."""
    print(f"patches of {patch_size} voxels a side, batches of {batch_size}\n")
    print(f"{'':<31}{'':>12}{'':>9}   training GB")
    print(f"{'model':<14}{'channels':<17}{'parameters':>12}{'GFLOP':>9}    fp32   bf16")
    for name, settings in VQGANS.items():
        found = vqgan_costs(settings, VqganAdversarial(), patch_size, batch_size)
        widths = "-".join(map(str, settings.channels))
        sizes = (f"{size / 1e9:7.2f}" for size in (found.training.fp32, found.training.bf16))
        print(
            f"{name:<14}{widths:<17}{found.parameters:>12,}{found.flop / 1e9:>9.1f} "
            f"{''.join(sizes)}",
            flush=True,
        )
    print(f"\nimage discriminator  {found.image_parameters:>12,}")
    print(f"volume discriminator {found.volume_parameters:>12,}\n")
    side = patch_size // _DOWNSAMPLING
    print(f"denoisers of latents {_CODE_DIM}x{side}x{side}x{side}\n\n{HEAD}")
    show_presets(3, _CODE_DIM, (side, side, side), batch_size)
    print(f"\n{VOLUME_NOTES}")


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
    parser.add_argument(
        "--batch-size",
        type=positive,
        help="latents (default: 32) or patches (default: 2) per step",
    )
    parser.add_argument(
        "--volumes", action="store_true", help="list VQ-GANs and denoisers of volumes"
    )
    parser.add_argument("--patch-size", type=positive, default=128, help="of volumes, in voxels")
    args = parser.parse_args()
    if args.volumes:
        show_volumes(args.patch_size, args.batch_size or 2)
    else:
        show(args.channels, args.side, args.batch_size or 32)
