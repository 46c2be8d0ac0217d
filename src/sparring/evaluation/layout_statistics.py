"""What layouts are made of: classes, boundaries, specks, rooms, and which classes adjoin."""

import numpy as np

from ..artefacts.class_roles import Roles
from ..metrics import METRICS, Metric
from .distances import frechet_figure, kernel_figure
from .regions import apartment_statistics, component_statistics
from .statistics import Figure, Parts, gap_of_means, mean_figure

Array = np.ndarray


def layout_statistics(ids: Array, num_classes: int, roles: Roles | None = None) -> dict[str, Array]:
    """Statistics of class ids `[N,H,W]`, float32, one row per layout.

    `class_shares` `[N,K]`: share of pixels of each class. `boundary_length` `[N]`: pairs of
    neighbouring pixels (in pixels of edge) of different class. `isolated_pixels` `[N]`: pixels
    unlike all their four neighbours. `adjacencies` `[N,K(K-1)/2]`: whether two classes come within
    a wall's thickness (a sixteenth of the side) of each other, 1 or 0. `components` `[N,K]`:
    connected regions of each class. `specks` `[N]`: those too small to be anything. With `roles`
    also what `apartment_statistics` says of walls and rooms.
    """
    down, right = ids[:, 1:] != ids[:, :-1], ids[:, :, 1:] != ids[:, :, :-1]
    alone = np.ones(ids.shape, dtype=bool)
    alone[:, 1:] &= down
    alone[:, :-1] &= down
    alone[:, :, 1:] &= right
    alone[:, :, :-1] &= right
    return {
        "class_shares": _shares(ids, num_classes),
        "boundary_length": (down.sum((1, 2)) + right.sum((1, 2))).astype(np.float32),
        "isolated_pixels": alone.sum((1, 2)).astype(np.float32),
        "adjacencies": _adjacencies(ids, num_classes),
        **component_statistics(ids, num_classes),
        **(apartment_statistics(ids, roles) if roles is not None else {}),
    }


def recall_and_precision(
    originals: Array, decoded: Array, num_classes: int
) -> tuple[list[float | None], list[float | None]]:
    """Of every class, over all pixels of class ids `[N,H,W]`: how much of it is found again, and
    how much of what is shown as it was it. None where there is nothing to share out."""
    hits, theirs, shown = (
        np.bincount(ids.ravel(), minlength=num_classes)
        for ids in (originals[originals == decoded], originals, decoded)
    )
    recall, precision = (
        [float(hit / all_of) if all_of else None for hit, all_of in zip(hits, found, strict=True)]
        for found in (theirs, shown)
    )
    return recall, precision


def layout_figures(
    samples: dict[str, Array], reals: dict[str, Array], parts: Parts
) -> dict[str, Figure]:
    """Every metric of a column of statistics that there is, by name; both have a `group` each.

    `inception_frechet`, `inception_kernel`: where Inception's features were taken.
    """
    figures = {
        metric.name: _figure(metric, samples, reals, parts)
        for metric in METRICS
        if metric.column in samples and (metric.compares == "mean" or metric.column in reals)
    }
    if "inception" in samples and "inception" in reals:
        figures |= _inception(samples, reals, parts)
    return figures


def _figure(
    metric: Metric, samples: dict[str, Array], reals: dict[str, Array], parts: Parts
) -> Figure:
    """From columns `[N]` or `[N,F]`; a mean does without reals."""
    x = samples[metric.column]
    if metric.compares == "mean":
        return mean_figure(x.astype(float), parts)
    x, y = (values.reshape(len(values), -1) for values in (x, reals[metric.column]))
    occurring = int((x.any(0) | y.any(0)).sum())
    scales = {"gap": 1.0, "total_variation": 0.5, "mean_difference": 1 / max(1, occurring)}
    return gap_of_means(x, y, parts, scales[metric.compares])


def _inception(
    samples: dict[str, Array], reals: dict[str, Array], parts: Parts
) -> dict[str, Figure]:
    """Fréchet and kernel distance of Inception's features, standardised by the reals'."""
    x, y = samples["inception"], reals["inception"]
    mean, std = y.mean(0, dtype=float), y.std(0, dtype=float) + 1e-6
    x, y = (x - mean) / std, (y - mean) / std
    return {
        "inception_frechet": frechet_figure(x, y, parts),
        "inception_kernel": kernel_figure(x, y, samples["group"], reals["group"]),
    }


def _shares(ids: Array, num_classes: int) -> Array:
    flat = ids.reshape(len(ids), -1)
    shares = [(flat == k).mean(1) for k in range(num_classes)]
    return np.stack(shares, 1).astype(np.float32)


def _adjacencies(ids: Array, num_classes: int) -> Array:
    touching = np.zeros((len(ids), num_classes * num_classes), dtype=bool)
    rows = np.arange(len(ids))[:, None]
    for reach in range(1, max(1, ids.shape[1] // 16) + 1):
        for a, b in (
            (ids[:, reach:], ids[:, :-reach]),
            (ids[:, :, reach:], ids[:, :, :-reach]),
        ):
            low, high = np.minimum(a, b).astype(np.int64), np.maximum(a, b).astype(np.int64)
            touching[rows, (low * num_classes + high).reshape(len(ids), -1)] = True
    above = np.triu_indices(num_classes, 1)
    return touching.reshape(-1, num_classes, num_classes)[:, *above].astype(np.float32)
