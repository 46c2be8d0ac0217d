"""An experiment's evaluation.csv and comparisons.json as figures with intervals."""

import csv
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ..errors import UserError
from ..settings.parts import BETTER_SOLVER, DECODED_REALS, MATCHED

Better = Literal["lower", "higher", "real"]
"""`real`: the nearer to what reals have, the better."""

_NOT_FIGURES = {"model", "arm", "iteration", "num_samples", "num_held_out", "seed"}
_ENDINGS = ("_low", "_high", "_se")
_Z = 1.96  # standard errors in half a 95 % interval

# By the beginning of the column's name, the first that fits: title, direction, what it says.
_KNOWN: tuple[tuple[str, str, Better | None, str], ...] = (
    ("decoded_auc", "two-sample AUC, decoded", "lower", "against original held-out reals"),
    ("decoded_kernel", "kernel distance, decoded", "lower", "against original held-out reals"),
    ("latent_mean", "mean of latents", "real", "root mean square over channels"),
    ("latent_std", "std of latents", "real", "root mean square over channels"),
    ("auc", "two-sample AUC", "lower", "fresh judges against held-out reals; 0.5 is chance"),
    ("frechet", "Fréchet distance", "lower", "of feature means and covariances, to held-out ones"),
    ("kernel", "kernel distance (MMD²)", "lower", "of features to held-out reals"),
    ("precision", "precision", "higher", "share of samples that lie among the reals"),
    ("recall", "recall", "higher", "share of reals that lie among the samples"),
    ("density", "density", "higher", "how densely samples lie among the reals"),
    ("coverage", "coverage", "higher", "share of reals with a sample near by"),
    ("memoris", "memorisation share", "lower", "nearer to training reals; 0.5 without"),
    ("palette_purity", "palette purity", "real", "how near colours are to those of the classes"),
    ("boundary_gap", "boundary length, gap", "lower", "to held-out reals"),
    ("isolated_gap", "isolated pixels, gap", "lower", "to held-out reals"),
    ("specks_gap", "specks, gap", "lower", "to held-out reals"),
    ("closed_gap", "closed apartments, gap", "lower", "to the share among held-out reals"),
    ("rooms_gap", "rooms, gap", "lower", "to held-out reals"),
    ("straight_walls_gap", "straight walls, gap", "lower", "to held-out reals"),
    ("component_distance", "regions per class, distance", "lower", "to held-out reals"),
    ("class_distance", "class frequencies, distance", "lower", "to held-out reals"),
    ("adjacency_distance", "room adjacencies, distance", "lower", "to held-out reals"),
    ("gradient_gap", "gradient energy, gap", "lower", "|log2| of the ratio to held-out volumes"),
    ("gradient_ratio", "gradient energy, ratio", "real", "to held-out volumes; below 1 blurred"),
    ("hu_distance", "HU histogram, distance", "lower", "Wasserstein, in HU, to held-out volumes"),
    ("tissue_distance", "HU ranges, distance", "lower", "of shares, to held-out volumes"),
    ("tissue_", "share of voxels", "real", "in a range of HU, of decoded samples"),
    ("inception_frechet", "Fréchet distance, Inception", "lower", "of decoded pictures"),
    ("inception_kernel", "kernel distance, Inception", "lower", "of decoded pictures"),
    ("share_", "share of pixels", "real", "of decoded samples"),
    ("isolated_pixels", "isolated pixels", "real", "pixels unlike all their neighbours"),
    ("specks", "specks", "real", "regions of one class too small to be anything"),
    ("closed_open_doors", "closed with doors open", "real", "share of layouts without a way in"),
    ("closed", "closed apartments", "real", "share of layouts that walls and doors close off"),
    ("rooms_open", "rooms, doors open", "real", "regions that no wall parts"),
    ("rooms", "rooms", "real", "regions that walls and doors part"),
    ("straight_walls", "straight walls", "real", "share of wall pixels whose wall goes on"),
    ("boundary_length", "boundary length", "real", "length of the lines between classes"),
    ("head_agreement", "head agreement", "real", "colours and segmentation head say the same"),
    ("segmentation_accuracy", "segmentation accuracy", "higher", "of one-step predictions"),
)  # fmt: skip


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
    """What a column means, told by the beginning of its name; an unknown one stands for itself."""
    plain = column.replace("_", " ")
    for beginning, title, better, caption in _KNOWN:
        if column.startswith(beginning):
            rest = column[len(beginning) :]
            more = rest[rest.index("_") + 1 :].replace("_", " ") if "_" in rest else ""
            return Figure(
                column, f"{title}, {more}" if more else title, better, caption, has_interval
            )
    return Figure(column, plain, None, "", has_interval)


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


def read_comparisons(path: Path, figures: tuple[Figure, ...]) -> Comparisons:
    """Verdict and paired differences of one experiment; UserError where the file is damaged."""
    known = {figure.key: figure.better for figure in figures}
    content = _json(path)
    try:
        differences = tuple(
            Difference(
                str(row["model"]),
                str(row["against"]),
                str(row["figure"]),
                Estimate(float(row["difference"]), float(row["low"]), float(row["high"])),
                row.get("better") or known.get(row["figure"]),
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
