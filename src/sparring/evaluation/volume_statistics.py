"""What decoded volumes are made of: how sharp they are, and which HU they have."""

import numpy as np

from .statistics import Figure, Parts, gap_of_means, jackknife, mean_figure

Array = np.ndarray
Window = tuple[float, float]

TISSUES = {"air": -900.0, "lung": -500.0, "fat": -30.0, "soft": 150.0, "bone": np.inf}
"""The upper end of each range of HU. They are ranges and no segmentation: fat has the edges between
lung and muscle in it too."""
BINS = 40
"""Of the histogram, over the HU window."""


def volume_statistics(hu: Array, window: Window) -> dict[str, Array]:
    """Statistics of int16 HU `[N,D,H,W]`, float32, one row per volume.

    `gradient_energy` `[N]`: mean squared difference of neighbouring voxels along the three axes,
    in HU^2. `hu_histogram` `[N,40]`: shares of voxels in equal parts of the window.
    `tissue_shares` `[N,5]`: shares of voxels in the ranges of `TISSUES`.
    """
    edges = np.array([-np.inf, *TISSUES.values()])
    bins = np.linspace(*window, BINS + 1)
    bins[[0, -1]] = -np.inf, np.inf
    rows = []
    for volume in hu.astype(np.float32):
        energy = sum(float(np.square(np.diff(volume, axis=axis)).mean()) for axis in range(3))
        shares = [np.histogram(volume, ends)[0] / volume.size for ends in (bins, edges)]
        rows.append((energy, *shares))
    energies, histograms, tissues = zip(*rows, strict=True)
    found = {
        "gradient_energy": energies, "hu_histogram": histograms, "tissue_shares": tissues
    }  # fmt: skip
    return {name: np.array(values, dtype=np.float32) for name, values in found.items()}


def volume_figures(
    samples: dict[str, Array],
    reals: dict[str, Array],
    window: Window,
    parts: Parts,
) -> dict[str, Figure]:
    """How far the samples' means are from the reals'.

    `gradient_ratio`: mean gradient energy over the reals'; below 1 blurred, above 1 noisy or too
    sharp. `gradient_gap`: |log2| of it. `hu_distance`: Wasserstein distance of the two histograms,
    in HU. `tissue_distance`: half the sum of |share - share of the reals| (total variation).
    `tissue_X`: the share of each range of HU.
    """
    ratio = _ratio(samples["gradient_energy"], reals["gradient_energy"], parts)
    octaves = np.log2(ratio.value)
    without = np.log2(ratio.value + ratio.deviations[0][0])
    steps = [np.cumsum(x["hu_histogram"], axis=1, dtype=float) for x in (samples, reals)]
    width = (window[1] - window[0]) / BINS
    shares = samples["tissue_shares"]
    figures = {
        "gradient_ratio": ratio,
        "gradient_gap": Figure.of(float(abs(octaves)), without * np.sign(octaves)),
        "hu_distance": gap_of_means(steps[0], steps[1], parts, width),
        "tissue_distance": gap_of_means(shares, reals["tissue_shares"], parts, 0.5),
    }
    for number, name in enumerate(TISSUES):
        figures[f"tissue_{name}"] = mean_figure(shares[:, number].astype(float), parts)
    return figures


def _ratio(x: Array, y: Array, parts: Parts) -> Figure:
    tiny = np.finfo(np.float32).tiny  # of a model that makes nothing but constants
    x, y = x.astype(float) + tiny, y.astype(float) + tiny
    return jackknife(lambda ours, theirs: {"": float(x[ours].mean() / y[theirs].mean())}, parts)[""]
