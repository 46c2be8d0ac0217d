"""What of a run may be deleted without training anything again."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..artefacts.finished import Finished
from ..artefacts.lock import read_lock
from .jobs import Wildcards, job_files
from .loading import Rounds
from .status import JobStatus, status_of

# What is sampled or drawn, and the stages that must have read it.
_READERS = {
    "encode_real": ("train_discriminator",),
    "sample_fake": ("train_discriminator", "finetune_diffusion"),
    "gather_fake": ("train_discriminator", "finetune_diffusion"),
    "sample_fake_shard": ("gather_fake",),
    "reconstruct_volumes": ("evaluate_vqgan", "summarise_volumes"),
    "sample_evaluation": (
        "evaluate",
        "measure_layouts",
        "measure_volumes",
        "compare_models",
        "compare_samples",
    ),
}


@dataclass(frozen=True)
class Removable:
    """Files that can go, what they are, and the state directory that keeps links to them."""

    files: list[Path]
    what: str
    state: Path | None = None

    @property
    def size(self) -> int:
        """Bytes on the disk."""
        return sum(os.stat(path).st_size for path in self.files)

    def remove(self) -> None:
        """Delete the files and the links that would keep their content."""
        for path in self.files:
            path.unlink()
        if self.state is not None:
            Finished(self.state).forget()


def removable(rounds: Rounds) -> Iterator[Removable]:
    """Samples that every stage has read, and what dead jobs left half-written.

    Snakemake plans nothing for a missing file that nothing unfinished needs; should a later change
    need it, it is sampled again.
    """
    jobs = status_of(rounds)
    for job in jobs:
        if job.rule in _READERS and job.state == "done" and _was_read(rounds, job, jobs):
            state = Path(job_files(rounds, job.rule, job.wildcards).job).parent
            files = [p for p in Finished(state).outputs if p.suffix == ".h5" and p.exists()]
            if files:
                yield Removable(files, f"samples of {job.name}, already used", state)
    for job in jobs:
        files = list(_abandoned(rounds, job))
        if files:
            yield Removable(files, f"left half-written by a dead job of {job.name}")


def _was_read(rounds: Rounds, job: JobStatus, jobs: list[JobStatus]) -> bool:
    readers = [j for j in jobs if j.rule in _READERS[job.rule] and _reads(j, job.wildcards)]
    if job.rule in ("sample_fake", "gather_fake"):
        readers += [j for j in jobs if j.rule == "train_discriminator" and _replays(rounds, j, job)]
    main = rounds.repeat_of(job.wildcards["experiment"])
    if main is not None:  # its experiment compares what all repeats have sampled
        readers += [j for j in jobs if (j.rule, j.wildcards) == _comparison(main)]
    return bool(readers) and all(reader.state == "done" for reader in readers)


def _comparison(experiment: str) -> tuple[str, Wildcards]:
    return "compare_models", {"experiment": experiment}


def _reads(reader: JobStatus, wildcards: Wildcards) -> bool:
    """Whether a stage belongs to the same iteration or model, or to the whole experiment."""
    shared = reader.wildcards.keys() & wildcards.keys()
    return all(reader.wildcards[key] == wildcards[key] for key in shared)


def _replays(rounds: Rounds, reader: JobStatus, sampled: JobStatus) -> bool:
    """Whether a later iteration of the same experiment trains on these fakes too."""
    name = sampled.wildcards["experiment"]
    if reader.wildcards["experiment"] != name:
        return False
    iteration = int(reader.wildcards["iteration"])
    return int(sampled.wildcards["iteration"]) in rounds.replayed(name, iteration)


def _abandoned(rounds: Rounds, job: JobStatus) -> Iterator[Path]:
    files = job_files(rounds, job.rule, job.wildcards)
    state, results = Path(files.job).parent, Path(files.record).parent.parent
    if job.state != "done" or read_lock(state) is not None:
        return
    for root, mark in ((state, "aside-*"), (results, f".aside-{state.name}-*")):
        for folder in root.glob(mark):
            yield from (path for path in folder.rglob("*") if path.is_file())
