"""What there is to show of every experiment, read from its files."""

from collections import Counter
from pathlib import Path
from typing import Any

import yaml

from ..artefacts.histories import read_history
from ..balance import DIFFUSION_HISTORY, balances
from ..rounds.jobs import Wildcards
from ..rounds.listing import all_jobs
from ..rounds.loading import Rounds
from ..rounds.status import JobStatus, status_of
from . import curves
from .figures import read_comparisons, read_evaluation
from .images import Figure, file_figure, sample_figures
from .provenance import provenance_of
from .reading import Reading
from .shown import Shown
from .times import Spent, spent
from .verdicts import verdict_of
from .volume_experiments import of_volumes
from .volumes import PHASES

_PICTURES_BUDGET = 12_000_000  # bytes of all sample pictures together
_MOST_PER_EXPERIMENT = 2_500_000
_GRIDS, _GRID_SIDE = 3, 384  # pictures made during a first training, and their sides


def collect(rounds: Rounds) -> tuple[list[Shown], list[Spent]]:
    """Everything configured, and the times of what several experiments share."""
    by_experiment: dict[str, list[JobStatus]] = {}
    for job in status_of(rounds):
        name = job.wildcards.get("experiment", "")
        by_experiment.setdefault(rounds.repeat_of(name) or name, []).append(job)
    names = [name for name in rounds.experiments if rounds.repeat_of(name) is None]
    names += rounds.vqgans
    with_pictures = sum(_has_pictures(rounds, name) for name in names)
    budget = min(_MOST_PER_EXPERIMENT, _PICTURES_BUDGET // max(with_pictures, 1))
    others = [name for name in names if name not in rounds.requested]
    ordered = [*rounds.requested, *others]  # what experiments start from comes last
    shown = [_shown(rounds, name, by_experiment.get(name, []), budget) for name in ordered]
    listed = list(all_jobs(rounds))
    shared = spent(rounds, [(rule, w) for rule, w in listed if "experiment" not in w])
    return shown, shared


def _has_pictures(rounds: Rounds, name: str) -> bool:
    place = _place(rounds, name)
    if name in rounds.vqgans:
        return any((place / phase / "evaluation.json").is_file() for phase in PHASES)
    return (place / "samples.h5").is_file()


def _shown(rounds: Rounds, name: str, jobs: list[JobStatus], budget: int) -> Shown:
    read = Reading()
    of_kind = of_volumes if name in rounds.vqgans else _of_layouts
    fields = of_kind(rounds, name, jobs, budget, read)
    stages: list[tuple[str, Wildcards]] = [(job.rule, job.wildcards) for job in jobs]
    return Shown(
        name=name,
        kind=rounds.of_any_kind(name).kind,
        requested=name in rounds.requested,
        varied=_varied(rounds, name),
        times=spent(rounds, stages),
        provenance=provenance_of(rounds, name),
        counts=dict(Counter(job.state for job in jobs)),
        troubles=[job for job in jobs if job.state in ("failed", "died")],
        notes=read.notes,
        **fields,
    )


def _of_layouts(
    rounds: Rounds, name: str, jobs: list[JobStatus], budget: int, read: Reading
) -> dict[str, Any]:
    """Fields of `Shown` that only an experiment on layouts has."""
    place, kind = _place(rounds, name), rounds.experiments[name].kind
    arms = rounds.arms(name) if kind == "adversarial" else ()
    count = rounds.adversarial(name).iterations if arms else 0
    evaluation = read(place / "evaluation.csv", read_evaluation)
    comparisons = read(place / "comparisons.json", read_comparisons)
    history = read(place / DIFFUSION_HISTORY, read_history) or []
    denoiser = read.trying(lambda: curves.denoiser_histories(place, arms, count)) or {}
    discriminator = read.trying(lambda: curves.discriminator_histories(place, count)) or {}
    return {
        "verdict": verdict_of(kind, jobs, evaluation, comparisons, history),
        "evaluation": evaluation,
        "comparisons": comparisons,
        "pictures": read(place / "samples.h5", lambda path: sample_figures(path, budget)),
        "grids": _grids(place, read) if kind == "pretrain" else (),
        "figure_charts": curves.figure_charts(evaluation) if evaluation else [],
        "discriminator_charts": curves.discriminator_charts(discriminator),
        "denoiser_charts": curves.denoiser_charts(denoiser),
        "balances": read.trying(lambda: balances(place, list(range(count)))) or [],
    }


def _grids(place: Path, read: Reading) -> tuple[Figure, ...]:
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
    values = rounds.of_any_kind(name).model_dump(mode="json")
    return {key: _plain(_at(values, key)) for key in keys}


def _at(values: Any, path: str) -> Any:
    for part in path.split("."):
        values = values.get(part) if isinstance(values, dict) else None
    return values


def _plain(value: Any) -> str:
    return str(yaml.safe_dump(value, default_flow_style=True)).removesuffix("...\n").strip()


def _place(rounds: Rounds, name: str) -> Path:
    return Path(rounds.config.results) / name
