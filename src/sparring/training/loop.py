"""The training loop: epochs, validation, the best weights, histories, state, signals."""

import logging
import time
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor

from ..artefacts.histories import Row
from ..errors import UserError
from ..progress import progress
from .interrupts import InterruptedRun, Interrupts
from .state import ResumeState

logger = logging.getLogger(__name__)
Weights = dict[str, Tensor]


class Stage(Protocol):
    """What a stage plugs into the loop. Epochs and steps count from 0 here, from 1 in histories."""

    epochs: int
    steps_per_epoch: int
    eval_interval: int
    criterion: str
    """The validation figure, lower is better, that chooses the best weights."""

    def step(self, epoch: int, step: int) -> dict[str, Tensor]:
        """One optimiser update; returns detached loss terms, still on the device."""

    def validate(self) -> dict[str, float]:
        """Figures on the validation split, on the same inputs every time."""

    def end_epoch(self, epoch: int, row: Row) -> None:
        """Schedules and pictures, after validation."""

    def learning_rate(self) -> float:
        """The rate of the last step."""

    def weights(self) -> Weights:
        """Copies of what would be exported now."""

    def extra(self) -> Weights:
        """Further tensors to keep beside the best weights."""

    def state(self) -> dict[str, Any]:
        """All that the next step depends on."""

    def restore(self, state: dict[str, Any]) -> None:
        """Take up what `state` gave."""


@dataclass
class Progress:
    """Where the loop stands and what it has found."""

    epoch: int = 0
    step: int = 0
    losses: list[Tensor] = field(default_factory=list)
    history: list[Row] = field(default_factory=list)
    best: Weights = field(default_factory=dict)
    best_value: float | None = None
    best_epoch: int = 0
    extra: Weights = field(default_factory=dict)


@dataclass(frozen=True)
class Trained:
    """What comes out of training."""

    history: list[Row]
    best: Weights
    best_epoch: int
    extra: Weights


class Loop:
    """Runs a stage to its last epoch, from its saved state if there is one."""

    def __init__(self, stage: Stage, state: ResumeState, checkpoint_minutes: float) -> None:
        self.stage = stage
        self._state = state
        self._seconds_between_saves = checkpoint_minutes * 60
        self._last_save = time.monotonic()
        self._names: list[str] = []
        self.progress = Progress()

    def run(self) -> Trained:
        """Train; raises InterruptedRun after saving when a signal asks to stop."""
        with Interrupts() as interrupts:
            self._resume()
            if not self.progress.history:
                self._record_start()
            while self.progress.epoch < self.stage.epochs:
                self._run_epoch(interrupts)
                self._end_epoch()
        p = self.progress
        return Trained(p.history, p.best, p.best_epoch, p.extra)

    def _run_epoch(self, interrupts: Interrupts) -> None:
        p = self.progress
        remaining = range(p.step, self.stage.steps_per_epoch)
        for step in progress(remaining, f"epoch {p.epoch + 1}", len(remaining), "step"):
            terms = self.stage.step(p.epoch, step)
            self._names = list(terms)
            p.losses.append(torch.stack([terms[name].float() for name in self._names]))
            p.step = step + 1
            if interrupts.received:
                self._save()
                raise InterruptedRun(f"{interrupts.received} came: state saved, run again to go on")
            if time.monotonic() - self._last_save > self._seconds_between_saves:
                self._save()

    def _end_epoch(self) -> None:
        p, stage = self.progress, self.stage
        losses = torch.stack(p.losses).cpu()
        self._require_finite(losses)
        means = losses.mean(0).tolist()
        p.epoch, p.step, p.losses = p.epoch + 1, 0, []
        row: Row = {"epoch": p.epoch, "step": p.epoch * stage.steps_per_epoch}
        row["learning_rate"] = stage.learning_rate()
        row |= {f"train_{name}": mean for name, mean in zip(self._names, means, strict=True)}
        if p.epoch % stage.eval_interval == 0 or p.epoch == stage.epochs:
            row |= self._validate()
            self._keep_best(row)
        stage.end_epoch(p.epoch, row)
        p.history.append(row)
        logger.info("epoch %d/%d  %s", p.epoch, stage.epochs, _shown(row))

    def _record_start(self) -> None:
        """Row 0: validation before the first update. It is a baseline and never `best`."""
        row: Row = {"epoch": 0, "step": 0, "learning_rate": None}
        row |= self._validate()
        self.progress.history.append(row)
        if self.stage.epochs == 0:
            self._keep_best(row)

    def _validate(self) -> Row:
        figures = self.stage.validate()
        for name, value in figures.items():
            if value != value or value in (float("inf"), float("-inf")):
                raise UserError(
                    f"validation {name} is {value} after epoch {self.progress.epoch}: training "
                    "has diverged; lower learning_rate, or set precision: fp32"
                )
        return {f"val_{name}": value for name, value in figures.items()}

    def _keep_best(self, row: Row) -> None:
        p = self.progress
        value = row[self.stage.criterion]
        if value is not None and (p.best_value is None or value < p.best_value):
            p.best, p.best_value, p.best_epoch = self.stage.weights(), value, p.epoch
            p.extra = self.stage.extra()

    def _require_finite(self, losses: Tensor) -> None:
        bad = (~torch.isfinite(losses)).nonzero()
        if len(bad):
            step, term = bad[0].tolist()
            raise UserError(
                f"{self._names[term]} is {losses[step, term].item()} at epoch "
                f"{self.progress.epoch + 1} step {step + 1}: training has diverged; lower "
                "learning_rate, or set precision: fp32. The last good state is kept"
            )

    def _save(self) -> None:
        if self.progress.losses:
            # A state with NaN in it would make every retry fail.
            self._require_finite(torch.stack(self.progress.losses).cpu())
        self._state.save({"stage": self.stage.state(), "names": self._names, **vars(self.progress)})
        self._last_save = time.monotonic()

    def _resume(self) -> None:
        saved = self._state.load()
        if saved is None:
            return
        self.stage.restore(saved.pop("stage"))
        self._names = saved.pop("names")
        self.progress = Progress(**saved)
        logger.info("going on from epoch %d step %d", self.progress.epoch, self.progress.step)


def _shown(row: Row) -> str:
    hidden = ("epoch", "step", "learning_rate")
    return "  ".join(f"{k} {v:.4g}" for k, v in row.items() if k not in hidden and v is not None)
