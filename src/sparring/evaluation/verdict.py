"""Which model an experiment hands on, by the protocol's criterion and no other.

An iteration is better if every deciding figure (`comparing.DECIDING`) is lower than its controls'
and than the start's. Its p is the largest one-sided p of all these comparisons, so that one weak
comparison is enough to stop it (an intersection-union test, Berger 1982). Several iterations, and
controls of which "plain training helped" might be said, are several chances to be wrong: Holm's
procedure keeps the chance of any false claim of an experiment at 5 %.

Guards can only lower acceptance: of each it must be shown, one-sided at 5 %, that it is worse by
less than its margin. The Fréchet distance has no say, and the discriminator of training none at
all: both were seen to improve while samples got worse.
"""

from dataclasses import dataclass
from typing import Literal

from ..metrics import METRICS
from ..settings.parts import BETTER_SOLVER, MATCHED
from .comparing import BASELINES, CONTROLS, DECIDING, DECODED, Difference, Model
from .statistics import estimate_of, holm

ALPHA = 0.05
"""The chance of any false claim in an experiment."""
MARGINS = {row.name: row.margin for row in METRICS if row.margin is not None}
"""Guards, and by how much they may be worse. All are shares or AUCs, from 0 to 1."""
CEILING = 0.98
"""Where every model's decoded AUC is above this, it can rank none, and has no say."""
_NULL_P = 0.01
_CLAIM = 3  # training runs
_NAMES = {row.name: row.called for row in METRICS}
_CALLED = {
    "start": "the start",
    MATCHED: "the start with matched moments",
    BETTER_SOLVER: "the start with a better solver",
    **{arm: f"its {name}" for arm, name in CONTROLS.items()},
}

Outcome = Literal["helped", "indication", "kept", "undecided"]


@dataclass(frozen=True)
class Verdict:
    """The place that is handed on, one sentence, and the reasons model by model."""

    outcome: Outcome
    """`indication`: better, but of too few training runs to claim it of the method; `kept`: what
    was tested is not better; `undecided`: nothing can be said."""
    selected: str
    sentence: str
    reasons: dict[str, str]
    p: dict[str, float]
    """Of every hypothesis that might have led to a claim, after Holm."""


def decide(models: list[Model], null: Model, found: list[Difference]) -> Verdict:
    """The verdict of an experiment from its paired differences."""
    places = list(dict.fromkeys(model.place for model in models))
    rounds = [place for place in places if place.startswith("adversarial/")]
    trained = rounds or [place for place in places if place not in BASELINES]
    broken = null_failure(null)
    if broken:
        kept = "start" if rounds else trained[-1]
        return Verdict(
            "undecided", kept, f"Nothing can be concluded: {broken}; {_kept(kept)}.", {}, {}
        )
    controls = [place for place in places if place.partition("/")[0] in CONTROLS]
    if rounds and not controls:
        return Verdict(
            "undecided",
            "start",
            "Nothing can be concluded without a control: what further training alone gives is "
            "unknown (set control: true); the start is kept.",
            {},
            {},
        )
    tests = {place: _Test(place, found, _deciding(models)) for place in (*trained, *controls)}
    p = holm({place: test.p for place, test in tests.items()})
    reasons = {place: test.shortcomings(p[place]) for place, test in tests.items()}
    accepted = [place for place in trained if not reasons[place]]
    runs = max(sum(m.place == place for m in models) for place in trained)
    readable = {place: "; ".join(why) or "accepted" for place, why in reasons.items()}
    if not rounds:
        return _of_finetuning(trained[-1], tests, p, readable, runs)
    if accepted:
        best = min(accepted, key=lambda place: _level(place, models))
        outcome, sentence = _claim(_named(best), tests[best], p[best], runs)
        return Verdict(outcome, best, sentence, readable, p)
    better = [place for place in controls if not reasons[place]]
    kept = min(better, key=lambda place: _level(place, models)) if better else "start"
    sentence = "No iteration is shown to be better than both its control and the start"
    sentence += (
        f", but plain further training is better than the start: {_named(kept)} is kept"
        if better
        else ": the start is kept"
    )
    return Verdict("kept", kept, sentence + _scope(runs), readable, p)


