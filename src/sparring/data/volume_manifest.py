"""Manifests of volumes: which files, whose they are, and how patients are split.

Torch-free and quick, because the workflow reads manifests while it is parsed.
"""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..artefacts.layouts import SPLITS
from ..artefacts.manifests import read_records
from ..errors import UserError
from ..settings.volumes import VolumeDataset
from .manifest import NAME_IT, split_by_group

Slab = tuple[int, int]


@dataclass(frozen=True)
class VolumeEntry:
    """One row: the file, whose it is, and the part of it that is meant."""

    path: Path
    named: str
    """The path as the manifest has it."""
    sample_id: str
    patient_id: str
    split: str
    slab: Slab | None = None
    """Slices from:to along the third axis of the turned volume; None is all of it."""


def read_volume_manifest(settings: VolumeDataset) -> list[VolumeEntry]:
    """The rows, with their splits, in the manifest's order.

    Raises UserError for a missing or empty file, missing columns, rows without a file or patient,
    a patient in two splits (unless `split_by: slab`), slabs that overlap, and splits without rows.
    """
    path = settings.manifest
    records = _records(path, settings)
    patients = [record["patient_id"] for record in records]
    splits = _splits(records, patients, settings)
    entries = [
        VolumeEntry(
            path.parent / record[settings.volume_column],
            record[settings.volume_column],
            record.get("sample_id") or _sample_id(record, settings.volume_column),
            patient,
            split,
            _slab(record, settings),
        )
        for record, patient, split in zip(records, patients, splits, strict=True)
    ]
    _require_unique(entries, path)
    _require_apart(entries, path)
    _require_rows_in_splits(entries, path)
    return _limited(entries, settings)


def _limited(entries: list[VolumeEntry], settings: VolumeDataset) -> list[VolumeEntry]:
    """Without the training rows of patients beyond `max_patients`."""
    if settings.max_patients is None:
        return entries
    patients = sorted({entry.patient_id for entry in entries if entry.split == "train"})
    order = np.random.default_rng(settings.split_seed).permutation(len(patients))
    kept = {patients[n] for n in order[: settings.max_patients]}
    return [entry for entry in entries if entry.split != "train" or entry.patient_id in kept]


def _records(path: Path, settings: VolumeDataset) -> list[dict[str, str]]:
    required = {settings.volume_column: "add it or set volume_column", "patient_id": "add it"}
    records = read_records(path, required, "volume", NAME_IT)
    for number, record in enumerate(records, start=2):
        for column in required:
            if not record[column]:
                raise UserError(f"{path} line {number}: {column} is empty; fill it")
    return records


def _sample_id(record: dict[str, str], column: str) -> str:
    """The file's place without its endings, and the slab where there is one."""
    parts = [part for part in Path(record[column]).parts if part not in ("..", "/")]
    name = "/".join(parts).removesuffix(".gz").removesuffix(".nii")
    return f"{name}_slices_{record['slab'].replace(':', '_')}" if record.get("slab") else name


def _splits(
    records: list[dict[str, str]], patients: list[str], settings: VolumeDataset
) -> list[str]:
    path, column = settings.manifest, settings.split_column
    if column not in records[0]:
        if column != VolumeDataset.model_fields["split_column"].default:
            raise UserError(
                f"{path}: has no column {column!r}, found {', '.join(records[0])}; add it, or "
                "remove split_column to draw the patients of each split"
            )
        return _drawn(patients, settings)
    seen: dict[str, str] = {}
    for record, patient in zip(records, patients, strict=True):
        split = record[column]
        if split not in SPLITS:
            raise UserError(f"{path}: {column} is {split!r}, expected one of {', '.join(SPLITS)}")
        if seen.setdefault(patient, split) != split and settings.split_by == "patient":
            raise UserError(
                f"{path}: patient {patient} lies in splits {seen[patient]} and {split}, expected "
                "one; move the rows to one split, or set split_by: slab if there are too few "
                "patients"
            )
    return [record[column] for record in records]


def _drawn(patients: list[str], settings: VolumeDataset) -> list[str]:
    count = len(set(patients))
    if settings.split_by == "slab":
        raise UserError(
            f"{settings.manifest}: split_by is slab, but there is no column "
            f"{settings.split_column!r}; add it, with train, val or test for every slab"
        )
    if count < len(SPLITS):
        raise UserError(
            f"{settings.manifest}: has {count} patients, expected at least {len(SPLITS)} to draw "
            "train, val and test from; add patients, or a split column with split_by: slab"
        )
    return split_by_group(patients, settings.split, settings.split_seed)


def _slab(record: dict[str, str], settings: VolumeDataset) -> Slab | None:
    text = record.get("slab", "").strip()
    if not text:
        return None
    start, colon, stop = text.partition(":")
    whole = start.strip().isdigit() and stop.strip().isdigit()
    if not (colon and whole) or int(start) >= int(stop):
        raise UserError(
            f"{settings.manifest}: slab is {text!r}, expected slices from:to such as 0:70"
        )
    return int(start), int(stop)


def _require_unique(entries: list[VolumeEntry], path: Path) -> None:
    name, count = Counter(entry.sample_id for entry in entries).most_common(1)[0]
    if count > 1:
        raise UserError(f"{path}: sample_id {name!r} stands in {count} rows, expected one")


def _require_apart(entries: list[VolumeEntry], path: Path) -> None:
    """No voxel in two rows: a slab of one split must not contain one of another."""
    by_file: dict[Path, list[VolumeEntry]] = {}
    for entry in entries:
        for other in by_file.setdefault(entry.path, []):
            if not _apart(entry.slab, other.slab):
                raise UserError(
                    f"{path}: {other.sample_id} and {entry.sample_id} share slices of "
                    f"{entry.path.name}; give every row a slab of its own in column slab"
                )
        by_file[entry.path].append(entry)


def _apart(one: Slab | None, other: Slab | None) -> bool:
    if one is None or other is None:
        return False
    return one[1] <= other[0] or other[1] <= one[0]


def _require_rows_in_splits(entries: list[VolumeEntry], path: Path) -> None:
    counts = Counter(entry.split for entry in entries)
    for split in SPLITS:
        if not counts[split]:
            found = ", ".join(f"{name} {counts[name]}" for name in SPLITS)
            raise UserError(
                f"{path}: split {split!r} has no rows ({found}); every split needs some, so add "
                "rows or leave the column out to have patients drawn"
            )
