"""What there is to show of an experiment on volumes, read from its files."""

from pathlib import Path
from typing import Any

from ..artefacts.histories import Row, read_history
from ..artefacts.volumes import NEW, SHARED, Volumes
from ..errors import UserError
from ..rounds.loading import Rounds
from ..rounds.status import JobStatus
from .reading import Reading
from .volume_curves import volume_charts
from .volume_pictures import codes_used, shown_volumes
from .volume_verdicts import volumes_verdict
from .volumes import NOT_BY_PATIENT, Judged, VolumesShown, VolumeTable, read_judged, read_table


def of_volumes(
    rounds: Rounds, name: str, jobs: list[JobStatus], budget: int, read: Reading
) -> dict[str, Any]:
    """Fields of `Shown` that only an experiment on volumes has."""
    place, experiment = Path(rounds.config.results) / name, rounds.vqgan(name)
    table: VolumeTable | None = read(place / "volumes.csv", read_table)
    histories: dict[str, list[Row]] = {}
    judged: dict[str, Judged] = {}
    for phase in experiment.phases:
        history = read(place / phase / "history.csv", read_history)
        evaluation = read(place / phase / "evaluation.json", read_judged)
        histories |= {phase: history} if history else {}
        judged |= {phase: evaluation} if evaluation else {}
    packed = Path(rounds.config.results) / "datasets" / experiment.dataset / "volumes.h5"
    shown = VolumesShown(
        table=table,
        warning=_warning(packed, judged, table),
        pictures=shown_volumes(place, judged, [NEW, SHARED], budget, read),
        codes=codes_used(place, table, histories),
        charts=volume_charts(histories),
    )
    return {"verdict": volumes_verdict(jobs, table), "volumes": shown}


def _warning(packed: Path, judged: dict[str, Judged], table: VolumeTable | None) -> str:
    """What must be said first where patients cross splits; also while nothing is judged yet."""
    for evaluation in judged.values():
        return evaluation.warning or _of_table(table)
    try:
        return Volumes(packed).warning or _of_table(table)
    except (UserError, OSError):  # not packed yet; damage is its stage's matter
        return _of_table(table)


def _of_table(table: VolumeTable | None) -> str:
    return NOT_BY_PATIENT if table and SHARED in table.groups else ""
