"""All experiments on volumes: every phase and baseline by group, for the page and as CSV."""

import csv
import io
from dataclasses import dataclass
from pathlib import Path

from .shown import Shown
from .volumes import CODES, FIGURES, VolumeRow


@dataclass(frozen=True)
class VolumesRow:
    """One phase or baseline of one experiment on one group of volumes."""

    shown: Shown
    row: VolumeRow
    is_last: bool
    """Stands for its experiment: the adversarial phase, or the only one."""


@dataclass(frozen=True)
class VolumesTable:
    """The table of all experiments."""

    varied: tuple[str, ...]
    rows: tuple[VolumesRow, ...]


def volumes_of(experiments: list[Shown]) -> VolumesTable:
    """Every row of every experiment on volumes, in order."""
    judged = [(s, s.volumes.table) for s in experiments if s.volumes and s.volumes.table]
    varied = dict.fromkeys(key for shown, _ in judged for key in shown.varied)
    rows = [
        VolumesRow(shown, row, row.model == table.last_phase)
        for shown, table in judged
        for row in table.rows
    ]
    return VolumesTable(tuple(varied), tuple(rows))


def volumes_csv(experiments: list[Shown]) -> str:
    """Tidy CSV: one row per phase or baseline and group of volumes."""
    table = volumes_of(experiments)
    figures = [figure.key for figure in (*FIGURES, *CODES)]
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    header = ["experiment", "kind", "outcome", *table.varied, "model", "is_baseline", "group"]
    writer.writerow([*header, "volumes", *figures, "stands_for_experiment"])
    for one in table.rows:
        shown, row = one.shown, one.row
        values: list[object] = [shown.name, shown.kind, shown.verdict.word]
        values += [shown.varied.get(key, "") for key in table.varied]
        values += [row.model, int(not row.is_phase), row.group, row.volumes]
        values += [f"{row.values[key]:.6g}" if key in row.values else "" for key in figures]
        writer.writerow([*values, int(one.is_last)])
    return out.getvalue()


def volumes_file(table: Path) -> Path:
    """Where that CSV lies: beside the other, `report_volumes.csv` beside `report.csv`."""
    return table.with_stem(f"{table.stem}_volumes")
