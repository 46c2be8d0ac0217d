"""Which model an experiment hands on, by the protocol's criterion and no other.

An iteration is accepted only if judges of both families, the same for all models, tell its samples
less well from held-out reals than its control's, and than the start's, by more than 2 standard
errors, while neither coverage nor the memorisation share worsens, nor the AUC of judges trained on
each model alone. The last because judges that see all models look at what these have in common: on
real layouts an arm that its own judges told at 0.97, its control at 0.85, passed for equal with
them. The Fréchet distance has no say, and the discriminator of training none at all: both were seen
to improve while samples got worse.
"""

from dataclasses import dataclass
from typing import Literal

from .comparing import FIXED, Difference, Model

_GUARDS = ("auc_linear", "auc_cnn", "coverage", "memorisation")
_NULL_ERRORS = 3  # standard errors that the null's AUC may lie away from 0.5
_CLAIM = 3  # training seeds


Outcome = Literal["helped", "indication", "kept", "undecided"]


@dataclass(frozen=True)
class Verdict:
    """The place that is handed on, one sentence, and the reasons model by model."""

    outcome: Outcome
    """`indication`: better, but of too few training seeds to claim it; `kept`: what was tested is
    not better; `undecided`: nothing can be said."""
    selected: str
    sentence: str
    reasons: dict[str, str]


def decide(models: list[Model], null: Model, found: list[Difference]) -> Verdict:
    """The verdict of an experiment from its paired differences."""
    places = list(dict.fromkeys(model.place for model in models))
    rounds = [place for place in places if place.startswith("adversarial/")]
    seeds = max(sum(m.place == place for m in models) for place in places)
    broken = null_failure(null)
    if broken:
        kept = "start" if rounds else places[-1]
        return Verdict("undecided", kept, f"Nothing can be concluded: {broken}; {_kept(kept)}.", {})
    if not rounds:
        return _of_finetuning(places[-1], found, seeds)
    if not any(place.startswith("control/") for place in places):
        return Verdict(
            "undecided",
            "start",
            "Nothing can be concluded without a control: what further training alone gives is "
            "unknown (set control: true); the start is kept.",
            {},
        )
    reasons = {place: shortcomings(place, found, ("control", "start")) for place in rounds}
    accepted = [place for place in rounds if not reasons[place]]
    if accepted:
        best = min(accepted, key=lambda place: _level(place, models))
        gain = _gains(best, found, "control")
        outcome, word = _claimed(seeds)
        sentence = f"{_named(best)} {word}: {gain}{_caution(seeds)}."
        return Verdict(outcome, best, sentence, _readable(reasons))
    controls = [place for place in places if place.startswith("control/")]
    better = [place for place in controls if not shortcomings(place, found, ("start",))]
    if better:
        best = min(better, key=lambda place: _level(place, models))
        sentence = (
            "No iteration is better than its control and the start, but plain further training is "
            f"better than the start: {_named(best)} is kept{_caution(seeds)}."
        )
        return Verdict("kept", best, sentence, _readable(reasons))
    sentence = (
        "No iteration is better than both its control and the start: the start is kept"
        f"{_caution(seeds)}."
    )
    return Verdict("kept", "start", sentence, _readable(reasons))


def null_failure(null: Model) -> str:
    """What is wrong where judges tell training reals from held-out ones; else empty."""
    for name in ("auc_linear", "auc_cnn"):
        figure = null.figures[name]
        if abs(figure.value - 0.5) > _NULL_ERRORS * figure.standard_error:
            return (
                f"{name} of training against held-out reals is {figure.value:.3f} +- "
                f"{figure.standard_error:.3f}, not 0.5, so the held-out reals are not like those "
                "trained on"
            )
    return ""


def shortcomings(place: str, found: list[Difference], rivals: tuple[str, ...]) -> list[str]:
    """Why a model is not accepted against these rivals; empty where it is."""
    reasons = []
    for against in rivals:
        of = {d.figure: d for d in found if d.model == place and d.against == against}
        for name in FIXED:
            if not of[name].improves:
                e = of[name].estimate
                reasons.append(
                    f"{name} {e.value:+.4f} [{e.low:+.4f}, {e.high:+.4f}] against the {against}"
                )
        for name in _GUARDS:
            if of[name].worsens:
                reasons.append(f"{name} worsens against the {against}")
    return reasons


def _of_finetuning(place: str, found: list[Difference], seeds: int) -> Verdict:
    """An experiment without rounds hands on what it trained; the sentence says if it helped."""
    reasons = shortcomings(place, found, ("start",))
    if not reasons:
        outcome, word = _claimed(seeds)
        sentence = f"Training {word}: {_gains(place, found, 'start')}{_caution(seeds)}."
    else:
        outcome = "undecided"
        sentence = f"That training helped is not shown: {'; '.join(reasons)}{_caution(seeds)}."
    return Verdict(outcome, place, sentence, {place: "; ".join(reasons) or "accepted"})


def _claimed(seeds: int) -> tuple[Outcome, str]:
    """The outcome of what is better, and what is said of it."""
    return ("helped", "helped") if seeds >= _CLAIM else ("indication", "seems to help")


def _gains(place: str, found: list[Difference], against: str) -> str:
    parts = []
    for d in found:
        if d.model == place and d.against == against and d.figure in FIXED:
            family = d.figure.removeprefix("fixed_auc_")
            parts.append(f"{d.estimate.value:+.3f} +- {d.estimate.se:.3f} ({family})")
    return (
        "both judges tell its samples less well from held-out reals than those of the "
        f"{against}, AUC {' and '.join(parts)}"
    )


def _level(place: str, models: list[Model]) -> float:
    """The mean AUC by the fixed scorers, over families and training seeds."""
    values = [m.figures[name].value for m in models if m.place == place for name in FIXED]
    return sum(values) / len(values)


def _caution(seeds: int) -> str:
    if seeds >= _CLAIM:
        return f" ({seeds} training seeds)"
    what = "one training seed" if seeds == 1 else f"{seeds} training seeds"
    return f" (of {what}: an indication, as runs differ more than samples do)"


def _kept(place: str) -> str:
    return "the start is kept" if place == "start" else f"{_named(place)} is handed on unjudged"


def _named(place: str) -> str:
    arm, _, last = place.partition("/iteration_")
    if arm == "adversarial":
        return f"Iteration {last}"
    return f"the control's iteration {last}" if last else "the trained model"


def _readable(reasons: dict[str, list[str]]) -> dict[str, str]:
    return {place: "; ".join(why) or "accepted" for place, why in reasons.items()}
