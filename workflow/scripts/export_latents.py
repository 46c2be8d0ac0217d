"""Write a latents file for other programs: as one bare tensor, or as a file per sample.

Latents are standardised, as in the file: raw = latents * latents_std + latents_mean, which the
autoencoder's config.json has per channel.
"""

import argparse
from pathlib import Path

from sparring.errors import one_line_exit
from sparring.stages.exchange import export_folder, export_tensor

if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--latents", type=Path, required=True, help="latents file (.h5)")
    parser.add_argument("--output", type=Path, help=".pt to write: a tensor [N,C,H,W] of float32")
    parser.add_argument(
        "--folder", type=Path, help="folder to write: a .pt [C,H,W] per sample and manifest.csv"
    )
    parser.add_argument(
        "--label",
        choices=["0", "1"],
        help="what the manifest says of them, 1 real or 0 fake, in its columns label and "
        "is_viable; rows of the other label that the folder has already stay",
    )
    args = parser.parse_args()
    if args.output is None and args.folder is None:
        parser.error("nothing to write: name --output, --folder or both")
    if args.label is not None and args.folder is None:
        parser.error("--label goes into a manifest: name --folder too")
    with one_line_exit():
        if args.output is not None:
            export_tensor(args.latents, args.output)
            print(args.output)
        if args.folder is not None:
            label = None if args.label is None else args.label == "1"
            count = export_folder(args.latents, args.folder, label)
            print(f"{args.folder / 'manifest.csv'}: {count} rows")
