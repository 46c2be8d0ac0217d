"""Models beside each other: paired differences of their figures, over training runs."""

from dataclasses import dataclass
from typing import Any

from ..metrics import METRICS, Better
from ..settings.parts import BETTER_SOLVER, MATCHED
from .statistics import Estimate, Figure, estimate_of

DECIDING = tuple(row.name for row in METRICS if row.called)
"""What the verdict rests on: the AUC of linear judges trained on a model alone, and the kernel
distance; of latents, and where they are decoded, of what people look at. The two fail differently:
a discriminant whitens and sees faint directions, a kernel weighs directions by their size."""
DECODED = tuple(name for name in DECIDING if name.startswith("decoded_"))
BETTER: dict[str, Better] = {row.name: row.better for row in METRICS if row.better != "real"}
"""Figures that are compared, and which way is better."""

CONTROLS = {"control": "control", "control_time": "control of equal time"}
"""Arms without the objective, and what sentences call them: of as many updates, and of as much
measured time."""
BASELINES = ("start", MATCHED, BETTER_SOLVER)
"""Models without any training: as it started, with the moments of its samples matched to those of
the train latents, and with a better solver."""


@dataclass(frozen=True)
class Model:
    """One judged model, or real against real: its name, place in the experiment and figures."""

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
    """A model's figure minus that of another, paired, over `runs` training runs."""

    model: str
    against: str
    figure: str
    estimate: Estimate
    runs: int

    @property
    def p(self) -> float:
        """One-sided, of "is better"."""
        lower = BETTER[self.figure] == "lower"
        return self.estimate.p_below() if lower else self.estimate.p_above()

    def p_worse_by_less_than(self, margin: float) -> float:
        """One-sided, of "is worse by less than `margin`" (non-inferiority)."""
        lower = BETTER[self.figure] == "lower"
        return self.estimate.p_below(margin) if lower else self.estimate.p_above(-margin)

    def to_json(self) -> dict[str, Any]:
        """As comparisons.json lists it."""
        found = self.estimate.to_json()
        return {
            "model": self.model,
            "against": self.against,
            "figure": self.figure,
            "difference": found.pop("value"),
            **found,
            "p": self.p,
            "runs": self.runs,
            "better": BETTER[self.figure],
        }


def differences(models: list[Model], null: Model) -> list[Difference]:
    """Every place against the controls at its iteration, the baselines and real against real.

    Training runs with several seeds are paired seed by seed: an arm with its own control, both
    with the start that they share.
    """
    found = []
    of_place = {model.place: model for model in models if model.seed is None}
    for place in dict.fromkeys(model.place for model in models):
        runs = [model for model in models if model.place == place]
        rivals: dict[str, list[Model]] = {}
        if runs[0].arm == "adversarial":
            rivals = {arm: _same_iteration(arm, runs, models) for arm in CONTROLS}
        rivals |= {
            name: [of_place[name]] * len(runs)
            for name in BASELINES
            if name in of_place and place != name
        }
        rivals["null"] = [null] * len(runs)
        for against, others in rivals.items():
            for figure in BETTER:
                pairs = list(zip(runs, others, strict=False))
                if pairs and all(figure in m.figures for pair in pairs for m in pair):
                    runs_of = [a.figures[figure].minus(b.figures[figure]) for a, b in pairs]
                    estimate = estimate_of(runs_of)
                    found.append(Difference(place, against, figure, estimate, len(pairs)))
    return found


def _same_iteration(arm: str, runs: list[Model], models: list[Model]) -> list[Model]:
    """An arm's model of every run, in their order; none where there is no such arm."""
    place = f"{arm}/iteration_{runs[0].iteration}"
    of_seed = {model.seed: model for model in models if model.place == place}
    return [of_seed[run.seed] for run in runs if run.seed in of_seed]
