"""The study's figures as a picture: an arm a line, a figure a panel."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure as Picture

from sparring.evaluation.comparing import BETTER
from sparring.evaluation.statistics import Figure, estimate_of

matplotlib.use("Agg")
ARROWS = {"lower": "← better", "higher": "better →"}


def draw(runs: dict[str, list[dict[str, Figure]]], figures: Sequence[str], path: Path) -> None:
    """Write a PNG of the figures of every row's runs: their mean and its 95 % interval.

    The band spans the means of controls.
    """
    across = -(-len(figures) // 2)
    size = (2.4 * across + 2, 2 * (0.28 * len(runs) + 0.9))
    picture = Picture(figsize=size, layout="constrained")
    panels = picture.subplots(2, across, sharey=True)
    for axis, figure in zip(panels.flat, figures, strict=False):
        found = {
            arm: estimate_of([run[figure] for run in of])
            for arm, of in runs.items()
            if figure in of[0]
        }
        for place, arm in enumerate(runs):
            if arm in found:
                colour = "tab:blue" if _is_tested(arm) else "tab:gray"
                e = found[arm]
                reach = e.interval[1] - e.value
                axis.errorbar(e.value, place, xerr=reach, fmt="o", ms=4, color=colour)
        controls = [e.value for arm, e in found.items() if arm.startswith("control")]
        axis.axvspan(min(controls), max(controls), color="tab:gray", alpha=0.2, lw=0)
        direction = ARROWS.get(BETTER.get(figure, ""), "as reals")
        axis.set_title(f"{figure}\n{direction}", fontsize=8)
        axis.locator_params(axis="x", nbins=4)
        axis.tick_params(labelsize=7)
        axis.grid(axis="y", alpha=0.3)
    for axis in panels.flat[len(figures) :]:
        axis.set_visible(False)
    panels[0, 0].set_yticks(range(len(runs)), list(runs))
    panels[0, 0].invert_yaxis()
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.savefig(path, dpi=110)


def _is_tested(arm: str) -> bool:
    return not arm.startswith(("control", "start", "decoded"))
