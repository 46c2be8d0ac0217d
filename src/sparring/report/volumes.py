"""An experiment on volumes: its table, its judged volumes, what it says of its codes."""

import csv
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..artefacts.volumes import NEW, SHARED
from ..errors import UserError
from .charts import Chart
from .images import Figure

PHASES = ("reconstruction", "adversarial", "control")
NOT_BY_PATIENT = (
    "NOT SPLIT BY PATIENT: some held-out slabs come from volumes that were also trained on; their "
    "figures say less than those of new patients"
)
"""Where no file says whose slabs they are."""


@dataclass(frozen=True)
class VolumeFigure:
    """A column of the table."""

    key: str
    title: str
    caption: str
    decimals: int = 2


FIGURES = (
    VolumeFigure("psnr", "PSNR (dB)", "on the fixed window of HU; higher is closer", 1),
    VolumeFigure("ssim", "SSIM", "structural similarity in three dimensions; higher is closer", 3),
    VolumeFigure("mae_hu", "MAE (HU)", "mean absolute error; lower is closer", 1),
    VolumeFigure(
        "gradient_ratio",
        "gradient ratio",
        "squared differences between neighbours over the original's: below 1 blurred, above 1 "
        "noise or invented texture",
    ),
    VolumeFigure("bits_per_voxel", "bits per voxel", "what the code takes", 3),
)
CODES = (
    VolumeFigure("perplexity", "perplexity", "exp of the entropy of the codes' use, validation"),
    VolumeFigure("codes_used", "codes used", "codes that occur at all, validation"),
)
BASELINES = {
    "constant": "the best single value: the floor of every figure",
    "trilinear_equal_factor": "as many 8-bit samples as latent cells, interpolated",
    "trilinear_equal_bits": "8-bit samples of as many bits as the codes take, interpolated",
    "trilinear_tuned": "as many bits in coarser samples, the best PSNR on that very volume",
}


@dataclass(frozen=True)
class VolumeRow:
    """A phase or a baseline on one group of held-out volumes: means over the volumes."""

    model: str
    group: str
    volumes: int
    values: dict[str, float]

    @property
    def is_phase(self) -> bool:
        """A trained model, not a baseline."""
        return self.model in PHASES


@dataclass(frozen=True)
class VolumeTable:
    """All of `volumes.csv`, in its order."""

    rows: tuple[VolumeRow, ...]

    @property
    def groups(self) -> list[str]:
        """Groups of held-out volumes: new patients and slabs of trained volumes stay apart."""
        return list(dict.fromkeys(row.group for row in self.rows))

    def of(self, group: str) -> list[VolumeRow]:
        """The rows of a group."""
        return [row for row in self.rows if row.group == group]

    def at(self, model: str, group: str) -> VolumeRow | None:
        """One row, if there is one."""
        return next((row for row in self.of(group) if row.model == model), None)

    @property
    def last_phase(self) -> str | None:
        """The model that stands for the experiment."""
        there = {row.model for row in self.rows}
        return next((p for p in ("adversarial", "reconstruction") if p in there), None)


@dataclass(frozen=True)
class Compared:
    """One phase's reconstruction of a volume, above its error map."""

    phase: str
    made: Figure
    error: Figure


@dataclass(frozen=True)
class ShownVolume:
    """One held-out volume through every phase."""

    sample_id: str
    group: str
    original: Figure
    phases: tuple[Compared, ...]


@dataclass(frozen=True)
class CodesUsed:
    """How a phase uses its codebook, over the validation split."""

    phase: str
    perplexity: float
    used: float
    of: int | None
    dead: float | None
    """Codes that were used less than the threshold at the end of training."""


@dataclass(frozen=True)
class VolumesShown:
    """What an experiment on volumes has beyond the others."""

    table: VolumeTable | None
    warning: str
    """Where held-out slabs are of volumes that were trained on; "" where none are."""
    pictures: tuple[ShownVolume, ...]
    codes: tuple[CodesUsed, ...]
    charts: dict[str, list[Chart]]
    """Curves under their headings."""


@dataclass(frozen=True)
class Judged:
    """A phase's `evaluation.json`: figures of single volumes."""

    warning: str
    volumes: tuple[VolumeRow, ...]
    """`model` is the volume's name here."""

    def first(self, group: str) -> VolumeRow | None:
        """The volume that stands for a group in pictures."""
        return next((row for row in self.volumes if row.group == group), None)


def read_table(path: Path) -> VolumeTable:
    """`volumes.csv`; UserError where it is none."""
    try:
        with open(path, newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        columns = list(rows[0]) if rows else []
        missing = {"model", "group", "volumes", *(f.key for f in FIGURES)} - set(columns)
        if missing:
            raise ValueError(f"columns {columns} lack {sorted(missing)}")
        known = tuple(f.key for f in (*FIGURES, *CODES))
        return VolumeTable(tuple(_row(row, known, row["model"]) for row in rows))
    except (OSError, ValueError, TypeError, csv.Error) as error:
        raise UserError(
            f"{path}: not a table of volumes ({error}); delete it and run snakemake again"
        ) from error


def read_judged(path: Path) -> Judged:
    """A phase's `evaluation.json`; UserError where it is none."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        keys = tuple(f.key for f in FIGURES)
        rows = [_row(v | {"volumes": 1}, keys, v["sample_id"]) for v in content["volumes"]]
        return Judged(content.get("warning") or "", tuple(rows))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(
            f"{path}: not an evaluation of volumes ({error!r}); delete it and run snakemake again"
        ) from error


def group_name(group: str, count: int) -> str:
    """A group in words, with how many volumes it has; `group` stays as it is if unknown."""
    if group == NEW:
        return f"new patients ({count} {'volume' if count == 1 else 'volumes'})"
    if group == SHARED:
        return f"held-out slabs of trained volumes ({count})"
    return f"{group} ({count})"


def _row(row: dict[str, Any], keys: tuple[str, ...], model: str) -> VolumeRow:
    values = {key: float(row[key]) for key in keys if row.get(key) not in (None, "")}
    finite = {key: value for key, value in values.items() if math.isfinite(value)}
    return VolumeRow(model, str(row["group"]), int(row["volumes"]), finite)
