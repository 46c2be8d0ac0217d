"""Stages on data that need no network: packing layouts, drawing reals, gathering fakes."""

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ..artefacts.conditions import COLUMN, conditions_attribute
from ..artefacts.digests import file_digest, text_digest
from ..artefacts.latents import (
    latents_columns,
    latents_info,
    read_column,
    read_latents,
    writing_latents,
)
from ..data.packing import pack
from ..errors import UserError
from ..models.moments import batches_in, matching_to
from ..settings.stages import EncodeReal, GatherFake, PackLayouts
from .job import Job

logger = logging.getLogger(__name__)


def pack_layouts(job: Job[PackLayouts], output: Path) -> None:
    """A manifest's images, or generated layouts, into one HDF5 file."""
    count = pack(job.settings.dataset, output)
    logger.info("%d layouts packed into %s", count, output)


def encode_real(job: Job[EncodeReal], latents: Path, output: Path) -> None:
    """Copy the rows that (seed, iteration) draws from the training latents.

    A real file, not an HDF5 virtual dataset: a missing source would read as zeros.
    """
    s = job.settings
    info = latents_info(latents)
    augmented = read_column(latents, "is_augmented")
    candidates = np.arange(info.count) if s.augmented else np.flatnonzero(~augmented)
    if len(candidates) < s.num_samples and not s.allow_fewer_reals:
        raise UserError(
            f"{latents}: has {len(candidates)} latents to draw reals from, but num_samples is "
            f"{s.num_samples}; set num_samples: {len(candidates)} or allow_fewer_reals: true"
        )
    count = min(s.num_samples, len(candidates))
    draw = np.random.default_rng(_seed(s.seed, s.iteration))
    rows = np.sort(draw.choice(candidates, size=count, replace=False))
    attributes = {
        "kind": "real",
        "autoencoder_digest": info.autoencoder_digest,
        "seed": s.seed,
        "iteration": s.iteration,
        "source_digest": file_digest(latents),
        **conditions_attribute(info.conditions),
    }
    with writing_latents(output, count, attributes) as writer:
        for start in range(0, count, 256):
            writer.append(read_latents(latents, rows[start : start + 256]))
        for column in ("sample_id", "original_id"):
            writer.column(column, [str(v) for v in read_column(latents, column)[rows]])
        if info.conditions:
            writer.column(COLUMN, read_column(latents, COLUMN)[rows])
    logger.info("%d of %d training latents drawn", count, len(candidates))


def gather_fake(
    job: Job[GatherFake], shards: list[Path], output: Path, reference: Path | None = None
) -> None:
    """The shards in one file, byte for byte what one job would have sampled.

    With `moments: match` that is with the moments of `reference`, the train latents.
    """
    size, moments = job.settings.batch_size, job.settings.moments
    attributes = latents_info(shards[0]).attributes | {"moments": moments}
    attributes.pop("format_version")
    counts = [latents_info(shard).count for shard in shards]
    matched: Callable[[np.ndarray], np.ndarray] | None = None
    if moments == "match":
        whole = (batch for shard in shards for batch in batches_in(shard, size))
        matched = matching_to(reference, whole, attributes["autoencoder_digest"])
    with writing_latents(output, sum(counts), attributes) as writer:
        for shard in shards:
            for rows in batches_in(shard, size):
                writer.append(matched(rows) if matched else rows)
        for column in latents_columns(shards[0]):
            writer.column(column, np.concatenate([read_column(s, column) for s in shards]))
    logger.info("%d latents gathered from %d shards", sum(counts), len(shards))


def _seed(seed: int, iteration: int) -> int:
    """Keyed like every draw, without importing torch for it."""
    return int(text_digest(f"{seed}/encode_real/{iteration}"), 16)
