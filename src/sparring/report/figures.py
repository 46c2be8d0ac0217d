"""An experiment's evaluation.csv and comparisons.json as figures with intervals."""

import csv
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import UserError
from ..metrics import Better, metric_of
from ..settings.parts import BETTER_SOLVER, DECODED_REALS, MATCHED

_NOT_FIGURES = {"model", "arm", "iteration", "num_samples", "num_held_out", "seed"}
_ENDINGS = ("_low", "_high", "_se")
_Z = 1.96  # standard errors in half a 95 % interval


@dataclass(frozen=True)
class Figure:
    """A column of the table that says how good models are."""

    key: str
    title: str
    better: Better | None
    caption: str
    has_interval: bool

    @property
    def is_main(self) -> bool:
        """Neither a figure beside the null's nor a class's share: those are many, in the tables."""
        return not self.key.endswith(("_above_null", "_to_null")) and "share_" not in self.key


@dataclass(frozen=True)
class Estimate:
    """A value and its 95 % interval; the interval's ends are the value where there is none."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Model:
    """One row of the table."""

    name: str
    arm: str
    iteration: int | None
    seed: str
    values: dict[str, Estimate]


@dataclass(frozen=True)
class Difference:
    """A paired difference of two models in one figure, with its 95 % interval."""

    model: str
    against: str
    figure: str
    estimate: Estimate
    better: Better | None

    @property
    def judgement(self) -> str:
        """`better`, `worse`, or `undecided` where the interval holds 0."""
        low, high = self.estimate.low, self.estimate.high
        if low <= 0 <= high or self.better not in ("lower", "higher"):
            return "undecided"
        return "better" if (high < 0) == (self.better == "lower") else "worse"


@dataclass(frozen=True)
class Evaluation:
    """All judged models of one experiment; `reals` is the real-against-real row."""

    figures: tuple[Figure, ...]
    models: tuple[Model, ...]
    samples: str
    """How many samples and held-out reals there were, in words."""

    @property
    def reals(self) -> Model | None:
        """Reals against held-out ones (the null)."""
        return next((m for m in self.models if m.arm in ("reals", "null")), None)

    @property
    def start(self) -> Model | None:
        """The model that entered."""
        return next((m for m in self.models if m.arm == "start"), None)

    @property
    def baselines(self) -> list[Model]:
        """The start, sampled otherwise."""
        return [m for m in self.models if m.arm in (BETTER_SOLVER, MATCHED)]

    @property
    def arms(self) -> list[str]:
        """What was trained from the start."""
        others = ("reals", "null", DECODED_REALS, "start", BETTER_SOLVER, MATCHED)
        return list(dict.fromkeys(m.arm for m in self.models if m.arm not in others))

    def rows(self, arm: str) -> list[Model]:
        """The models of an arm."""
        return [m for m in self.models if m.arm == arm]


@dataclass(frozen=True)
class Comparisons:
    """What the evaluation concludes."""

    verdict: str
    """A whole sentence."""
    selected: str
    outcome: str
    """The verdict in a word."""
    differences: tuple[Difference, ...] = ()


def figure_of(column: str, has_interval: bool) -> Figure:
    """What a column means; one that is not known stands for itself."""
    found = metric_of(column)
    if found is None:
        return Figure(column, column.replace("_", " "), None, "", has_interval)
    metric, more = found
    title = f"{metric.title}, {more}" if more else metric.title
    return Figure(column, title, metric.better, metric.caption, has_interval)


def read_evaluation(path: Path) -> Evaluation:
    """The table of one experiment; UserError where it is none."""
    rows = _rows(path)
    columns = list(rows[0]) if rows else []
    missing = {"model", "arm", "iteration"} - set(columns)
    if missing:
        raise UserError(
            f"{path}: has columns {columns}, expected also {sorted(missing)}; delete it and run "
            "snakemake again"
        )
    figures = tuple(
        figure_of(column, f"{column}_low" in columns or f"{column}_se" in columns)
        for column in columns
        if column not in _NOT_FIGURES and not column.endswith(_ENDINGS) and _is_number(rows, column)
    )
    counts = [
        f"{int(float(rows[0][key]))} {name}"
        for key, name in (
            ("num_samples", "samples per model"),
            ("num_held_out", "held-out reals"),
        )
        if rows[0].get(key)
    ]
    return Evaluation(figures, tuple(_model(row, figures) for row in rows), ", ".join(counts))


def read_comparisons(path: Path) -> Comparisons:
    """Verdict and paired differences of one experiment; UserError where the file is damaged."""
    content = _json(path)
    try:
        differences = tuple(
            Difference(
                str(row["model"]),
                str(row["against"]),
                str(row["figure"]),
                Estimate(float(row["difference"]), float(row["low"]), float(row["high"])),
                row.get("better") or figure_of(row["figure"], True).better,
            )
            for row in content["differences"]
        )
        verdict, selected, outcome = (
            str(content[key]) for key in ("verdict", "selected", "outcome")
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UserError(
            f"{path}: not the comparisons of models ({error!r}); delete it and run snakemake again"
        ) from error
    return Comparisons(verdict, selected, outcome, differences)


def number(value: float) -> str:
    """Four figures, and no more zeros than needed."""
    if not math.isfinite(value):
        return "–"
    return f"{value:.4g}".replace("e+0", "e").replace("e-0", "e-").replace("-", "−")


def _model(row: dict[str, str], figures: tuple[Figure, ...]) -> Model:
    values = {}
    for figure in figures:
        value = _number(row.get(figure.key))
        if value is None:
            continue
        error = _number(row.get(f"{figure.key}_se"))
        low, high = _number(row.get(f"{figure.key}_low")), _number(row.get(f"{figure.key}_high"))
        if error is not None and low is None:
            low, high = value - _Z * error, value + _Z * error
        values[figure.key] = Estimate(
            value, value if low is None else low, value if high is None else high
        )
    iteration = _number(row["iteration"])
    return Model(
        row["model"],
        row["arm"],
        None if iteration is None else int(iteration),
        row.get("seed", "") or "",
        values,
    )


def _rows(path: Path) -> list[dict[str, str]]:
    try:
        with open(path, newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path}: cannot be read ({error})") from error


def _json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(content, dict):
            raise ValueError("expected keys and values")
    except (OSError, ValueError) as error:
        raise UserError(
            f"{path}: not readable JSON ({error}); delete it and run snakemake again"
        ) from error
    return content


def _is_number(rows: list[dict[str, str]], column: str) -> bool:
    return any(_number(row.get(column)) is not None for row in rows)


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "nan")
    except ValueError:
        return None
    return value if math.isfinite(value) else None
