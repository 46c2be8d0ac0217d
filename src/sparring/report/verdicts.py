"""What came of an experiment, in a sentence."""

from collections import Counter
from dataclasses import dataclass
from typing import Literal

from ..artefacts.histories import Row
from ..rounds.status import JobStatus
from .figures import Comparisons, Estimate, Evaluation, Figure, Model, number

Outcome = Literal["helped", "indication", "kept", "undecided", "trained", "unfinished", "failed"]
WORDS: dict[Outcome, str] = {
    "helped": "helped",
    "indication": "an indication",
    "kept": "did not help",
    "undecided": "no claim",
    "trained": "trained",
    "unfinished": "unfinished",
    "failed": "failed",
}


@dataclass(frozen=True)
class Verdict:
    """How an experiment came out, and the sentence that says it."""

    outcome: Outcome
    sentence: str

    @property
    def word(self) -> str:
        """The outcome in a word or two."""
        return WORDS[self.outcome]


def verdict_of(
    kind: str,
    jobs: list[JobStatus],
    evaluation: Evaluation | None,
    comparisons: Comparisons | None,
    history: list[Row],
) -> Verdict:
    """The verdict of an experiment of that kind; before its end, how far it is."""
    if kind == "pretrain":
        return _pretrained(history) if history else unfinished(jobs)
    if evaluation is None or (kind == "adversarial" and comparisons is None):
        return unfinished(jobs)
    if comparisons is not None:
        return Verdict(_outcome(comparisons), _sentence(comparisons.verdict))
    return _against_start(evaluation)


def best_validation(history: list[Row]) -> tuple[int, float, float] | None:
    """Epoch and value of the least validation noise loss, and the value before training."""
    judged = [
        (int(r["epoch"] or 0), r["val_noise_loss"]) for r in history if r.get("val_noise_loss")
    ]
    if len(judged) < 2:
        return None
    epoch, least = min(judged[1:], key=lambda pair: pair[1] or 0.0)
    return epoch, float(least or 0.0), float(judged[0][1] or 0.0)


def _outcome(comparisons: Comparisons) -> Outcome:
    """What the evaluation calls it; a word that is not known claims nothing."""
    return next((outcome for outcome in WORDS if outcome == comparisons.outcome), "undecided")


def _pretrained(history: list[Row]) -> Verdict:
    epochs = max(int(row["epoch"] or 0) for row in history)
    found = best_validation(history)
    sentence = f"Trained from scratch for {epochs} {'epoch' if epochs == 1 else 'epochs'}"
    if found:
        epoch, least, first = found
        sentence += (
            f"; the noise loss on validation went from {number(first)} to {number(least)}, at "
            f"epoch {epoch}, whose weights are kept"
        )
    return Verdict("trained", f"{sentence}. Others start from it; it is not judged by itself.")


def _against_start(evaluation: Evaluation) -> Verdict:
    """Without a control: which figures moved away from the start, intervals apart."""
    start = evaluation.start
    ended = [m for m in evaluation.models if m.arm in evaluation.arms]
    if start is None or not ended:
        return Verdict("undecided", "There is nothing to compare the start with.")
    titles: dict[int, list[str]] = {1: [], -1: [], 0: []}
    for figure in evaluation.figures:
        if not figure.has_interval or figure.better not in ("lower", "higher"):
            continue
        titles[_apart(start, ended[-1], figure)].append(figure.title)
    parts = [
        f"{word} in {_listed(titles[sign])}"
        for word, sign in (("better", 1), ("worse", -1))
        if titles[sign]
    ]
    if not parts:
        parts = [f"not told apart from it by {_listed(titles[0] or ['any figure'])}"]
    return Verdict(
        "undecided",
        f"Against the start, the trained model is {' and '.join(parts)} (95 % intervals). There "
        "is no control arm: plain further training might have done the same.",
    )


def _apart(start: Model, model: Model, figure: Figure) -> int:
    """1 where the model is better with intervals apart, -1 where worse, else 0."""
    before, after = start.values.get(figure.key), model.values.get(figure.key)
    if before is None or after is None:
        return 0
    sign = _order(after, before)
    return sign if figure.better == "lower" else -sign


def _order(a: Estimate, b: Estimate) -> int:
    """1 where a lies below b, intervals apart, -1 where above."""
    return 1 if a.high < b.low else -1 if a.low > b.high else 0


def unfinished(jobs: list[JobStatus]) -> Verdict:
    """How far an experiment is."""
    counts = Counter(job.state for job in jobs)
    sentence = f"No verdict yet: {counts['done']} of {len(jobs)} jobs are done"
    others = [f"{counts[s]} {s}" for s in ("running", "interrupted", "died", "failed") if counts[s]]
    failed = counts["failed"] + counts["died"] > 0
    return Verdict("failed" if failed else "unfinished", _sentence(", ".join([sentence, *others])))


def _sentence(text: str) -> str:
    text = text.strip()
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _listed(words: list[str]) -> str:
    return ", ".join(words[:-1]) + (" and " if len(words) > 1 else "") + words[-1]
