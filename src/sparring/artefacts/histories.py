"""Histories: one CSV row per epoch."""

import csv
import io
from pathlib import Path

from .atomic import write_text

Row = dict[str, float | int | None]


def history_text(rows: list[Row]) -> str:
    """CSV with the union of the rows' columns, in order of appearance; None is an empty cell."""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    out = io.StringIO()
    writer = csv.DictWriter(out, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows({k: _cell(v) for k, v in row.items()} for row in rows)
    return out.getvalue()


def write_history(path: Path, rows: list[Row]) -> None:
    """Write a history, aside first."""
    write_text(path, history_text(rows))


def _cell(value: float | int | None) -> str:
    if value is None:
        return ""
    return str(value) if isinstance(value, int) else f"{value:.7g}"
