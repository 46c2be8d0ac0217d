"""Where a training's figures and pictures go while it runs, beside its history."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from ..artefacts.histories import Row, shown_values, term_and_split

if TYPE_CHECKING:
    import numpy as np
    from torch.utils.tensorboard import SummaryWriter

logger = logging.getLogger(__name__)
_EVENT_FILES = "events.out.tfevents.*"


class Tracker(Protocol):
    """Takes what a training has to show, epoch by epoch. It never stops a training."""

    def begin(self, history: list[Row]) -> None:
        """An attempt begins, after these rows; without any, the training starts anew."""

    def scalars(self, epoch: int, values: dict[str, float]) -> None:
        """The figures of an epoch, by column of the history."""

    def image(self, epoch: int, name: str, picture: "np.ndarray") -> None:
        """A picture `[H,W,3]` uint8."""

    def close(self) -> None:
        """Nothing more will come."""


class Untracked:
    """Keeps nothing."""

    def begin(self, history: list[Row]) -> None:
        """Nothing."""

    def scalars(self, epoch: int, values: dict[str, float]) -> None:
        """Nothing."""

    def image(self, epoch: int, name: str, picture: "np.ndarray") -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing."""


class TensorBoard:
    """Event files in a directory, one per attempt; TensorBoard's step is the epoch.

    An attempt that goes on from a saved state begins its file with the mark at which TensorBoard
    forgets the epochs that are to be made again; one that starts anew removes the files of old.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._writer: SummaryWriter | None = None

    def begin(self, history: list[Row]) -> None:
        """Open this attempt's file."""
        with self._forgiving():
            from torch.utils.tensorboard import SummaryWriter

            begun = int(history[-1]["epoch"] or 0) + 1 if history else 0
            earlier = list(self.directory.glob(_EVENT_FILES))
            if not history:
                for path in earlier:
                    path.unlink(missing_ok=True)
            self._writer = SummaryWriter(str(self.directory), purge_step=begun)
            self._writer.flush()
            if not earlier:  # it was not tracked from its first epoch on
                for row in history:
                    self.scalars(int(row["epoch"] or 0), shown_values(row))

    def scalars(self, epoch: int, values: dict[str, float]) -> None:
        """One point per column, on the disk at once."""
        with self._forgiving():
            if self._writer is not None:
                for column, value in values.items():
                    self._writer.add_scalar(_tag(column), value, epoch)
                self._writer.flush()

    def image(self, epoch: int, name: str, picture: "np.ndarray") -> None:
        """`picture` is `[H,W,3]` uint8."""
        with self._forgiving():
            if self._writer is not None:
                self._writer.add_image(name, picture, epoch, dataformats="HWC")
                self._writer.flush()

    def close(self) -> None:
        """Close the file."""
        with self._forgiving():
            if self._writer is not None:
                self._writer.close()
        self._writer = None

    @contextmanager
    def _forgiving(self) -> Iterator[None]:
        """Give up with a warning where nothing can be written: the training matters more."""
        try:
            yield
        except (OSError, ImportError) as error:
            self._writer = None
            logger.warning(
                "%s: cannot be written (%s); the training goes on without TensorBoard",
                self.directory,
                getattr(error, "strerror", None) or error,
            )


def open_tracker(kind: str, log: Path) -> Tracker:
    """The tracker that config.yaml names; its files lie beside the stage's log."""
    return TensorBoard(log.with_suffix(".tensorboard")) if kind == "tensorboard" else Untracked()


def _tag(column: str) -> str:
    """TensorBoard shows what stands before the / as one group: train and val side by side."""
    term, split = term_and_split(column)
    return term if split is None else f"{term}/{split}"
