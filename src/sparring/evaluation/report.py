"""An experiment's evaluations as a table and a plot."""

from pathlib import Path
from typing import Any

import pandas as pd

from ..metrics import METRICS
from ..settings.parts import BETTER_SOLVER, DECODED_REALS, MATCHED, NULL
from .comparing import Model

_COLOURS = {
    "adversarial": "#c2410c",
    "control": "#1d4ed8",
    "control_time": "#0e7490",
    "trained": "#15803d",
}
_FREE = {MATCHED: "start, moments matched", BETTER_SOLVER: "start, better solver"}


def evaluation_table(models: dict[str, dict[str, Any]], seed: int) -> pd.DataFrame:
    """One row per model, the null (`reals`) first, beside it `decoded_reals`, if they are there.

    Columns: model, arm, iteration, training seed, counts; then every figure with its 95 % interval
    (`X`, `X_low`, `X_high`) and standard error (`X_se`), some beside the null's
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
            row |= {f"{figure}_{end}": found[end] for end in ("low", "high", "se")}
        row |= _beside_null(entry["figures"], null) | _of_layouts(entry.get("layouts", {}))
        rows.append(row)
    return pd.DataFrame(rows).astype({"iteration": "Int64", "seed": "Int64"})


def _seed(model: Model, own: int) -> int | None:
    if model.name in (NULL, DECODED_REALS):
        return None
    return own if model.seed is None else model.seed


def _beside_null(figures: dict[str, Any], null: dict[str, Any]) -> dict[str, float]:
    """Distances minus the null's, shares as parts of the null's."""
    found = {}
    for row in METRICS:
        if row.beside_null and row.name in figures:
            ours, theirs = figures[row.name]["value"], null[row.name]["value"]
            if row.beside_null == "above_null":
                found[f"{row.name}_above_null"] = ours - theirs
            elif theirs:
                found[f"{row.name}_to_null"] = ours / theirs
    return found


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
    """The table for a terminal: the figures that decide, and the most telling of the rest."""
    shown = table[["model"]].copy()
    for row in METRICS:
        # A share says little without what the null has of it.
        column = f"{row.name}_to_null" if row.beside_null == "to_null" else row.name
        if row.heading and column in table:
            shown[row.heading] = table[column].map(_short, na_action="ignore")
    return shown.to_string(index=False, na_rep="")


def _short(value: float) -> str:
    """Three decimals, but of a model that is far off only its magnitude."""
    return f"{value:.3f}" if abs(value) < 1000 else f"{value:.0e}"


def plot_evaluations(table: pd.DataFrame, output: Path) -> None:
    """Figures from the start on: arms over iterations, or what training left."""
    from matplotlib.figure import Figure  # slow to import, and only plots need it

    plotted = {row.name: row.title for row in METRICS if row.called and row.name in table}
    figure = Figure(figsize=(4.7 * len(plotted), 4), layout="constrained")
    for position, (name, title) in enumerate(plotted.items(), start=1):
        _plot_figure(figure.add_subplot(1, len(plotted), position), table, name, title)
    figure.savefig(output, format="png", dpi=120, metadata={"Software": None})


def _plot_figure(axis: Any, table: pd.DataFrame, name: str, title: str) -> None:
    start = table[table["arm"] == "start"].iloc[0]
    null = table[table["arm"] == NULL].iloc[0]
    shifts = dict(zip(_COLOURS, (-0.06, 0.0, 0.06, 0.0), strict=True))  # intervals side by side
    for arm, colour in _COLOURS.items():
        for number, (_, runs) in enumerate(table[table["arm"] == arm].groupby("seed")):
            rows = pd.concat([start.to_frame().T, runs])
            y = rows[name].astype(float)
            low, high = (rows[f"{name}_{end}"].astype(float) for end in ("low", "high"))
            axis.errorbar(
                [position + shifts[arm] for position in range(len(rows))],
                y,
                [y - low, high - y],
                label=None if number else arm.replace("_", ", equal "),
                color=colour,
                capsize=3,
                marker="o",
            )
    for style, (arm, label) in zip((":", "-."), _FREE.items(), strict=True):
        for value in table[table["arm"] == arm][name]:
            axis.axhline(value, color="#6b7280", linestyle=style, label=label)
    axis.axhline(null[name], color="grey", linestyle="--", label="real against real")
    axis.axhspan(null[f"{name}_low"], null[f"{name}_high"], color="grey", alpha=0.15)
    iterations = [f"iteration {n}" for n in sorted(set(table["iteration"].dropna()))]
    names = ["start", *(iterations or ["trained"])]
    axis.set_xticks(range(len(names)), names)
    axis.set_title(f"{title} (95 % intervals)", fontsize=10)
    axis.legend(fontsize=8)
