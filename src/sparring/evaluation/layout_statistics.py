"""What layouts are made of: classes, boundaries, specks, rooms, and which classes adjoin."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from ..artefacts.class_roles import Roles
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


@dataclass(frozen=True)
class LayoutFigure:
    """How a column of statistics becomes a figure of samples, beside those of reals.

    `mean`: of the samples alone. `gap`: |mean - the reals' mean|. `total_variation`: half the sum
    of |mean - the reals'| over the entries of a column. `mean_difference`: the mean of that over
    the entries that occur in either.
    """

    name: str
    column: str
    compares: Literal["mean", "gap", "total_variation", "mean_difference"]
    better: Literal["lower", "higher", "real"]
    """`real`: the nearer to what reals have, the better."""

    def of(self, samples: Array, reals: Array | None, parts: Parts) -> Figure:
        """From the column of samples `[N]` or `[N,F]` and of reals, which a mean does without."""
        if self.compares == "mean" or reals is None:
            return mean_figure(samples.astype(float), parts)
        x, y = (values.reshape(len(values), -1) for values in (samples, reals))
        scale = {"gap": 1.0, "total_variation": 0.5}.get(self.compares)
        if scale is None:
            scale = 1 / max(1, int((x.any(0) | y.any(0)).sum()))
        return gap_of_means(x, y, parts, scale)


LAYOUT_FIGURES = (
    LayoutFigure("palette_purity", "palette_purity", "mean", "higher"),
    LayoutFigure("head_agreement", "head_agreement", "mean", "higher"),
    LayoutFigure("boundary_length", "boundary_length", "mean", "real"),
    LayoutFigure("isolated_pixels", "isolated_pixels", "mean", "real"),
    LayoutFigure("specks", "specks", "mean", "real"),
    LayoutFigure("closed", "closed", "mean", "real"),
    LayoutFigure("closed_open_doors", "closed_open_doors", "mean", "real"),
    LayoutFigure("rooms", "rooms", "mean", "real"),
    LayoutFigure("rooms_open", "rooms_open", "mean", "real"),
    LayoutFigure("straight_walls", "straight_walls", "mean", "real"),
    LayoutFigure("boundary_gap", "boundary_length", "gap", "lower"),
    LayoutFigure("isolated_gap", "isolated_pixels", "gap", "lower"),
    LayoutFigure("specks_gap", "specks", "gap", "lower"),
    LayoutFigure("closed_gap", "closed", "gap", "lower"),
    LayoutFigure("rooms_gap", "rooms", "gap", "lower"),
    LayoutFigure("straight_walls_gap", "straight_walls", "gap", "lower"),
    LayoutFigure("class_distance", "class_shares", "total_variation", "lower"),
    LayoutFigure("adjacency_distance", "adjacencies", "mean_difference", "lower"),
    LayoutFigure("component_distance", "components", "mean_difference", "lower"),
)
"""All figures of decoded layouts but Inception's: of columns that both sides have."""


def layout_figures(
    samples: dict[str, Array], reals: dict[str, Array], parts: Parts
) -> dict[str, Figure]:
    """What `LAYOUT_FIGURES` says of the columns that there are, by name; both have a `group` each.

    `inception_frechet`, `inception_kernel`: where Inception's features were taken.
    """
    figures = {
        row.name: row.of(samples[row.column], reals.get(row.column), parts)
        for row in LAYOUT_FIGURES
        if row.column in samples and (row.compares == "mean" or row.column in reals)
    }
    if "inception" in samples and "inception" in reals:
        figures |= _inception(samples, reals, parts)
    return figures


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
