"""All experiments by all figures: one table, for the page and as CSV."""

import csv
import io
from dataclasses import dataclass

from .figures import Difference, Estimate, Figure, Model, number
from .shown import Shown


@dataclass(frozen=True)
class Cell:
    """A figure of a model."""

    estimate: Estimate | None
    difference: Difference | None
    """To the control at the same iteration, or to the start where there is no control."""

    @property
    def text(self) -> str:
        """The value."""
        return number(self.estimate.value) if self.estimate else ""

    @property
    def judgement(self) -> str:
        """`better` or `worse` where a paired difference says so."""
        return self.difference.judgement if self.difference else ""


@dataclass(frozen=True)
class SweepRow:
    """One judged model of one experiment."""

    shown: Shown
    model: Model
    is_last: bool
    """Stands for its experiment: the selected model, or that of the last iteration."""
    cells: dict[str, Cell]


@dataclass(frozen=True)
class Sweep:
    """The table."""

    varied: tuple[str, ...]
    figures: tuple[Figure, ...]
    rows: tuple[SweepRow, ...]


def sweep_of(experiments: list[Shown]) -> Sweep:
    """Every judged model of every experiment, in order."""
    judged = [shown for shown in experiments if shown.evaluation is not None]
    varied = dict.fromkeys(key for shown in judged for key in shown.varied)
    figures: dict[str, Figure] = {}
    rows = []
    for shown in judged:
        assert shown.evaluation is not None
        for figure in shown.evaluation.figures:
            figures.setdefault(figure.key, figure)
        for model in shown.evaluation.models:
            cells = {f.key: _cell(shown, model, f.key) for f in shown.evaluation.figures}
            rows.append(SweepRow(shown, model, model.name == shown.judged_last, cells))
    return Sweep(tuple(varied), tuple(figures.values()), tuple(rows))


def sweep_csv(experiments: list[Shown]) -> str:
    """Tidy CSV: one row per judged model, every figure with its interval and paired difference."""
    sweep = sweep_of(experiments)
    header = ["experiment", "kind", "outcome", "selected", *sweep.varied]
    header += ["model", "arm", "iteration", "stands_for_experiment"]
    for figure in sweep.figures:
        header.append(figure.key)
        if figure.has_interval:
            header += [f"{figure.key}_low", f"{figure.key}_high"]
    keys = dict.fromkeys(
        key for row in sweep.rows for key, cell in row.cells.items() if cell.difference
    )
    for key in keys:
        header += [f"{key}_against", f"{key}_difference"]
        header += [f"{key}_difference_low", f"{key}_difference_high"]
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(header)
    for row in sweep.rows:
        writer.writerow(_values(row, sweep, list(keys)))
    return out.getvalue()


def _values(row: SweepRow, sweep: Sweep, differing: list[str]) -> list[object]:
    shown, model = row.shown, row.model
    selected = shown.comparisons.selected if shown.comparisons else ""
    values: list[object] = [shown.name, shown.kind, shown.verdict.word, selected]
    values += [shown.varied.get(key, "") for key in sweep.varied]
    iteration = "" if model.iteration is None else model.iteration
    values += [model.name, model.arm, iteration, int(row.is_last)]
    for figure in sweep.figures:
        cell = row.cells.get(figure.key)
        found = _spelt(cell.estimate if cell else None)
        values += found if figure.has_interval else found[:1]
    for key in differing:
        cell = row.cells.get(key)
        difference = cell.difference if cell else None
        values.append(difference.against if difference else "")
        values += _spelt(difference.estimate if difference else None)
    return values


def _spelt(estimate: Estimate | None) -> list[object]:
    if estimate is None:
        return ["", "", ""]
    return [f"{value:.6g}" for value in (estimate.value, estimate.low, estimate.high)]


def _cell(shown: Shown, model: Model, key: str) -> Cell:
    differences = shown.comparisons.differences if shown.comparisons else ()
    of_model = {d.against: d for d in differences if d.model == model.name and d.figure == key}
    difference = of_model.get("control") or of_model.get("start")
    return Cell(model.values.get(key), difference)