@dataclass(frozen=True)
class _Test:
    """One hypothesis: a place is better than all its rivals in all deciding figures."""

    place: str
    found: list[Difference]
    figures: tuple[str, ...]

    @property
    def rivals(self) -> tuple[str, ...]:
        """An iteration's controls and the start; of all others the start."""
        own = self.place.partition("/")[0] == "adversarial"
        return (*(CONTROLS if own else ()), "start")

    def against(self, rivals: tuple[str, ...]) -> list[Difference]:
        """Differences of the deciding figures."""
        return [
            d
            for d in self.found
            if d.model == self.place and d.against in rivals and d.figure in self.figures
        ]

    @property
    def p(self) -> float:
        """The largest one-sided p."""
        return max((d.p for d in self.against(self.rivals)), default=1.0)

    def shortcomings(self, adjusted: float) -> list[str]:
        """Why the place is not accepted; empty where it is."""
        reasons = [
            f"{_NAMES[d.figure]} {_with_interval(d)} against {_CALLED[d.against]}, p {d.p:.2g}"
            for d in self.against(self.rivals)
            if d.p > ALPHA
        ]
        if not reasons and adjusted > ALPHA:
            reasons.append(f"p {self.p:.2g} becomes {adjusted:.2g} as several models are compared")
        for d in self.found:
            if d.model == self.place and d.against in self.rivals and d.figure in MARGINS:
                margin = MARGINS[d.figure]
                if d.p_worse_by_less_than(margin) > ALPHA:
                    reasons.append(
                        f"{d.figure} {_with_interval(d)} against {_CALLED[d.against]} may be worse "
                        f"by more than {margin:g}"
                    )
        return reasons

    def gains(self) -> str:
        """The differences to the nearest rival, for the sentence."""
        rival = "control" if self.place.startswith("adversarial") else "start"
        parts = [f"{_NAMES[d.figure]} {_with_interval(d)}" for d in self.against((rival,))]
        return f"{', '.join(parts)} against {_CALLED[rival]}"

    def not_beaten(self) -> str:
        """Baselines without any training that the place is not better than."""
        names = [
            _CALLED[name]
            for name in BASELINES[1:]
            if any(d.p > ALPHA for d in self.against((name,)))
        ]
        return f" It is not shown to be better than {' nor '.join(names)}." if names else ""


def null_failure(null: Model) -> str:
    """What is wrong where training reals are told from held-out ones; else empty."""
    figure = estimate_of([null.figures["auc_linear"]])
    p = 2 * min(figure.p_below(0.5), figure.p_above(0.5))
    if p >= _NULL_P:
        return ""
    low, high = figure.interval
    return (
        f"auc_linear of training against held-out reals is {figure.value:.3f} "
        f"[{low:.3f}, {high:.3f}], not 0.5, so the held-out reals are not like those trained on"
    )


def _deciding(models: list[Model]) -> tuple[str, ...]:
    """The deciding figures that all models have; the decoded AUC only below its ceiling."""
    have = [name for name in DECIDING if all(name in model.figures for model in models)]
    auc = DECODED[0]
    if auc in have and min(model.figures[auc].value for model in models) > CEILING:
        have.remove(auc)
    return tuple(have)


def _of_finetuning(
    place: str, tests: dict[str, _Test], p: dict[str, float], reasons: dict[str, str], runs: int
) -> Verdict:
    """An experiment without rounds hands on what it trained; the sentence says if it helped."""
    if reasons[place] == "accepted":
        outcome, sentence = _claim("Training", tests[place], p[place], runs)
    else:
        outcome = "undecided"
        sentence = f"That training helped is not shown: {reasons[place]}" + _scope(runs)
    return Verdict(outcome, place, sentence, reasons, p)


def _claim(what: str, test: _Test, p: float, runs: int) -> tuple[Outcome, str]:
    """One run speaks of its two models only; of the method several runs do."""
    gains = f"{test.gains()} (p {p:.2g})"
    if runs >= _CLAIM:
        return "helped", f"{what} helped: {gains}, over {runs} training runs.{test.not_beaten()}"
    scope = _scope(runs)
    return "indication", f"In this run {what.lower()} is better: {gains}{scope}{test.not_beaten()}"


def _scope(runs: int) -> str:
    if runs >= _CLAIM:
        return f" ({runs} training runs)."
    what = "One training run speaks" if runs == 1 else f"{runs} training runs speak"
    return f". {what} of these models only, not of the method (seeds: three or more)."


def _with_interval(d: Difference) -> str:
    low, high = d.estimate.interval
    return f"{d.estimate.value:+.3g} [{low:+.3g}, {high:+.3g}]"


def _level(place: str, models: list[Model]) -> float:
    """The mean own AUC over training runs, of latents."""
    values = [m.figures["auc_linear"].value for m in models if m.place == place]
    return sum(values) / len(values)


def _kept(place: str) -> str:
    return "the start is kept" if place == "start" else f"{_named(place)} is handed on unjudged"


def _named(place: str) -> str:
    arm, _, last = place.partition("/iteration_")
    if arm == "adversarial":
        return f"Iteration {last}"
    return f"the {CONTROLS[arm]}'s iteration {last}" if last else "the trained model"
