"""CSV files that name latents one by one: `sample_id,latent_path,label,is_viable,original_id`.

Torch-free. Only `latent_path`, relative to the manifest, must be there: a file with one latent, or
`latents.h5#12`, row 12 of a latents file. Label 1 is real, 0 fake.
"""

import csv
import io
from dataclasses import dataclass
from pathlib import Path

from ..errors import UserError
from .atomic import write_text
from .digests import file_digest, text_digest
from .manifests import read_records

COLUMNS = ("sample_id", "latent_path", "label", "is_viable", "original_id")
_TRUE, _FALSE = {"1", "1.0", "true", "yes"}, {"0", "0.0", "false", "no"}


@dataclass(frozen=True)
class LatentRow:
    """One latent `[C,H,W]`, and what a manifest says of it."""

    sample_id: str
    original_id: str
    """Equal for copies of one original, which must not be split apart."""
    file: Path
    label: bool | None = None
    """Real or fake."""
    is_viable: bool | None = None
    row: int | None = None
    """In a file of many latents; None where it holds this one alone."""


def read_latent_manifest(
    path: Path, label: bool | None = None, is_viable: bool | None = None
) -> list[LatentRow]:
    """The rows, of these only the ones with the wanted label and `is_viable`.

    Raises UserError for a missing file or column, an empty path, a flag that is neither true nor
    false, two rows of one name, no rows, and latents that are not there.
    """
    instead = "expected a CSV file with a column latent_path"
    records = read_records(path, {"latent_path": "add it"}, "latent", instead, fill=True)
    rows = [_row(record, path, line) for line, record in enumerate(records, start=2)]
    for column, wanted in (("label", label), ("is_viable", is_viable)):
        rows = _selected(rows, column, wanted, path)
    names = set()
    for row in rows:
        if row.sample_id in names:
            raise UserError(f"{path}: sample_id {row.sample_id!r} stands in two rows, expected one")
        names.add(row.sample_id)
    require_files([row.file for row in rows], path)
    return rows


def write_latent_manifest(path: Path, rows: list[LatentRow]) -> None:
    """Write the rows, their files relative to the manifest."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in rows:
        flags = ["" if flag is None else flag for flag in (row.label, row.is_viable)]
        label, viable = (int(flag) if isinstance(flag, bool) else flag for flag in flags)
        place = row.file.relative_to(path.parent).as_posix()
        place += "" if row.row is None else f"#{row.row}"
        writer.writerow([row.sample_id, place, label, viable, row.original_id])
    write_text(path, text.getvalue())


def rows_digest(rows: list[LatentRow]) -> str:
    """Digest of what is said of the latents, and of their content."""
    contents = {file: file_digest(file) for file in dict.fromkeys(row.file for row in rows)}
    said = (f"{r.sample_id}:{r.original_id}:{r.label}:{r.row}:{contents[r.file]}" for r in rows)
    return text_digest("\n".join(said))


def manifest_digest(path: Path) -> str:
    """Digest of a manifest and of the latents that it names."""
    return rows_digest(read_latent_manifest(path))


def require_files(files: list[Path], named_by: Path) -> None:
    """All files exist: said before the first is read, with how many are missing."""
    missing = [file for file in files if not file.is_file()]
    if missing:
        raise UserError(
            f"{missing[0]}: latents are missing, as are {len(missing) - 1} others of the "
            f"{len(files)} that {named_by} names; paths are relative to the manifest"
        )


def _row(record: dict[str, str], path: Path, line: int) -> LatentRow:
    place = record["latent_path"]
    if not place:
        raise UserError(f"{path} line {line}: latent_path is empty; fill it or remove the row")
    file, number = _place(place, path, line)
    name = record.get("sample_id") or (
        place if number is not None else str(Path(place).with_suffix(""))
    )
    return LatentRow(
        name,
        record.get("original_id") or record.get("parent_id") or name,
        path.parent / file,
        _flag(record.get("label") or "", "label", path, line),
        _flag(record.get("is_viable") or "", "is_viable", path, line),
        number,
    )


def _place(place: str, path: Path, line: int) -> tuple[str, int | None]:
    """`latents.h5#12` as its file and row; another file holds one latent."""
    file, mark, number = place.rpartition("#")
    if not mark or not file.endswith(".h5"):
        return place, None
    if not number.isdecimal():
        raise UserError(
            f"{path} line {line}: latent_path is {place!r}, expected a row number after #"
        )
    return file, int(number)


def _flag(value: str, column: str, path: Path, line: int) -> bool | None:
    text = value.strip().lower()
    if text not in {"", *_TRUE, *_FALSE}:
        raise UserError(f"{path} line {line}: {column} is {value!r}, expected 1 or 0")
    return text in _TRUE if text else None


def _selected(
    rows: list[LatentRow], column: str, wanted: bool | None, path: Path
) -> list[LatentRow]:
    if wanted is None:
        return rows
    kept = [row for row in rows if getattr(row, column) is wanted]
    if not kept:
        found = sorted({str(getattr(row, column)) for row in rows})
        raise UserError(
            f"{path}: no row has {column} {int(wanted)}, found {', '.join(found)}; fill the "
            "column or select other rows"
        )
    return kept
