"""Write latents of another program as a latents file of this workflow.

Taken are one bare tensor [N,C,H,W], a folder with one [C,H,W] per file, or the latents that a
manifest names. Read piece by piece, so that memory does not grow with their number.
"""

import argparse
from pathlib import Path

from sparring.artefacts.foreign_latents import foreign_latents
from sparring.errors import one_line_exit
from sparring.stages.exchange import import_latents

if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--latents",
        type=Path,
        required=True,
        help=".pt or .npy with [N,C,H,W], a folder of .pt or .npy files, or a .csv with a column "
        "latent_path and, if there are any, sample_id, original_id, label and is_viable",
    )
    parser.add_argument("--output", type=Path, required=True, help="latents file (.h5) to write")
    parser.add_argument(
        "--autoencoder",
        type=Path,
        help="directory of the autoencoder that they were encoded with; the file then says so, "
        "and stages refuse to mix them with others'",
    )
    parser.add_argument(
        "--standardise",
        action="store_true",
        help="they are as the autoencoder gave them: standardise them by its statistics",
    )
    parser.add_argument(
        "--label", choices=["0", "1"], help="take only a manifest's rows with this label"
    )
    parser.add_argument(
        "--viable",
        choices=["true", "false"],
        help="the same by is_viable",
    )
    args = parser.parse_args()
    with one_line_exit():
        source = foreign_latents(
            args.latents,
            None if args.label is None else args.label == "1",
            None if args.viable is None else args.viable == "true",
        )
        moments = import_latents(source, args.output, args.autoencoder, args.standardise)
        print(
            f"{args.output}: {len(source)} latents {list(source.shape)}, mean {moments.mean:.3g}, "
            f"standard deviation {moments.std:.3g}"
        )
        if warning := moments.warning(args.latents):
            print(f"warning: {warning}")
