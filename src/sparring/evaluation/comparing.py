"""Models beside each other: paired differences of their figures, over training seeds."""

from dataclasses import dataclass
from typing import Any, Literal

from .layout_statistics import LAYOUT_FIGURES
from .statistics import Estimate, Figure, estimate_of

Better = Literal["lower", "higher"]

FIXED = ("fixed_auc_linear", "fixed_auc_cnn")
"""What the verdict rests on: every model's AUC by the same scorers."""

BETTER: dict[str, Better] = {
    **dict.fromkeys(FIXED, "lower"),
    "auc_linear": "lower",
    "auc_cnn": "lower",
    "frechet": "lower",
    "kernel": "lower",
    "precision": "higher",
    "recall": "higher",
    "density": "higher",
    "coverage": "higher",
    "memorisation": "lower",
    **{row.name: row.better for row in LAYOUT_FIGURES if row.better != "real"},
    "inception_frechet": "lower",
    "inception_kernel": "lower",
    "gradient_gap": "lower",
    "hu_distance": "lower",
    "tissue_distance": "lower",
}
"""Figures that are compared, and which way is better."""


@dataclass(frozen=True)
class Model:
    """One judged model, or the null: its name, place in the experiment and figures."""

    name: str
    figures: dict[str, Figure]

    @property
    def seed(self) -> int | None:
        """Of a repeat with another training seed; None in the experiment's own run."""
        head = self.name.partition("/")[0]
        return int(head.removeprefix("seed_")) if head.startswith("seed_") else None

    @property
    def place(self) -> str:
        """`start`, `reals`, `trained` or `{arm}/iteration_{n}`, the same for all seeds."""
        return self.name if self.seed is None else self.name.partition("/")[2]

    @property
    def arm(self) -> str:
        """`adversarial`, `control`, or the place where it has no iterations."""
        return self.place.partition("/")[0]

    @property
    def iteration(self) -> int | None:
        """From 0."""
        _, _, last = self.place.partition("/iteration_")
        return int(last) if last else None


@dataclass(frozen=True)
class Difference:
    """A model's figure minus that of another, paired."""

    model: str
    against: Literal["control", "start", "null"]
    figure: str
    estimate: Estimate

    @property
    def improves(self) -> bool:
        """Better, the whole interval."""
        lower = BETTER[self.figure] == "lower"
        return self.estimate.below_zero if lower else self.estimate.above_zero

    @property
    def worsens(self) -> bool:
        """Worse, the whole interval."""
        lower = BETTER[self.figure] == "lower"
        return self.estimate.above_zero if lower else self.estimate.below_zero

    def to_json(self) -> dict[str, Any]:
        """As comparisons.json lists it."""
        e = self.estimate
        return {
            "model": self.model,
            "against": self.against,
            "figure": self.figure,
            "difference": e.value,
            "low": e.low,
            "high": e.high,
            "se": e.se,
            "better": BETTER[self.figure],
        }


def differences(models: list[Model], null: Model) -> list[Difference]:
    """Every place against the control at its iteration, the start and the null.

    Runs with several training seeds are paired seed by seed: an arm with its own control, both with
    the start that they share.
    """
    found = []
    for place in dict.fromkeys(model.place for model in models):
        runs = [model for model in models if model.place == place]
        rivals: dict[Any, list[Model]] = {}
        if runs[0].arm == "adversarial":
            rivals["control"] = _controls(runs, models)
        if place != "start":
            rivals["start"] = [m for m in models if m.place == "start"] * len(runs)
        rivals["null"] = [null] * len(runs)
        for against, others in rivals.items():
            for figure in BETTER:
                pairs = list(zip(runs, others, strict=False))
                if pairs and all(figure in m.figures for pair in pairs for m in pair):
                    runs_of = [a.figures[figure].minus(b.figures[figure]) for a, b in pairs]
                    found.append(Difference(place, against, figure, estimate_of(runs_of)))
    return found


def _controls(runs: list[Model], models: list[Model]) -> list[Model]:
    """The control of every run, in their order; none where there is no control arm."""
    place = f"control/iteration_{runs[0].iteration}"
    of_seed = {model.seed: model for model in models if model.place == place}
    return [of_seed[run.seed] for run in runs if run.seed in of_seed]
