"""What layouts are made of: classes, boundaries, specks, and which classes lie side by side."""

import numpy as np

from .distances import frechet_figure, kernel_figure
from .statistics import Draws, Figure, gap_of_means

Array = np.ndarray

SCALARS = ("palette_purity", "head_agreement", "boundary_length", "isolated_pixels")
"""One number per layout."""


def layout_statistics(ids: Array, num_classes: int) -> dict[str, Array]:
    """Statistics of class ids `[N,H,W]`, float32, one row per layout.

    `class_shares` `[N,K]`: share of pixels of each class. `boundary_length` `[N]`: pairs of
    neighbouring pixels (in pixels of edge) of different class. `isolated_pixels` `[N]`: pixels
    unlike all their four neighbours. `adjacencies` `[N,K(K-1)/2]`: whether two classes come within
    a wall's thickness (a sixteenth of the side) of each other, 1 or 0.
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
    }


def layout_figures(
    samples: dict[str, Array], reals: dict[str, Array], sample_draws: Draws, real_draws: Draws
) -> dict[str, Figure]:
    """The means of `SCALARS`, and how far the samples' are from the reals'.

    `boundary_gap`, `isolated_gap`: |mean - mean of the reals|, in edges and pixels per layout.
    `class_distance`: half the sum of |share - share of the reals| over classes (total variation).
    `adjacency_distance`: mean |frequency - the reals'| over pairs of classes that occur.
    `inception_frechet`, `inception_kernel`: where Inception's features were taken.
    """
    figures = {
        name: Figure.mean_of(samples[name].astype(float), sample_draws)
        for name in SCALARS
        if name in samples
    }
    pairs = (sample_draws, real_draws)
    for name, of in (("boundary_gap", "boundary_length"), ("isolated_gap", "isolated_pixels")):
        figures[name] = gap_of_means(samples[of][:, None], reals[of][:, None], *pairs, 1.0)
    figures["class_distance"] = gap_of_means(
        samples["class_shares"], reals["class_shares"], *pairs, 0.5
    )
    touching = samples["adjacencies"], reals["adjacencies"]
    occurring = max(1, int((touching[0].any(0) | touching[1].any(0)).sum()))
    figures["adjacency_distance"] = gap_of_means(*touching, *pairs, 1 / occurring)
    if "inception" in samples and "inception" in reals:
        figures |= _inception(samples["inception"], reals["inception"], *pairs)
    return figures


def _inception(x: Array, y: Array, x_draws: Draws, y_draws: Draws) -> dict[str, Figure]:
    """Fréchet and kernel distance of Inception's features, standardised by the reals'."""
    mean, std = y.mean(0, dtype=float), y.std(0, dtype=float) + 1e-6
    x, y = (x - mean) / std, (y - mean) / std
    return {
        "inception_frechet": frechet_figure(x, y, x_draws, y_draws),
        "inception_kernel": kernel_figure(x, y, x_draws, y_draws),
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
