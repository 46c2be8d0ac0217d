"""An experiment's evaluations as a table and a plot."""

from pathlib import Path
from typing import Any

import pandas as pd

from ..settings.parts import DECODED_REALS, NULL
from .comparing import FIXED, Model

DISTANCES = ("frechet", "kernel")
AUCS = (*FIXED, "auc_linear", "auc_cnn")
_SHOWN = (
    "frechet_above_null",
    "coverage_to_null",
    "memorisation",
    "closed",
    "isolated_gap",
    "rooms_gap",
    "adjacency_distance",
    "palette_purity",
    "head_agreement",
    "segmentation_accuracy",
    "gradient_ratio",
    "hu_distance",
    "tissue_distance",
)
_PLOTTED = {
    "fixed_auc_linear": "AUC of the linear judges",
    "fixed_auc_cnn": "AUC of the convolutional judges",
    "frechet": "Fréchet distance",
}
_COLOURS = {"adversarial": "#c2410c", "control": "#1d4ed8", "trained": "#15803d"}


def evaluation_table(models: dict[str, dict[str, Any]], seed: int) -> pd.DataFrame:
    """One row per model, the null (`reals`) first, beside it `decoded_reals`, if they are there.

    Columns: model, arm, iteration, training seed, counts; then every figure with its 95 % interval
    (`X`, `X_low`, `X_high`; of AUCs also the standard error `X_se`), some beside the null's
    (`X_above_null`, `X_to_null`), and what was measured of decoded layouts.
    """
    null = models[NULL]["figures"]
    rows = []
    for name in sorted(models, key=lambda name: (name != NULL, name != DECODED_REALS)):
        entry, model = models[name], Model(name, {})
        row: dict[str, Any] = {"model": name, "arm": model.arm, "iteration": model.iteration}
        row["seed"] = _seed(model, seed)
        row |= {key: entry[key] for key in ("num_samples", "num_held_out")}
        for figure, found in entry["figures"].items():
            row |= {figure: found["value"]}
            row |= {f"{figure}_{end}": found[end] for end in ("low", "high")}
            if "auc" in figure:
                row[f"{figure}_se"] = found["se"]
        row |= _beside_null(entry["figures"], null) | _of_layouts(entry.get("layouts", {}))
        rows.append(row)
    return pd.DataFrame(rows).astype({"iteration": "Int64", "seed": "Int64"})


def _seed(model: Model, own: int) -> int | None:
    if model.name in (NULL, DECODED_REALS):
        return None
    return own if model.seed is None else model.seed


def _beside_null(figures: dict[str, Any], null: dict[str, Any]) -> dict[str, float]:
    """Distances minus the null's, shares as parts of the null's."""
    above = {
        f"{n}_above_null": figures[n]["value"] - null[n]["value"] for n in DISTANCES if n in figures
    }
    return above | {
        f"{n}_to_null": figures[n]["value"] / null[n]["value"]
        for n in ("precision", "recall", "density", "coverage")
        if n in figures and null[n]["value"]
    }


def _of_layouts(layouts: dict[str, Any]) -> dict[str, float]:
    """Shares of the classes among decoded pixels, and the accuracy of decoded predictions."""
    if not layouts:
        return {}
    shares = layouts["samples"].get("class_shares", [])  # none where there are no classes
    found = {f"share_{name}": shares[int(number)] for number, name in layouts["classes"].items()}
    if "predictions" in layouts:
        accuracies = [row["segmentation_accuracy"] for row in layouts["predictions"]]
        found["segmentation_accuracy"] = sum(accuracies) / len(accuracies)
    return found


def table_text(table: pd.DataFrame) -> str:
    """The table for a terminal: AUCs with standard errors, and the most telling of the rest."""
    shown = table[["model"]].copy()
    for name in (n for n in AUCS if n in table):
        shown[name] = [
            "" if pd.isna(row[name]) else f"{row[name]:.3f} +- {row[f'{name}_se']:.3f}"
            for _, row in table.iterrows()
        ]
    for name in (n for n in _SHOWN if n in table):
        shown[name.replace("_", " ")] = table[name].map("{:.3f}".format, na_action="ignore")
    return shown.to_string(index=False, na_rep="")


def plot_evaluations(table: pd.DataFrame, output: Path) -> None:
    """Figures from the start on: arms over iterations, or what training left."""
    from matplotlib.figure import Figure  # slow to import, and only plots need it

    figure = Figure(figsize=(14, 4), layout="constrained")
    for position, (name, title) in enumerate(_PLOTTED.items(), start=1):
        _plot_figure(figure.add_subplot(1, len(_PLOTTED), position), table, name, title)
    figure.savefig(output, format="png", dpi=120, metadata={"Software": None})


def _plot_figure(axis: Any, table: pd.DataFrame, name: str, title: str) -> None:
    start = table[table["arm"] == "start"].iloc[0]
    null = table[table["arm"] == NULL].iloc[0]
    shift = {"adversarial": -0.04, "control": 0.04, "trained": 0.0}  # intervals side by side
    for arm, colour in _COLOURS.items():
        for number, (_, runs) in enumerate(table[table["arm"] == arm].groupby("seed")):
            rows = pd.concat([start.to_frame().T, runs])
            y = rows[name].astype(float)
            low, high = (rows[f"{name}_{end}"].astype(float) for end in ("low", "high"))
            axis.errorbar(
                [position + shift[arm] for position in range(len(rows))],
                y,
                [y - low, high - y],
                label=None if number else arm,
                color=colour,
                capsize=3,
                marker="o",
            )
    own = name.removeprefix("fixed_")  # no scorer is trained on the null's rows
    axis.axhline(null[own], color="grey", linestyle="--", label="real against real")
    axis.axhspan(null[f"{own}_low"], null[f"{own}_high"], color="grey", alpha=0.15)
    iterations = [f"iteration {n}" for n in sorted(set(table["iteration"].dropna()))]
    names = ["start", *(iterations or ["trained"])]
    axis.set_xticks(range(len(names)), names)
    axis.set_title(f"{title} (95 % intervals)", fontsize=10)
    axis.legend(fontsize=8)
