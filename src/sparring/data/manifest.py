"""Manifests: which layouts a dataset has, whose copies they are, and how they are split.

Torch-free and quick, because the workflow reads manifests while it is parsed.
"""

import csv
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..artefacts.layouts import SPLITS, LayoutRow, conditions_of_rows
from ..artefacts.manifests import read_records
from ..errors import UserError
from ..settings.dataset import ManifestDataset, SplitFractions

LATENT_COLUMN = "latent_path"
NAME_IT = "set datasets.<name>.manifest in config.yaml"
_TRUE = {"1", "true", "yes"}
_FALSE = {"0", "false", "no", ""}


@dataclass(frozen=True)
class ManifestEntry:
    """One row: where the image is, who it is, and where its latents are if they are given."""

    layout_path: str
    row: LayoutRow
    latent_path: str = ""


def read_manifest(settings: ManifestDataset) -> list[ManifestEntry]:
    """The rows to pack, with their splits, in the manifest's order.

    Raises UserError for a missing or empty file, a missing column, rows without an image path,
    copies whose original is not said, groups that cross splits, and splits without rows.
    """
    path = settings.manifest
    records = _records(path, settings)
    kept = [r for r in records if _keep(r, path, settings)]
    if not kept:
        raise UserError(f"{path}: no rows are left with augmented: {settings.augmented}")
    _require_latents(kept, path, settings)
    samples = [_sample_id(record, settings) for record in kept]
    _require_unique(samples, path)
    # Rows without a picture are not packed, but may link a copy of a copy to its original.
    linked = settings.augmented == "manifest"
    unseen = [r for r in records if r.get("sample_id") and not r[settings.layout_column]]
    origins = _origins(kept + unseen if linked else kept, path, settings)
    splits = _splits(kept, [origins[sample][1] for sample in samples], path, settings)
    entries = [
        ManifestEntry(
            record[settings.layout_column],
            LayoutRow(
                sample,
                *origins[sample],
                split,
                _flag(record, path),
                record[settings.condition] if settings.condition else "",
            ),
            record.get(LATENT_COLUMN, ""),
        )
        for record, sample, split in zip(kept, samples, splits, strict=True)
    ]
    _require_rows_in_splits(entries, path)
    if settings.condition:
        _require_conditions(entries, path, settings.condition)
    return entries


def count_originals(entries: list[ManifestEntry], split: str = "train") -> int:
    """Rows of a split that are not augmented copies."""
    return sum(e.row.split == split and not e.row.is_augmented for e in entries)


def split_by_group(groups: list[str], fractions: SplitFractions, seed: int) -> list[str]:
    """A split per row: groups are shuffled by the seed and cut by the fractions, never rows."""
    names = sorted(set(groups))
    order = np.random.default_rng(seed).permutation(len(names))
    num_val, num_test = split_counts(len(names), fractions)
    split = {}
    for position, index in enumerate(order):
        later = position - num_val
        split[names[index]] = "val" if later < 0 else "test" if later < num_test else "train"
    return [split[group] for group in groups]


def columns(path: Path) -> list[str]:
    """The manifest's header."""
    with open(path, newline="", encoding="utf-8-sig") as file:
        return next(csv.reader(file), [])


def split_counts(count: int, fractions: SplitFractions) -> tuple[int, int]:
    """How many of `count` groups validate and test: at least one each."""
    return max(1, round(fractions.val * count)), max(1, round(fractions.test * count))


def _records(path: Path, settings: ManifestDataset) -> list[dict[str, str]]:
    named = {key: getattr(settings, key) for key in ("layout_column", "condition")}
    required = {
        column: f"add it or set {key}" for key, column in named.items() if column is not None
    }
    return read_records(path, required, "layout", NAME_IT)


def _keep(record: dict[str, str], path: Path, settings: ManifestDataset) -> bool:
    augmented = _flag(record, path)
    if augmented and settings.augmented != "manifest":
        return False
    if record[settings.layout_column]:
        return True
    if augmented:  # a copy may lack a picture at this size: originals may not
        return False
    raise UserError(
        f"{path}: a row that is no augmented copy has an empty {settings.layout_column!r} "
        f"({_first_cell(record)}); fill it or remove the row"
    )


def _require_latents(records: list[dict[str, str]], path: Path, settings: ManifestDataset) -> None:
    if settings.latents == "encode":
        return
    if LATENT_COLUMN not in records[0]:
        raise UserError(
            f"{path}: has no column {LATENT_COLUMN!r}, found {', '.join(records[0])}; add it, or "
            "set latents: encode"
        )
    for record in records:
        if not record[LATENT_COLUMN]:
            raise UserError(
                f"{path}: {_sample_id(record, settings)} has an empty {LATENT_COLUMN!r}; fill it, "
                "or set latents: encode"
            )


