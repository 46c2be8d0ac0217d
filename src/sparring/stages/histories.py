"""What a training leaves of its course: a CSV, and a picture of it beside."""

from pathlib import Path

from ..artefacts.atomic import replacing
from ..artefacts.histories import write_history
from ..training.history_plot import plot_history
from ..training.loop import Trained


def write_history_with_plot(path: Path, trained: Trained) -> None:
    """`path`, and the same name with the ending .png.

    The rules do not declare the picture: finished work without one stays finished.
    """
    write_history(path, trained.history)
    with replacing(path.with_suffix(".png")) as aside:
        plot_history(trained.history, trained.best_epoch, aside)
