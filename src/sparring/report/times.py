"""Wall and GPU time per stage, from what every job wrote beside its log."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..artefacts.attempts import read_attempts
from ..rounds.jobs import Wildcards, job_files
from ..rounds.loading import Rounds

_TRAINING = {
    "train_autoencoder", "pretrain_diffusion", "finetune_semantic", "train_discriminator",
    "finetune_diffusion", "train_vqgan_reconstruction", "train_vqgan_adversarial",
}  # fmt: skip
_WITHOUT_GPU = {
    "pack_layouts", "encode_real", "gather_fake", "evaluate", "compare_models", "summarise",
    "select_best", "guide_denoiser", "measure_time", "pack_volumes", "summarise_volumes",
}  # fmt: skip


@dataclass(frozen=True)
class Spent:
    """What the jobs of one stage cost, over all attempts."""

    stage: str
    jobs: int
    attempts: int
    seconds: float
    """Wall time, summed over jobs that may have run side by side."""
    gpu_seconds: float
    """The same times the GPUs that each job occupied; 0 on the CPU."""
    peak_mb: int
    last: str
    """When the last attempt ended."""

    @property
    def wall(self) -> str:
        """Wall time in words."""
        return span(self.seconds)

    @property
    def gpu(self) -> str:
        """GPU time in words."""
        return span(self.gpu_seconds) if self.gpu_seconds else "–"


def spent(rounds: Rounds, jobs: Iterable[tuple[str, Wildcards]]) -> list[Spent]:
    """One row per stage that was attempted, in the order of the jobs."""
    found: dict[str, list[Spent]] = {}
    for rule, wildcards in jobs:
        one = _of_job(rounds, rule, wildcards)
        if one:
            found.setdefault(rule, []).append(one)
    return [total(rule, rows) for rule, rows in found.items()]


def total(name: str, rows: list[Spent]) -> Spent:
    """Several rows as one."""
    return Spent(
        stage=name,
        jobs=sum(row.jobs for row in rows),
        attempts=sum(row.attempts for row in rows),
        seconds=sum(row.seconds for row in rows),
        gpu_seconds=sum(row.gpu_seconds for row in rows),
        peak_mb=max((row.peak_mb for row in rows), default=0),
        last=max((row.last for row in rows), default=""),
    )


def span(seconds: float) -> str:
    """A time in the unit that suits it."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


def _of_job(rounds: Rounds, rule: str, wildcards: Wildcards) -> Spent | None:
    files = job_files(rounds, rule, wildcards)
    rows = read_attempts(Path(files.log))
    if not rows:
        return None
    seconds = sum(float(row["seconds"]) for row in rows)
    return Spent(
        stage=rule,
        jobs=1,
        attempts=sum(row["outcome"] != "already finished" for row in rows),
        seconds=seconds,
        gpu_seconds=seconds * _gpus(rounds, rule, wildcards, files.record),
        peak_mb=max(int(float(row.get("max_rss_mb") or 0)) for row in rows),
        last=max(row["ended"] for row in rows),
    )


def _gpus(rounds: Rounds, rule: str, wildcards: Wildcards, record: str) -> int:
    name = wildcards.get("experiment")
    configured = rounds.device_of(name) if name else rounds.config.device
    if read_record(Path(record)).get("device", configured) != "cuda" or rule in _WITHOUT_GPU:
        return 0
    if rule not in _TRAINING:
        return 1
    return rounds.gpus_of(name) if name else rounds.config.gpus


def read_record(path: Path) -> dict[str, Any]:
    """The settings and versions that a job left beside its results; {} where there are none."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}
