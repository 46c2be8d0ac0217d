"""Print the evaluation tables of finished experiments and where to look next."""

import argparse
import json
from pathlib import Path

import pandas as pd

from sparring.evaluation.report import table_text


def show(experiment: Path) -> None:
    """Table, choice and pictures of one experiment."""
    table = pd.read_csv(experiment / "evaluation.csv", dtype={"iteration": "Int64"})
    print(f"\n{experiment.name}: distance to held-out layouts, 95 % intervals, less is better\n")
    print(table_text(table))
    chosen = experiment / "selected.json"
    if chosen.is_file():
        verdict = json.loads(chosen.read_text(encoding="utf-8"))
        print(f"\nselected: {verdict['selected']} ({verdict['reason']})")
    print(f"pictures: {experiment / 'samples.png'}, {experiment / 'evaluation.png'}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path, nargs="?", default=Path("results"))
    args = parser.parse_args()
    for table in sorted(args.results.glob("*/evaluation.csv")):
        show(table.parent)
