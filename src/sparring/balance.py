"""Discriminator against denoiser: what their histories say, and what to do about it.

A discriminator is of use while it is right somewhat more often than a coin. One that is always
right pushes the denoiser in directions that mean little, one that is never right in none.
"""

import csv
import io
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from .artefacts.histories import Row, read_history

WANTED = (0.5, 0.7)
"""Validation accuracy of a discriminator that is neither too weak nor too strong."""
TOO_STRONG = 0.9
NO_SIGNAL = 0.5
FOOLED = 0.8
"""Viability score above which the denoiser has found what its discriminator does not see."""
_FOOLED_EPOCHS = 3
_OVERFIT_GAP = 0.2

DISCRIMINATOR_HISTORY = "discriminator_history.csv"
DIFFUSION_HISTORY = "diffusion_history.csv"


@dataclass(frozen=True)
class Balance:
    """How discriminator and denoiser stood in one iteration."""

    iteration: int
    best_epoch: int
    """Of the discriminator, as it was used."""
    val_accuracy: float
    """There: its share of held-out reals and fakes told right."""
    viability_score: float | None
    """After the denoiser's last epoch, on validation; None before that."""
    verdict: str

    @property
    def line(self) -> str:
        """The discriminator's part in one line; says what is wrong with it, if anything is."""
        low, high = WANTED
        line = f"discriminator {self.val_accuracy:.2f} on validation ({low:g} to {high:g} wanted)"
        judged = verdict(self.val_accuracy)
        return line if judged == "balanced" else f"{line}: {judged}"


def balances(experiment: Path, iterations: list[int]) -> list[Balance]:
    """The iterations of an experiment's folder that have a discriminator's history."""
    found = (balance_of(experiment / f"adversarial/iteration_{n}", n) for n in iterations)
    return [balance for balance in found if balance is not None]


def balance_of(folder: Path, iteration: int) -> Balance | None:
    """One iteration's folder; None where no discriminator was trained. UserError if damaged."""
    path = folder / DISCRIMINATOR_HISTORY
    best = best_row(read_history(path)) if path.exists() else None
    accuracy = None if best is None else best.get("val_accuracy")
    if best is None or accuracy is None:
        return None
    other = folder / DIFFUSION_HISTORY
    scores = (
        [row.get("val_viability_score") for row in read_history(other)] if other.exists() else []
    )
    viability = scores[-1] if scores else None
    return Balance(
        iteration, int(best["epoch"] or 0), accuracy, viability, verdict(accuracy, viability)
    )


def balance_table(rows: list[Balance]) -> str:
    """CSV, one row per iteration."""
    out = io.StringIO()
    writer = csv.DictWriter(out, [field.name for field in fields(Balance)], lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow(
            {k: f"{v:.4f}" if isinstance(v, float) else v for k, v in asdict(row).items()}
        )
    return out.getvalue()


def verdict(accuracy: float, viability: float | None = None) -> str:
    """In a word or two, from the validation accuracy and the viability score at the end."""
    if accuracy < NO_SIGNAL:
        return "no signal"
    if accuracy > TOO_STRONG:
        return "too strong"
    if viability is not None and viability > FOOLED:
        return "fooled"
    return "balanced" if accuracy <= WANTED[1] else "strong"


def best_row(history: list[Row]) -> Row | None:
    """The row whose weights were kept: least validation loss; the baseline only if it is alone."""
    trained = [row for row in history if row["epoch"]] or history
    judged = [row for row in trained if row.get("val_loss") is not None]
    return min(judged, key=lambda row: row["val_loss"] or 0.0, default=None)


def discriminator_warnings(history: list[Row]) -> list[str]:
    """What is probably wrong with a discriminator after its training, and the way out."""
    best, last = best_row(history), history[-1]
    accuracy = None if best is None else best.get("val_accuracy")
    if best is None or accuracy is None:
        return []
    found = []
    if accuracy > TOO_STRONG:
        found.append(
            f"validation accuracy is {accuracy:.2f}, above {TOO_STRONG:g}: the discriminator is so "
            "strong that its gradient may mean little; lower discriminator.epochs or "
            "discriminator.base_channels"
        )
    if accuracy < NO_SIGNAL:
        found.append(
            f"validation accuracy is {accuracy:.2f}, below chance: this discriminator has no "
            "signal to give; raise num_samples or discriminator.epochs"
        )
    train, val = last.get("train_accuracy"), last.get("val_accuracy")
    if train is not None and val is not None and train - val > _OVERFIT_GAP:
        found.append(
            f"after epoch {last['epoch']} accuracy is {train:.2f} in training but {val:.2f} on "
            f"validation: the discriminator learns its latents by heart (kept is epoch "
            f"{best['epoch']}); raise num_samples, or lower discriminator.epochs or "
            "discriminator.base_channels"
        )
    return found


def finetuning_warnings(history: list[Row]) -> list[str]:
    """What is probably wrong with a denoiser's fine-tuning against a discriminator."""
    first, count = _longest_run(history)
    if count < _FOOLED_EPOCHS:
        return []
    return [
        f"the viability score was above {FOOLED:g} for {count} epochs from epoch {first} on: the "
        "denoiser fools its discriminator, which learns nothing meanwhile; renew the fakes: set "
        f"diffusion.epochs to about {first} and raise iterations"
    ]


def _longest_run(history: list[Row]) -> tuple[int, int]:
    """First epoch and length of the longest run of epochs that fool the discriminator."""
    best = (0, 0)
    start: int | None = None
    for row in history:
        epoch, score = int(row["epoch"] or 0), row.get("train_viability_score")
        if score is None or score <= FOOLED:
            start = None
            continue
        start = epoch if start is None else start
        best = max(best, (start, epoch - start + 1), key=lambda run: run[1])
    return best
