"""The training loop: epochs, validation, the best weights, histories, state, interrupts."""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor

from ..artefacts.histories import Row, shown_values
from ..distributed import Group
from ..errors import UserError
from ..interrupts import InterruptedRun, interruptible
from ..progress import progress
from .state import ResumeState
from .tracking import Tracker, Untracked

logger = logging.getLogger(__name__)
_TINY = 1e-12
Weights = dict[str, Tensor]


class Stage(Protocol):
    """What a stage plugs into the loop. Epochs and steps count from 0 here, from 1 in histories."""

    epochs: int
    steps_per_epoch: int
    eval_interval: int
    criterion: str
    """The validation figure, lower is better, that chooses the best weights."""
    group: Group
    """The processes that share out the batches; what a step returns is of the whole batch."""

    def step(self, epoch: int, step: int) -> "Terms":
        """One optimiser update; returns detached loss terms, still on the device."""

    def validate(self) -> dict[str, float]:
        """Figures on the validation split, on the same inputs every time."""

    def end_epoch(self, epoch: int, row: Row) -> None:
        """Schedules and pictures, after validation."""

    def overdone(self, row: Row, start: Row) -> str | None:
        """Why training must end without keeping these weights, if it must; rows of the history."""

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


class Mean(NamedTuple):
    """A loss term that some samples of a batch have, and by how much they count together."""

    value: Tensor
    counted: Tensor


Terms = Mapping[str, Tensor | Mean]
"""Scalars by name. In the epoch's mean steps count alike, or a `Mean` by its samples."""


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
    ended: bool = False
    """Before its last epoch."""


@dataclass(frozen=True)
class Trained:
    """What comes out of training."""

    history: list[Row]
    best: Weights
    best_epoch: int
    extra: Weights


