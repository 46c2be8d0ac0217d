"""The latents of a file that lie nearest to given ones."""

from pathlib import Path

import numpy as np

from ..artefacts.latents import latents_info, read_latents
from ..progress import progress

_BATCH = 256


def nearest_latents(queries: np.ndarray, path: Path, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Row numbers int64 `[Q,K]` and distances float32 `[Q,K]`, nearest first.

    `queries` are standardised latents `[Q,C,H,W]`, `path` a latents file with rows of that shape,
    K at most `count` and at most its rows. The distance is the root mean square of the difference
    over all elements, in standard deviations. The file is streamed: memory does not grow with it.
    """
    total, elements = latents_info(path).count, queries[0].size
    flat = queries.reshape(len(queries), -1).astype(np.float32)
    own = (flat**2).sum(1)[:, None]
    rows = np.empty((len(flat), 0), dtype=np.int64)
    squares = np.empty((len(flat), 0), dtype=np.float32)
    starts = range(0, total, _BATCH)
    for start in progress(starts, "nearest training layouts", len(starts), "batch"):
        batch = np.arange(start, min(start + _BATCH, total))
        latents = read_latents(path, batch).reshape(len(batch), -1).astype(np.float32)
        found = own - 2 * flat @ latents.T + (latents**2).sum(1)[None]
        rows = np.concatenate([rows, np.broadcast_to(batch, found.shape)], axis=1)
        squares = np.concatenate([squares, found], axis=1)
        kept = np.argsort(squares, axis=1, kind="stable")[:, :count]
        rows = np.take_along_axis(rows, kept, axis=1)
        squares = np.take_along_axis(squares, kept, axis=1)
    return rows, np.sqrt(np.maximum(squares, 0) / elements).astype(np.float32)
