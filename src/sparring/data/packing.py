"""A dataset into one HDF5 file, streaming: memory does not grow with the number of layouts."""

from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from ..artefacts.layouts import LayoutRow, writing_layouts
from ..errors import UserError
from ..progress import progress
from ..settings.dataset import LayoutDataset, ManifestDataset, ProceduralDataset
from .images import ClassColours, ImageSource, as_array, classes_file
from .manifest import ManifestEntry, read_manifest, split_by_group
from .procedural import CLASSES, balcony_condition, generate_layouts

Packed = tuple[np.ndarray, LayoutRow]


def pack(settings: LayoutDataset, output: Path) -> int:
    """Write the dataset to `output` and return the number of layouts.

    All layouts must have one size and, where classes are named, only their colours.
    """
    if isinstance(settings, ProceduralDataset):
        classes: list[dict] | None = [asdict(c) for c in CLASSES]
        layouts, total = _procedural(settings), settings.num_layouts
    else:
        entries = read_manifest(settings)
        _require_images(entries, settings.manifest)
        colours = class_colours(settings)
        classes = colours.entries if colours else None
        layouts = _from_manifest(settings, entries, colours)
        total = len(entries) * (8 if settings.augmented == "dihedral" else 1)
    with writing_layouts(output, classes) as writer:
        count, first = 0, None
        for layout, row in progress(layouts, "packing", total):
            first = layout.shape if first is None else first
            if layout.shape != first:
                raise UserError(
                    f"{row.sample_id}: image is {layout.shape[0]} pixels wide but the first is "
                    f"{first[0]}; all layouts must have one size, or set resize"
                )
            writer.append(layout, row)
            count += 1
    return count


def class_colours(settings: ManifestDataset) -> ClassColours | None:
    """The classes that a dataset names, in `classes` or classes.json beside the manifest."""
    path = classes_file(settings)
    return ClassColours(path) if path else None


def dihedral(layout: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """The seven rotations and flips of a square layout other than itself, with their names."""
    for turns in range(4):
        turned = np.rot90(layout, turns)
        if turns:
            yield f"rot{90 * turns}", turned
        yield f"rot{90 * turns}_flip", np.flip(turned, axis=1)


def _procedural(settings: ProceduralDataset) -> Iterator[Packed]:
    names = [f"procedural_{index:05d}" for index in range(settings.num_layouts)]
    splits = split_by_group(names, settings.split, settings.seed)
    generated = generate_layouts(settings.seed, settings.num_layouts, settings.size)
    for name, split, layout in zip(names, splits, generated, strict=True):
        condition = balcony_condition(layout) if settings.condition else ""
        yield layout, LayoutRow(name, name, name, split, False, condition)


def _from_manifest(
    settings: ManifestDataset, entries: list[ManifestEntry], colours: ClassColours | None
) -> Iterator[Packed]:
    source = ImageSource(settings.manifest)
    for entry in entries:
        name = str(settings.manifest.parent / entry.layout_path)
        layout = as_array(source.open(entry.layout_path), name, colours, settings.resize)
        yield layout, entry.row
        if settings.augmented == "dihedral":
            for transform, copy in dihedral(layout):
                sample_id = f"{entry.row.sample_id}_{transform}"
                yield copy, replace(entry.row, sample_id=sample_id, is_augmented=True)


def _require_images(entries: list[ManifestEntry], manifest: Path) -> None:
    """All images exist: said before the first is packed, with how many are missing."""
    source = ImageSource(manifest)
    missing = [e.layout_path for e in entries if source.missing(e.layout_path)]
    if missing:
        raise UserError(
            f"{manifest.parent / missing[0]}: image is missing, as are {len(missing) - 1} others "
            f"of the {len(entries)} that {manifest} names; images lie beside the manifest, as "
            "files or in a zip"
        )