def _flag(record: dict[str, str], path: Path) -> bool:
    value = record.get("is_augmented", "").strip().lower()
    if value not in _TRUE | _FALSE:
        raise UserError(f"{path}: is_augmented is {value!r}, expected 0 or 1")
    return value in _TRUE


def _origins(
    records: list[dict[str, str]], path: Path, settings: ManifestDataset
) -> dict[str, tuple[str, str]]:
    """sample_id to (original_id, group); an original and all its copies share one group."""
    named = {_sample_id(record, settings): record for record in records}
    parents = _parents(named, path)
    # A group with a copy that names no parent counts as one original.
    whole = {
        record["group"]
        for sample, record in named.items()
        if _flag(record, path) and sample not in parents
    }
    origins: dict[str, tuple[str, str]] = {}
    seen: dict[str, tuple[str, str]] = {}
    for sample, record in named.items():
        root = _root(sample, parents, path)
        group = record.get("group") or named.get(root, {}).get("group") or root
        first, expected = seen.setdefault(root, (sample, group))
        if group != expected:
            raise UserError(
                f"{path}: {sample} is in group {group} but {first}, of the same original, in "
                f"{expected}; give them one group, or a copy could validate its own original"
            )
        origins[sample] = (group if group in whole else root, group)
    return origins


def _sample_id(record: dict[str, str], settings: ManifestDataset) -> str:
    return record.get("sample_id") or str(Path(record[settings.layout_column]).with_suffix(""))


def _parents(named: dict[str, dict[str, str]], path: Path) -> dict[str, str]:
    """The parent of every row that names one; refuses copies of nobody knows what."""
    parents = {}
    for sample, record in named.items():
        parent = record.get("parent_id") or record.get("original_id")
        copy = _flag(record, path)
        if copy and not (parent or record.get("group")):
            raise UserError(
                f"{path}: {sample} is flagged is_augmented but neither 'parent_id' nor 'group' "
                "says whose copy it is; add one, or a copy could validate its own original"
            )
        if parent and (copy or parent != sample):
            parents[sample] = parent
    claimed = {parent for sample, parent in parents.items() if not named[sample].get("group")}
    if claimed and not claimed & set(named):
        raise UserError(
            f"{path}: parent_id {min(claimed)!r} is the sample_id of no row, nor is any other "
            "parent_id; spell both alike or add a group column, or a copy could validate its own "
            "original"
        )
    return parents


def _root(sample: str, parents: dict[str, str], path: Path) -> str:
    """The original of a row, through copies of copies."""
    chain = [sample]
    while chain[-1] in parents:
        chain.append(parents[chain[-1]])
        if chain[-1] in chain[:-1]:
            raise UserError(
                f"{path}: parent_id of {sample} leads round in a circle "
                f"({' -> '.join(chain)}); name the original that it is a copy of"
            )
    return chain[-1]


def _splits(
    records: list[dict[str, str]], groups: list[str], path: Path, settings: ManifestDataset
) -> list[str]:
    if "split" not in records[0] or settings.split_from == "fractions":
        return split_by_group(groups, settings.split, settings.split_seed)
    seen: dict[str, str] = {}
    for record, group in zip(records, groups, strict=True):
        split = record["split"]
        if split not in SPLITS:
            raise UserError(f"{path}: split is {split!r}, expected one of {', '.join(SPLITS)}")
        if seen.setdefault(group, split) != split:
            raise UserError(
                f"{path}: group {group} lies in splits {seen[group]} and {split}; a group must "
                "stay in one split, or validation sees its twins"
            )
    return [record["split"] for record in records]


def _require_unique(samples: list[str], path: Path) -> None:
    name, count = Counter(samples).most_common(1)[0]
    if count > 1:
        raise UserError(f"{path}: sample_id {name!r} stands in {count} rows, expected one")


def _require_rows_in_splits(entries: list[ManifestEntry], path: Path) -> None:
    counts = Counter(e.row.split for e in entries)
    for split in SPLITS:
        if not counts[split]:
            found = ", ".join(f"{name} {counts[name]}" for name in SPLITS)
            raise UserError(
                f"{path}: split {split!r} has no rows ({found}); every split needs some, so add "
                "rows or leave the column out to have splits made by group"
            )


def _require_conditions(entries: list[ManifestEntry], path: Path, column: str) -> None:
    """The conditions can be learnt, and a copy has its original's."""
    rows = [entry.row for entry in entries]
    source = f"{path}: column {column!r}"
    if not conditions_of_rows(rows, source):
        raise UserError(f"{source} is empty; fill it, or leave condition out")
    originals = {row.sample_id: row for row in rows if not row.is_augmented}
    for row in rows:
        original = originals.get(row.original_id, row)
        if row.condition != original.condition:
            raise UserError(
                f"{source} says {row.condition!r} of {row.sample_id}, but {original.condition!r} "
                f"of {original.sample_id}, whose copy it is; give both the same"
            )


def _first_cell(record: dict[str, str]) -> str:
    column, value = next(iter(record.items()))
    return f"{column} {value!r}"
