"""An experiment's evaluations as a table and a plot."""

from pathlib import Path
from typing import Any

import pandas as pd

from .judging import DISTANCES

_TITLES = {"frechet": "Fréchet distance", "kernel": "kernel distance (MMD²)"}
_COLOURS = {"adversarial": "#c2410c", "control": "#1d4ed8", "trained": "#15803d"}


def evaluation_table(models: list[dict[str, Any]]) -> pd.DataFrame:
    """One row per model and the real-against-real row, with intervals as columns."""
    null = {"model": "reals", "arm": "reals", "iteration": None, **models[0]}
    null |= {"model": "reals", "arm": "reals", "iteration": None, "samples": models[0]["reals"]}
    rows = []
    for entry in [null, *models]:
        row = {"model": entry["model"], "arm": entry["arm"], "iteration": entry["iteration"]}
        row |= {key: entry[key] for key in ("num_samples", "num_held_out")}
        for name in DISTANCES:
            estimate = entry["samples"][name]
            row |= {name: estimate["value"]}
            row |= {f"{name}_low": estimate["low"], f"{name}_high": estimate["high"]}
        rows.append(row | _layout_figures(entry))
    return pd.DataFrame(rows).astype({"iteration": "Int64"})


def _layout_figures(entry: dict[str, Any]) -> dict[str, float]:
    """Columns of a model's decoded samples and predictions, where they were measured."""
    if "layouts" not in entry:
        return {}
    figures = entry["layouts"]
    if entry["model"] == "reals":
        return figures["reals"]
    accuracies = [row["segmentation_accuracy"] for row in figures["predictions"]]
    return figures["samples"] | {"segmentation_accuracy": sum(accuracies) / len(accuracies)}


def table_text(table: pd.DataFrame) -> str:
    """The table for a terminal: value and 95 % interval per distance."""
    shown = table[["model"]].copy()
    for name in DISTANCES:
        shown[_TITLES[name]] = [
            f"{row[name]:.4f} [{row[f'{name}_low']:.4f}, {row[f'{name}_high']:.4f}]"
            for _, row in table.iterrows()
        ]
    for name in ("palette_purity", "head_agreement", "segmentation_accuracy"):
        if name in table:
            shown[name.replace("_", " ")] = table[name].map("{:.4f}".format, na_action="ignore")
    return shown.to_string(index=False, na_rep="")


def plot_evaluations(table: pd.DataFrame, output: Path) -> None:
    """Both distances from the start on: arms over iterations, or what training left."""
    from matplotlib.figure import Figure  # slow to import, and only plots need it

    figure = Figure(figsize=(10, 4), layout="constrained")
    for position, name in enumerate(DISTANCES, start=1):
        _plot_distance(figure.add_subplot(1, len(DISTANCES), position), table, name)
    figure.savefig(output, format="png", dpi=120, metadata={"Software": None})


def _plot_distance(axis: Any, table: pd.DataFrame, name: str) -> None:
    start = table[table["arm"] == "start"].iloc[0]
    null = table[table["arm"] == "reals"].iloc[0]
    shift = {"adversarial": -0.04, "control": 0.04, "trained": 0.0}  # intervals side by side
    for arm, colour in _COLOURS.items():
        rows = table[table["arm"] == arm]
        if rows.empty:
            continue
        rows = pd.concat([start.to_frame().T, rows])
        x = [float(position) for position in range(len(rows))]
        y = rows[name].astype(float)
        below, above = y - rows[f"{name}_low"].astype(float), rows[f"{name}_high"].astype(float) - y
        axis.errorbar(
            [v + shift[arm] for v in x],
            y,
            [below, above],
            label=arm,
            color=colour,
            capsize=3,
            marker="o",
        )
    axis.axhline(null[name], color="grey", linestyle="--", label="real against real")
    axis.axhspan(null[f"{name}_low"], null[f"{name}_high"], color="grey", alpha=0.15)
    iterations = [f"iteration {n}" for n in sorted(set(table["iteration"].dropna()))]
    names = ["start", *(iterations or ["trained"])]
    axis.set_xticks(range(len(names)), names)
    axis.set_title(f"{_TITLES[name]} to held-out latents (95 % intervals)", fontsize=10)
    axis.set_ylim(bottom=min(0.0, axis.get_ylim()[0]))
    axis.legend(fontsize=8)
