"""The study's figures as a picture: an arm a line, a figure a panel."""

from pathlib import Path

import matplotlib
from matplotlib.figure import Figure as Picture

from sparring.evaluation.comparing import BETTER

matplotlib.use("Agg")
ARROWS = {"lower": "← better", "higher": "better →"}


def draw(values: dict[str, dict[str, tuple[float, float]]], path: Path) -> None:
    """Write a PNG of every arm's figures: mean over its runs and 2 standard errors.

    `values` are mean and standard error by arm and figure; the band spans the means of controls.
    """
    figures = list(next(iter(values.values())))
    across = -(-len(figures) // 2)
    size = (2.4 * across + 2, 2 * (0.28 * len(values) + 0.9))
    picture = Picture(figsize=size, layout="constrained")
    panels = picture.subplots(2, across, sharey=True)
    for axis, figure in zip(panels.flat, figures, strict=False):
        for place, (arm, of) in enumerate(values.items()):
            colour = "tab:gray" if arm.startswith(("control", "start")) else "tab:blue"
            mean, se = of[figure]
            axis.errorbar(mean, place, xerr=2 * se, fmt="o", ms=4, color=colour)
        controls = [of[figure][0] for arm, of in values.items() if arm.startswith("control")]
        axis.axvspan(min(controls), max(controls), color="tab:gray", alpha=0.2, lw=0)
        axis.set_title(f"{figure}\n{ARROWS[BETTER[figure]]}", fontsize=8)
        axis.locator_params(axis="x", nbins=4)
        axis.tick_params(labelsize=7)
        axis.grid(axis="y", alpha=0.3)
    for axis in panels.flat[len(figures) :]:
        axis.set_visible(False)
    panels[0, 0].set_yticks(range(len(values)), list(values))
    panels[0, 0].invert_yaxis()
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.savefig(path, dpi=110)
