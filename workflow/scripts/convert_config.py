"""Turn the YAML of a hand-written training script into an experiment file.

Writes the experiment, prints the entries that config.yaml needs, and says on stderr what became of
every field: the key that it turned into, or why it turned into none and what to do instead.
docs/coming-from-scripts.md has the whole mapping.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

import yaml

from sparring.artefacts.atomic import write_text
from sparring.errors import UserError
from sparring.settings.old_names.assembly import Asked
from sparring.settings.old_names.conversion import convert
from sparring.settings.old_names.documentation import flag_meanings
from sparring.settings.old_names.report import account_text, config_text, experiment_text
from sparring.settings.old_names.vqgan import convert_vqgan, is_vqgan
from sparring.settings.reading import numbers, read_yaml

EXPERIMENTS = Path("config/experiments")
EXAMPLE = """example:
  python workflow/scripts/convert_config.py stage2_discriminator.yaml --num_samples 5000 \\
      --num_iterations 3 --start-from stage1_mine
"""


def convert_file(old: Path, flags: dict[str, Any], asked: Asked, args: argparse.Namespace) -> None:
    """Write and print; refuse to write over a file that stands there."""
    content = read_yaml(old)
    of_volumes = is_vqgan(content) if asked.kind is None else False
    conversion = (convert_vqgan if of_volumes else convert)(content, flags, asked, str(old))
    output: Path = args.output or EXPERIMENTS / f"{conversion.name}.yaml"
    if output.exists() and not args.force:
        raise UserError(f"{output}: exists already; give another --name or --output, or --force")
    has_schema = (output.parent.parent / "schema.json").is_file()
    write_text(
        output, experiment_text(conversion, old.name, "../schema.json" if has_schema else None)
    )
    print(config_text(conversion), flush=True)
    report = [f"{old} -> {output}", account_text(conversion)]
    for entry in conversion.config["datasets"].values():
        if not Path(entry["manifest"]).is_file():
            report.append(
                f"warning: {entry['manifest']} is not there; paths are relative to where snakemake "
                "runs"
            )
    print("\n".join(report), file=sys.stderr)


def flag_value(text: str) -> Any:
    """A flag's value as in a YAML file: numbers are numbers."""
    try:
        return numbers(yaml.safe_load(text))
    except yaml.YAMLError as error:
        raise argparse.ArgumentTypeError(f"{text!r} cannot be read") from error


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("old", type=Path, help="the old YAML file")
    parser.add_argument("--name", help="of the experiment (default: its old name)")
    parser.add_argument(
        "--output", type=Path, help=f"file to write (default: {EXPERIMENTS}/NAME.yaml)"
    )
    parser.add_argument("--force", action="store_true", help="write over the file")
    parser.add_argument(
        "--kind",
        choices=["pretrain", "finetune", "adversarial"],
        help="of the experiment (default: what the old file calls for)",
    )
    parser.add_argument(
        "--start-from",
        help="an experiment (name, name@2, name@selected) or a model directory (with a /) in place "
        "of the old checkpoint",
    )
    parser.add_argument("--dataset", help="an entry that config.yaml has already")
    parser.add_argument("--autoencoder", help="an entry that config.yaml has already")
    of_the_call = parser.add_argument_group("flags of the old call, with dashes or underscores")
    flags_of = {}
    for flag, meaning in flag_meanings().items():
        spellings = dict.fromkeys([flag, flag.replace("_", "-")])
        takes: dict[str, Any] = {"type": flag_value, "metavar": "X"}
        if flag == "--resume":
            takes = {"action": "store_const", "const": True}
        action = of_the_call.add_argument(*spellings, help=meaning, **takes)
        flags_of[flag] = action.dest
    args = parser.parse_args()
    given = {flag: getattr(args, dest) for flag, dest in flags_of.items()}
    name = args.name or (args.output.stem if args.output else None)
    asked = Asked(name, args.kind, args.start_from, args.dataset, args.autoencoder)
    try:
        flags = {flag: value for flag, value in given.items() if value is not None}
        convert_file(args.old, flags, asked, args)
    except UserError as error:
        parser.exit(2, f"{error}\n")
