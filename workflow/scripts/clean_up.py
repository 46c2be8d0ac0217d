"""List, or with --delete remove, what a run does not need any more: nothing is trained again.

Latents that every stage has read, and what dead jobs left half-written. Models, histories, tables,
pictures and logs stay.
"""

import argparse
import sys
from pathlib import Path

from sparring.errors import UserError
from sparring.rounds import load_rounds, removable
from sparring.settings.reading import read_yaml

if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--configfile", type=Path, default=Path("config/config.yaml"), help="as for snakemake"
    )
    parser.add_argument("--delete", action="store_true", help="do it; without, only list")
    args = parser.parse_args()
    try:
        rounds = load_rounds(read_yaml(args.configfile), source=str(args.configfile))
    except UserError as error:
        sys.exit(str(error))
    total = 0
    for found in list(removable(rounds)):
        total += found.size
        print(f"{found.size / 1e6:10.1f} MB  {found.what}")
        if args.delete:
            found.remove()
    print(f"{total / 1e6:10.1f} MB  {'deleted' if args.delete else 'can go: run with --delete'}")
