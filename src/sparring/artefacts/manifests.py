"""CSV files that people write: read whole, or refused with what is wrong. Torch-free."""

import csv
from collections.abc import Mapping
from pathlib import Path

from ..errors import UserError


def read_records(
    path: Path, required: Mapping[str, str], thing: str, instead: str, fill: bool = False
) -> list[dict[str, str]]:
    """The rows of a manifest, one per `thing`, with their header's names.

    `required` are the columns that must be there, and what to do where one is not; `instead` says
    what to do where there is no file. Short rows are refused, or with `fill` end in empty cells.
    """
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, restval="" if fill else None)
            columns, records = reader.fieldnames or [], list(reader)
    except OSError as error:
        raise UserError(
            f"{path}: manifest cannot be read ({error.strerror or error}); {instead}"
        ) from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path}: not a UTF-8 CSV file ({error})") from error
    for column, way_out in required.items():
        if column not in columns:
            raise UserError(
                f"{path}: has no column {column!r}, found {', '.join(columns) or 'nothing'}; "
                f"{way_out}"
            )
    if not records:
        raise UserError(f"{path}: manifest has no rows, expected one per {thing}")
    for number, record in enumerate(records if not fill else (), start=2):
        if None in record or None in record.values():
            raise UserError(
                f"{path} line {number}: the number of cells differs from the header's "
                f"{len(columns)}"
            )
    return records
