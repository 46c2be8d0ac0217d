"""Latents that a dataset's manifest names, in place of encoding its layouts."""

import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from ..artefacts.conditions import conditions_attribute
from ..artefacts.digests import file_digest, text_digest
from ..artefacts.foreign_latents import ForeignLatents, require_storable
from ..artefacts.latent_manifests import LatentRow, require_files, rows_digest
from ..artefacts.latents import LatentsWriter, writing_latents
from ..artefacts.layouts import Layouts
from ..artefacts.models import read_config
from ..data.manifest import read_manifest
from ..errors import UserError
from ..models.autoencoder import autoencoder_digest
from ..models.latent_scale import Moments, standardised
from ..progress import progress
from ..settings.dataset import ManifestDataset

logger = logging.getLogger(__name__)


def take_latents(
    dataset: ManifestDataset,
    layouts: Layouts,
    autoencoder: Path,
    outputs: dict[str, Path],
    batch_size: int,
) -> None:
    """One file per split as `encode_layouts` writes it, streamed, without running a network.

    `source_digest` covers the latents' own files, which are too many for Snakemake to watch.
    """
    rows = _rows(dataset, layouts, list(outputs))
    everything = [row for of_split in rows.values() for row in of_split]
    require_files([row.file for row in everything], dataset.manifest)
    attributes = {
        "kind": "encoded",
        "autoencoder_digest": autoencoder_digest(autoencoder),
        "source_digest": text_digest(file_digest(layouts.path) + rows_digest(everything)),
        **conditions_attribute(layouts.conditions),
    }
    config = read_config(autoencoder)
    for split, output in outputs.items():
        source = ForeignLatents(dataset.manifest, rows[split])
        _require_shape(source, config, layouts, autoencoder, rows[split][0].file)
        total = -(-len(source) // batch_size)
        batches = progress(source.batches(batch_size), f"taking {split}", total, "batch")
        with writing_latents(output, len(source), attributes | {"split": split}) as writer:
            _write(writer, batches, config if dataset.latents_are == "raw" else None, source.path)
            writer.columns_of(layouts, layouts.rows(split))
        logger.info("%d latents of %s taken from %s", len(source), split, dataset.manifest)


def _write(
    writer: LatentsWriter, batches: Iterable[np.ndarray], config: dict[str, Any] | None, path: Path
) -> None:
    """Standardised by the autoencoder's config, where one is given."""
    moments = Moments()
    for batch in batches:
        latents = standardised(batch, config) if config is not None else batch
        require_storable(latents, path)
        moments.add(latents)
        writer.append(latents)
    if warning := moments.warning(path):
        logger.warning(warning)


def _rows(
    dataset: ManifestDataset, layouts: Layouts, splits: list[str]
) -> dict[str, list[LatentRow]]:
    """The latents of each split, in the order of its packed layouts."""
    folder = dataset.manifest.parent
    places = {entry.row.sample_id: entry.latent_path for entry in read_manifest(dataset)}
    unknown = next((name for name in layouts.sample_id if name not in places), None)
    if unknown is not None:
        raise UserError(
            f"{dataset.manifest}: has no row {unknown!r}, which {layouts.path} holds; the manifest "
            "was changed since the layouts were packed, run snakemake again"
        )
    ids, originals = layouts.sample_id, layouts.original_id
    return {
        split: [
            LatentRow(ids[n], originals[n], folder / places[ids[n]]) for n in layouts.rows(split)
        ]
        for split in splits
    }


def _require_shape(
    source: ForeignLatents, config: dict[str, Any], layouts: Layouts, autoencoder: Path, first: Path
) -> None:
    side = layouts.side // 2 ** (len(config["block_out_channels"]) - 1)
    expected = (config["latent_channels"], side, side)
    if source.shape != expected:
        raise UserError(
            f"{first}: latents are {list(source.shape)}, but {autoencoder} makes {list(expected)} "
            f"of layouts of {layouts.side} pixels; name the autoencoder that they were encoded "
            "with, or set latents: encode"
        )
