"""A history as a picture: a panel per term, train and validation in it, the learning rate below."""

from math import ceil
from pathlib import Path
from typing import Any

from ..artefacts.histories import Row, term_and_split
from ..balance import FOOLED, WANTED

_COLOURS = {"train": "#1d4ed8", "val": "#c2410c"}
_NAMES = {"train": "training", "val": "validation"}
_COLUMNS = 4
_WIDTH, _HEIGHT, _LOW = 4.0, 2.9, 1.3  # of a panel in inches; _LOW is the learning rate's height
_SCALES = 10  # a loss that spans more than this factor is drawn on a logarithmic scale
_MARKED = 30  # so few epochs are marked one by one

Points = tuple[list[int], list[float]]


def plot_history(history: list[Row], best_epoch: int, output: Path) -> None:
    """Write a PNG; `best_epoch`, whose weights were kept, is a dotted line in every panel."""
    from matplotlib.figure import Figure  # slow to import, and only plots need it

    series = _series(history)
    terms = [term for term in series if term != "learning_rate"]
    columns = len(terms) if len(terms) <= 3 else min(_COLUMNS, ceil(len(terms) / 2))
    rows = ceil(len(terms) / columns)
    figure = Figure(
        figsize=(max(6.0, _WIDTH * columns), _HEIGHT * rows + _LOW), layout="constrained"
    )
    places = figure.add_gridspec(rows + 1, columns, height_ratios=[_HEIGHT] * rows + [_LOW])
    for position, term in enumerate(terms):
        axis = figure.add_subplot(places[divmod(position, columns)])
        _plot_term(axis, term, series[term], best_epoch)
    figure.axes[0].legend(fontsize=8)
    _plot_rate(figure.add_subplot(places[rows, :]), series.get("learning_rate", {}), best_epoch)
    last = max(int(row["epoch"] or 0) for row in history)
    for axis in figure.axes:
        _lay_out(axis, last)
    figure.savefig(output, format="png", dpi=120, metadata={"Software": None})


def _series(history: list[Row]) -> dict[str, dict[str | None, Points]]:
    """Epochs and values by term and split."""
    found: dict[str, dict[str | None, Points]] = {}
    for row in history:
        for column, value in row.items():
            if column in ("epoch", "step") or value is None:
                continue
            term, split = term_and_split(column)
            epochs, values = found.setdefault(term, {}).setdefault(split, ([], []))
            epochs.append(int(row["epoch"] or 0))
            values.append(float(value))
    return found


def _plot_term(axis: Any, term: str, splits: dict[str | None, Points], best_epoch: int) -> None:
    for split in ("train", "val"):
        if split in splits:
            epochs, values = splits[split]
            marker = "o" if len(epochs) <= _MARKED else ""
            axis.plot(epochs, values, color=_COLOURS[split], label=_NAMES[split], marker=marker,
                      markersize=3, linewidth=1.3)  # fmt: skip
    values = [value for _, part in splits.values() for value in part]
    if term.endswith("loss") and min(values) > 0 and max(values) > _SCALES * min(values):
        _set_log_scale(axis)
    if term == "accuracy":
        axis.axhspan(*WANTED, color="#16a34a", alpha=0.15, linewidth=0)
        axis.set_ylim(min(0.4, *values) - 0.02, 1.02)
    if term == "viability_score":
        axis.axhline(FOOLED, color="grey", linestyle="--", linewidth=1)
        axis.set_ylim(-0.02, 1.02)
    axis.axvline(
        best_epoch, color="black", linestyle=":", linewidth=1, label=f"kept: epoch {best_epoch}"
    )
    axis.set_title(_title(term), fontsize=9)


def _set_log_scale(axis: Any) -> None:
    """With plain numbers at 1, 2 and 5 times powers of ten, never two above each other."""
    from matplotlib.ticker import LogLocator, NullFormatter

    axis.set_yscale("log")
    axis.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0), numticks=12))
    axis.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axis.yaxis.set_minor_formatter(NullFormatter())


def _plot_rate(axis: Any, splits: dict[str | None, Points], best_epoch: int) -> None:
    epochs, values = splits.get(None, ([], []))
    marker = "o" if len(epochs) <= _MARKED else ""
    axis.plot(epochs, values, color="#475569", marker=marker, markersize=2, linewidth=1)
    axis.axvline(best_epoch, color="black", linestyle=":", linewidth=1)
    axis.set_ylim(0, 1.15 * max(values, default=1.0))
    axis.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axis.locator_params(axis="y", nbins=3)
    axis.set_title("learning rate", fontsize=9)
    axis.set_xlabel("epoch", fontsize=8)


def _lay_out(axis: Any, last_epoch: int) -> None:
    """The same epochs in all panels, whole numbers, quiet lines."""
    from matplotlib.ticker import MaxNLocator

    margin = max(0.25, 0.02 * last_epoch)
    axis.set_xlim(-margin, last_epoch + margin)
    axis.xaxis.set_major_locator(MaxNLocator(nbins=8, steps=[1, 2, 5, 10], integer=True))
    axis.tick_params(labelsize=8)
    axis.grid(alpha=0.25, linewidth=0.6)


def _title(term: str) -> str:
    notes = {
        "accuracy": f" ({WANTED[0]:g} to {WANTED[1]:g} on validation wanted)",
        "viability_score": f" (above {FOOLED:g}: renew the fakes)",
        "psnr": " (dB)",
        "kernel": " distance of samples (chooses the epoch)",
    }
    return term.replace("_", " ") + notes.get(term, "")
