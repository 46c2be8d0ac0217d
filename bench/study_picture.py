"""The study's figures as a picture: an arm a line, a figure a column."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure as Picture

from sparring.evaluation.comparing import BETTER
from sparring.evaluation.statistics import Figure, estimate_of

matplotlib.use("Agg")


def draw(
    found: dict[str, dict[str, Figure]],
    rows: dict[str, list[str]],
    figures: Sequence[str],
    path: Path,
) -> None:
    """Write a PNG: each arm's mean over its runs, with 2 standard errors; shaded, the controls'."""
    picture = Picture(figsize=(2.2 * len(figures) + 2, 0.3 * len(rows) + 1.3), layout="constrained")
    axes = picture.subplots(1, len(figures), sharey=True)
    for axis, name in zip(axes, figures, strict=True):
        of = {row: estimate_of([found[run][name] for run in runs]) for row, runs in rows.items()}
        for place, (row, estimate) in enumerate(of.items()):
            control = row.startswith(("control", "start"))
            colour = "tab:gray" if control else "tab:blue"
            axis.errorbar(estimate.value, place, xerr=2 * estimate.se, fmt="o", ms=4, color=colour)
        best = [e.value for row, e in of.items() if row.startswith("control")]
        axis.axvspan(min(best), max(best), color="tab:gray", alpha=0.2, lw=0)
        better = {"lower": "← better", "higher": "better →"}[BETTER[name]]
        axis.set_title(f"{name}\n{better}", fontsize=8)
        axis.tick_params(labelsize=7)
        axis.grid(axis="y", alpha=0.3)
    axes[0].set_yticks(range(len(rows)), list(rows))
    axes[0].invert_yaxis()
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.savefig(path, dpi=110)
