"""Print verdicts and evaluation tables of finished experiments and where to look next."""

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

import pandas as pd

from sparring.artefacts.atomic import write_text
from sparring.balance import WANTED, balance_table, balances
from sparring.errors import UserError
from sparring.evaluation.report import table_text


def show(experiment: Path) -> None:
    """Table, verdict and pictures of one experiment."""
    table = pd.read_csv(experiment / "evaluation.csv", dtype={"iteration": "Int64"})
    print(f"\n{experiment.name}: judged by held-out layouts (docs/evaluation.md)\n")
    print(table_text(table))
    rounds = table.loc[table["arm"] == "adversarial", "iteration"].drop_duplicates()
    show_balance(experiment, [int(n) for n in rounds])
    compared = experiment / "comparisons.json"
    if compared.is_file():
        found = json.loads(compared.read_text(encoding="utf-8"))
        print(f"\n{found['verdict']}\nselected: {found['selected']}")
    print(f"pictures: {experiment / 'samples.png'}, {experiment / 'evaluation.png'}")


def show_balance(experiment: Path, iterations: list[int]) -> None:
    """How discriminator and denoiser stood per iteration; also into balance.csv."""
    found = balances(experiment, iterations)
    if not found:
        return
    write_text(experiment / "balance.csv", balance_table(found))
    low, high = WANTED
    print(f"\ndiscriminator per iteration, validation accuracy {low:g} to {high:g} wanted\n")
    shown = pd.DataFrame([asdict(balance) for balance in found])
    print(shown.to_string(index=False, float_format="%.2f", na_rep=""))


def show_volumes(experiment: Path) -> None:
    """Table and pictures of an experiment on volumes."""
    table = pd.read_csv(experiment / "volumes.csv")
    print(
        f"\n{experiment.name}: held-out volumes, means; gradient_ratio 1 is as sharp as they are\n"
    )
    for file in sorted(experiment.glob("*/evaluation.json"))[:1]:
        warning = json.loads(file.read_text(encoding="utf-8"))["warning"]
        print(f"{warning}\n" if warning else "", end="")
    for group, rows in table.groupby("group", sort=False):
        print(f"{group}:")
        shown = rows.drop(columns=["group"])
        print(shown.to_string(index=False, float_format="%.3f", na_rep=""), end="\n\n")
    print(f"pictures: {experiment / 'volumes.png'}, {experiment}/*/reconstructions/*.png")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path, nargs="?", default=Path("results"))
    args = parser.parse_args()
    try:
        for table in sorted(args.results.glob("*/evaluation.csv")):
            show(table.parent)
        for table in sorted(args.results.glob("*/volumes.csv")):
            show_volumes(table.parent)
    except UserError as error:
        sys.exit(str(error))
