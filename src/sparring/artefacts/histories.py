"""Histories: one CSV row per epoch."""

import csv
import io
from pathlib import Path

from ..errors import UserError
from .atomic import write_text

Row = dict[str, float | int | None]
_COUNTS = ("epoch", "step")
_SPLITS = ("train", "val")


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


def read_history(path: Path) -> list[Row]:
    """The rows of a history; an empty cell is None. Raises UserError where it is none."""
    try:
        with open(path, newline="", encoding="utf-8") as file:
            rows = [{k: _value(k, cell) for k, cell in row.items()} for row in csv.DictReader(file)]
        if rows and "epoch" not in rows[0]:
            raise ValueError("it has no column epoch")
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error})") from error
    except (ValueError, TypeError, AttributeError) as error:
        raise UserError(
            f"{path}: not a history ({error}), expected a row of numbers per epoch; delete it and "
            "run snakemake again"
        ) from error
    return rows


def shown_values(row: Row) -> dict[str, float]:
    """The figures of a row that are there, without the counts of epochs and steps."""
    return {k: v for k, v in row.items() if k not in _COUNTS and v is not None}


def term_and_split(column: str) -> tuple[str, str | None]:
    """`val_loss` is the term `loss` on the split `val`; the learning rate belongs to no split."""
    split, _, term = column.partition("_")
    return (term, split) if split in _SPLITS else (column, None)


def _value(column: str, cell: str) -> float | int | None:
    if cell == "":
        return None
    return int(cell) if column in _COUNTS else float(cell)


def _cell(value: float | int | None) -> str:
    if value is None:
        return ""
    return str(value) if isinstance(value, int) else f"{value:.7g}"
