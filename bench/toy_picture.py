"""The toy's models as a picture, one column per model."""

from pathlib import Path

import torch
from matplotlib.figure import Figure as Picture
from toy_density import Field, Ruler


def draw(
    ruler: Ruler, fields: dict[str, Field], figures: dict[str, dict[str, float]], path: Path
) -> None:
    """Samples over the true density, and below where they are too many and too few."""
    truth = ruler.mixture.bin_masses(ruler.edges)
    window = [-2, 2, -2, 2]
    picture = Picture(figsize=(1.75 * len(fields), 4.1))
    axes = picture.subplots(2, len(fields))
    for (above, below), (name, field) in zip(axes.T, fields.items(), strict=True):
        x = ruler.ddim.sample(field, ruler.noise)
        counts = torch.histogramdd(x, [ruler.edges] * 2).hist / len(x)
        above.imshow(truth.T, extent=window, origin="lower", cmap="Greys", vmax=2 * truth.max())
        above.scatter(*x[:2500].T, s=0.6, c="#c2410c", linewidths=0)
        excess = (counts - truth).T / truth.max()
        below.imshow(excess, extent=window, origin="lower", cmap="RdBu_r", vmin=-0.6, vmax=0.6)
        above.set_title(name.replace(", ", ",\n"), fontsize=9)
        text = f"KL(p,q) {figures[name]['kl_pq']:.3f}\nKL(q,p) {figures[name]['kl_qp']:.3f}"
        below.set_xlabel(text, fontsize=8)
        for axis in (above, below):
            axis.set(xlim=(-2, 2), ylim=(-2, 2), xticks=[], yticks=[])
    axes[0, 0].set_ylabel("samples over p", fontsize=8)
    axes[1, 0].set_ylabel("red too many,\nblue too few", fontsize=8)
    picture.tight_layout(pad=0.4)
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.savefig(path, dpi=90)
