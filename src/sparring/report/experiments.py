"""What there is to show of every experiment, read from its files."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from ..artefacts.histories import read_history
from ..balance import DIFFUSION_HISTORY, Balance, balances
from ..errors import UserError
from ..rounds.jobs import Wildcards
from ..rounds.listing import all_jobs
from ..rounds.loading import Rounds
from ..rounds.status import JobStatus, status_of
from . import curves
from .charts import Chart
from .figures import (
    Comparisons,
    Evaluation,
    read_comparisons,
    read_evaluation,
    read_selected,
)
from .images import Figure, Pictures, file_figure, sample_figures
from .provenance import Provenance, provenance_of
from .times import Spent, spent, total
from .verdicts import Verdict, verdict_of

_PICTURES_BUDGET = 12_000_000  # bytes of all sample pictures together
_MOST_PER_EXPERIMENT = 2_500_000
_GRIDS, _GRID_SIDE = 3, 384  # pictures made during a first training, and their sides


@dataclass(frozen=True)
class Shown:
    """One experiment on the page."""

    name: str
    kind: str
    requested: bool
    """Asked for; the others are what these start from."""
    verdict: Verdict
    varied: dict[str, str]
    """Values of the keys in which the members of its sweep differ."""
    evaluation: Evaluation | None
    comparisons: Comparisons | None
    pictures: Pictures | None
    grids: tuple[Figure, ...]
    """Samples made while a denoiser was trained from scratch."""
    figure_charts: list[Chart]
    discriminator_charts: list[Chart]
    denoiser_charts: list[Chart]
    balances: list[Balance]
    times: list[Spent]
    provenance: Provenance
    counts: dict[str, int]
    """Jobs by state."""
    troubles: list[JobStatus]
    """Jobs that failed or died."""
    notes: list[str] = field(default_factory=list)
    """Files that are there but cannot be read."""

    @property
    def total(self) -> Spent:
        """The times of all stages."""
        return total(self.name, self.times)

    @property
    def judged_last(self) -> str | None:
        """The model that stands for the experiment in the sweep table."""
        if self.evaluation is None:
            return None
        selected = self.comparisons.selected if self.comparisons else None
        if selected and selected != "start":
            return selected
        # Repeats with other training seeds have names that begin with the seed.
        ended = [m for m in self.evaluation.models if m.name.startswith(("adversarial", "trained"))]
        return ended[-1].name if ended else "start"


def collect(rounds: Rounds) -> tuple[list[Shown], list[Spent]]:
    """Everything configured, and the times of what several experiments share."""
    by_experiment: dict[str, list[JobStatus]] = {}
    for job in status_of(rounds):
        name = job.wildcards.get("experiment", "")
        by_experiment.setdefault(rounds.repeat_of(name) or name, []).append(job)
    names = [name for name in rounds.experiments if rounds.repeat_of(name) is None]
    with_pictures = sum((_place(rounds, name) / "samples.h5").is_file() for name in names)
    budget = min(_MOST_PER_EXPERIMENT, _PICTURES_BUDGET // max(with_pictures, 1))
    others = [name for name in names if name not in rounds.requested]
    ordered = [*rounds.requested, *others]  # what experiments start from comes last
    shown = [_shown(rounds, name, by_experiment.get(name, []), budget) for name in ordered]
    listed = list(all_jobs(rounds))
    shared = spent(rounds, [(rule, w) for rule, w in listed if "experiment" not in w])
    return shown, shared


def _shown(rounds: Rounds, name: str, jobs: list[JobStatus], budget: int) -> Shown:
    experiment, place, read = rounds.experiments[name], _place(rounds, name), _Reading()
    kind = experiment.kind
    arms = rounds.arms(name) if kind == "adversarial" else ()
    count = rounds.adversarial(name).iterations if arms else 0
    evaluation = read(place / "evaluation.csv", read_evaluation)
    comparisons = _comparisons(place, evaluation, read)
    history = read(place / DIFFUSION_HISTORY, read_history) or []
    denoiser = read.trying(lambda: curves.denoiser_histories(place, arms, count)) or {}
    discriminator = read.trying(lambda: curves.discriminator_histories(place, count)) or {}
    stages: list[tuple[str, Wildcards]] = [(job.rule, job.wildcards) for job in jobs]
    return Shown(
        name=name,
        kind=kind,
        requested=name in rounds.requested,
        verdict=verdict_of(kind, jobs, evaluation, comparisons, history),
        varied=_varied(rounds, name),
        evaluation=evaluation,
        comparisons=comparisons,
        pictures=read(place / "samples.h5", lambda path: sample_figures(path, budget)),
        grids=_grids(place, read) if kind == "pretrain" else (),
        figure_charts=curves.figure_charts(evaluation) if evaluation else [],
        discriminator_charts=curves.discriminator_charts(discriminator),
        denoiser_charts=curves.denoiser_charts(denoiser),
        balances=read.trying(lambda: balances(place, list(range(count)))) or [],
        times=spent(rounds, stages),
        provenance=provenance_of(rounds, name),
        counts=dict(Counter(job.state for job in jobs)),
        troubles=[job for job in jobs if job.state in ("failed", "died")],
        notes=read.notes,
    )


class _Reading:
    """Reads what is there; of what is damaged it keeps the message and goes on."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def __call__(self, path: Path, read: Any) -> Any:
        """What `read` makes of the file; None where there is none or it is damaged."""
        return self.trying(lambda: read(path)) if path.is_file() else None

    def trying(self, read: Any) -> Any:
        """The same of any reading."""
        try:
            return read()
        except UserError as error:
            self.notes.append(str(error))
        except OSError as error:
            self.notes.append(f"{error.filename}: cannot be read ({error.strerror or error})")
        return None


def _comparisons(place: Path, evaluation: Evaluation | None, read: _Reading) -> Comparisons | None:
    known = evaluation.figures if evaluation else ()
    found = read(place / "comparisons.json", lambda path: read_comparisons(path, known))
    chosen = read(place / "selected.json", read_selected)
    if found is None or chosen is None or found.selected is not None:
        return found or chosen
    return Comparisons(found.verdict, chosen.selected, chosen.reason, found.differences)


def _grids(place: Path, read: _Reading) -> tuple[Figure, ...]:
    """The first, a middle and the last picture of samples made while training."""
    paths = sorted((place / "samples").glob("epoch_*.png"))
    if len(paths) > _GRIDS:
        paths = [paths[0], paths[len(paths) // 2], paths[-1]]
    made = (
        read(path, lambda p: file_figure(p, p.stem.replace("_", " "), _GRID_SIDE)) for path in paths
    )
    return tuple(figure for figure in made if figure is not None)


def _varied(rounds: Rounds, name: str) -> dict[str, str]:
    """Of a member of a sweep: its values of the keys that its sweep varies."""
    keys = rounds.files.varied(name)
    values = rounds.experiments[name].model_dump(mode="json")
    return {key: _plain(_at(values, key)) for key in keys}


def _at(values: Any, path: str) -> Any:
    for part in path.split("."):
        values = values.get(part) if isinstance(values, dict) else None
    return values


def _plain(value: Any) -> str:
    return str(yaml.safe_dump(value, default_flow_style=True)).removesuffix("...\n").strip()


def _place(rounds: Rounds, name: str) -> Path:
    return Path(rounds.config.results) / name