class Loop:
    """Runs a stage to its last epoch, from its saved state if there is one."""

    def __init__(
        self,
        stage: Stage,
        state: ResumeState,
        checkpoint_minutes: float,
        note: Callable[[dict[str, Any]], None] = lambda _: None,
        tracker: Tracker | None = None,
    ) -> None:
        """`note` is told after every step where the loop stands, `tracker` what an epoch gave."""
        self.stage = stage
        self._state = state
        self._seconds_between_saves = checkpoint_minutes * 60
        self._tell = note
        self._tracker = tracker or Untracked()
        self._last_save = self._started = time.monotonic()
        self._resumed_at = 0
        self._names: list[str] = []
        self.progress = Progress()

    def run(self) -> Trained:
        """Train; raises InterruptedRun after saving when the job is asked to stop.

        Of several processes only the main one returns, the others end here.
        """
        with interruptible():
            self._resume()
            self._note()
            self._tracker.begin(self.progress.history)
            if not self.progress.history:
                self._record_start()
            while self.progress.epoch < self.stage.epochs and not self.progress.ended:
                self._run_epoch()
                self._end_epoch()
        self.stage.group.finish()
        p = self.progress
        return Trained(p.history, p.best, p.best_epoch, p.extra)

    def _run_epoch(self) -> None:
        remaining = range(self.progress.step, self.stage.steps_per_epoch)
        what = f"epoch {self.progress.epoch + 1}"
        try:
            for step in progress(remaining, what, len(remaining), "step"):
                self._step(step)
        except InterruptedRun:
            self._save()
            raise

    def _step(self, step: int) -> None:
        p = self.progress
        terms = self.stage.step(p.epoch, step)
        self._names = list(terms)
        p.losses.append(torch.stack([_counted(term) for term in terms.values()]))
        p.step = step + 1
        self._note()
        due = time.monotonic() - self._last_save > self._seconds_between_saves
        if due and self.stage.group.is_main:
            self._save()

    def _end_epoch(self) -> None:
        p, stage = self.progress, self.stage
        values, counted = self._losses().unbind(-1)
        means = ((values * counted).sum(0) / counted.sum(0).clamp_min(_TINY)).tolist()
        p.epoch, p.step, p.losses = p.epoch + 1, 0, []
        row: Row = {"epoch": p.epoch, "step": p.epoch * stage.steps_per_epoch}
        row["learning_rate"] = stage.learning_rate()
        row |= {f"train_{name}": mean for name, mean in zip(self._names, means, strict=True)}
        due = p.epoch % stage.eval_interval == 0 or p.epoch == stage.epochs
        if due and stage.group.is_main:
            row |= self._validate()
            if stage.overdone(row, p.history[0]) is None:
                self._keep_best(row)
        row = stage.group.from_main(row)
        stage.end_epoch(p.epoch, row)
        self._keep(row)
        logger.info("epoch %d/%d  %s", p.epoch, stage.epochs, _shown(row))
        reason = stage.overdone(row, p.history[0])
        if reason is not None:
            p.ended = True
            logger.warning("training ends after epoch %d, which is not kept: %s", p.epoch, reason)

    def _record_start(self) -> None:
        """Row 0: validation before the first update. It is a baseline, and `best` only where no
        epoch can be kept."""
        row: Row = {"epoch": 0, "step": 0, "learning_rate": None}
        if self.stage.group.is_main:
            row |= self._validate()
            self.progress.best, self.progress.extra = self.stage.weights(), self.stage.extra()
        self._keep(self.stage.group.from_main(row))

    def _keep(self, row: Row) -> None:
        self.progress.history.append(row)
        self._tracker.scalars(self.progress.epoch, shown_values(row))

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

    def _losses(self) -> Tensor:
        """Loss terms of the epoch's steps so far and by how much each counts, `[steps, terms, 2]`;
        all finite or UserError."""
        device = self.progress.losses[-1].device  # those of an earlier attempt are on the CPU
        losses = torch.stack([terms.to(device) for terms in self.progress.losses]).cpu()
        bad = (~torch.isfinite(losses)).nonzero()
        if len(bad):
            step, term, _ = bad[0].tolist()
            raise UserError(
                f"{self._names[term]} is {losses[step, term, 0].item()} at epoch "
                f"{self.progress.epoch + 1} step {step + 1}: training has diverged; lower "
                "learning_rate, or set precision: fp32. The last good state is kept"
            )
        return losses

    def _save(self) -> None:
        if self.progress.losses:
            self._losses()  # a state with NaN in it would make every retry fail
        self._state.save({"stage": self.stage.state(), "names": self._names, **vars(self.progress)})
        self._last_save = time.monotonic()

    def _note(self) -> None:
        """Epochs done, the last losses and the seconds that are left at the present speed."""
        if not self.stage.group.is_main:
            return
        p, per_epoch = self.progress, self.stage.steps_per_epoch
        done, total = p.epoch * per_epoch + p.step, self.stage.epochs * per_epoch
        made = done - self._resumed_at
        pace = (time.monotonic() - self._started) / made if made else None
        last = {k: v for k, v in p.history[-1].items() if "loss" in k} if p.history else {}
        self._tell(
            {
                "done": done / per_epoch,
                "total": self.stage.epochs,
                "unit": "epoch",
                "seconds_left": None if pace is None else pace * (total - done),
                **last,
            }
        )

    def _resume(self) -> None:
        group = self.stage.group
        saved = self._state.load() if group.is_main else None
        place = group.from_main([saved["epoch"], saved["step"]] if saved else None)
        if place is None:
            return
        saved = saved or self._state.load()
        if saved is None or [saved["epoch"], saved["step"]] != place:
            raise UserError(
                f"{self._state.path}: process {group.rank + 1} of {group.count} does not read what "
                "the first one read (epoch {}, step {}); run again".format(*place)
            )
        self.stage.restore(saved.pop("stage"))
        self._names = saved.pop("names")
        self.progress = Progress(**saved)
        self._resumed_at = self.progress.epoch * self.stage.steps_per_epoch + self.progress.step
        logger.info("going on from epoch %d step %d", self.progress.epoch, self.progress.step)


def _counted(term: Tensor | Mean) -> Tensor:
    """`[2]`: the value, and by how much it counts in the epoch's mean."""
    mean = term if isinstance(term, Mean) else Mean(term, torch.ones_like(term))
    return torch.stack([mean.value.float(), mean.counted.float()])


def _shown(row: Row) -> str:
    hidden = ("epoch", "step", "learning_rate")
    return "  ".join(f"{k} {v:.4g}" for k, v in row.items() if k not in hidden and v is not None)
