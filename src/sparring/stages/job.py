"""What every job shares: its frozen settings, lock, log, record, errors and exit status."""

import argparse
import json
import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from .. import lean_imports
from ..artefacts.atomic import Claim, Superseded, claiming, explaining, write_text
from ..artefacts.attempts import Attempt
from ..artefacts.finished import Finished
from ..artefacts.lock import Lock, claim_folders
from ..artefacts.processes import scheduler_job
from ..artefacts.state_files import clear_progress
from ..devices import claim_gpus
from ..distributed import ALONE, Group, is_child, processes
from ..errors import UserError
from ..interrupts import EXIT_STATUS, InterruptedRun, Interrupts, interruptible
from ..settings.stage_settings import StageSettings
from ..training.tracking import Tracker, Untracked, open_tracker
from .by_hand import content_by_hand, settings_by_hand
from .parser import StageParser, is_by_hand

if TYPE_CHECKING:
    from ..compute import Compute
    from ..training.loop import Stage as TrainingStage
    from ..training.loop import Trained
    from ..training.state import PartsState, ResumeState

S = TypeVar("S", bound=StageSettings)
logger = logging.getLogger("sparring")

_CONTENT = {
    "name", "settings", "device", "precision", "checkpoint_minutes", "wall_time_margin_minutes",
    "lock_timeout_seconds", "record", "log",
}  # fmt: skip


@dataclass(frozen=True)
class Job(Generic[S]):
    """One run of one stage."""

    settings: S
    file: Path
    content: dict[str, Any]
    threads: int = 1
    digest: str = ""
    """Of the settings, the content of the input files and the names of the outputs."""
    lock: Lock | None = None
    group: Group = ALONE
    tracker: Tracker = field(default_factory=Untracked)

    def compute(self) -> "Compute":
        """The device that the settings ask for; refused where torch does not see it."""
        from ..compute import prepare

        device, precision = self.content["device"], self.content["precision"]
        if device == "cuda" and self.group.count == 1:
            claim_gpus(1)
        execution = self.content.get("execution", "eager")
        compute = prepare(device, precision, self.threads, self.group, execution)
        logger.info("computing on %s", compute.description)
        return compute

    @property
    def checkpoint_minutes(self) -> float:
        """Minutes between saves of the state."""
        return float(self.content["checkpoint_minutes"])

    def resume_state(self) -> "ResumeState":
        """The state of a training stage; it belongs to this digest and to no other."""
        from ..training.state import ResumeState

        return ResumeState(self.file.parent, self.digest)

    def train(self, stage: "TrainingStage") -> "Trained":
        """Run a training to its end, from its saved state if there is one."""
        from ..training.loop import Loop

        return Loop(
            stage, self.resume_state(), self.checkpoint_minutes, self.note, self.tracker
        ).run()

    def parts_state(self) -> "PartsState":
        """The finished parts of a stage that makes one after another."""
        from ..training.state import PartsState

        return PartsState(self.file.parent, self.digest)

    def note(self, note: dict[str, Any]) -> None:
        """Say how far the work is, for those who look from outside."""
        if self.lock is not None:
            self.lock.note(note)


Stage = Callable[[Job[S], argparse.Namespace], None]


def run_job(kind: type[S], parser: StageParser, stage: Stage[S]) -> None:
    """Run a stage program: exit status 0, 2 for a user error, 75 when asked to stop half-way."""
    args = parser.read(kind)
    # Before numpy or torch is imported, or they start with as many threads as there are cores.
    for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[variable] = str(args.threads)
    lean_imports.install()
    try:
        with interruptible() as interrupts:
            _run(kind, parser, args, stage, interrupts)
    except UserError as error:
        _fail(str(error), 2)
    except (InterruptedRun, Superseded) as error:
        _fail(str(error), EXIT_STATUS)
    except Exception:
        logger.exception("failed")
        raise


def _run(
    kind: type[S],
    parser: StageParser,
    args: argparse.Namespace,
    stage: Stage[S],
    interrupts: Interrupts,
) -> None:
    by_hand = is_by_hand(args)
    if by_hand:
        settings = settings_by_hand(kind, parser, args)
        content = content_by_hand(settings, parser, args)
    else:
        content = _read_content(args.job)
        settings = kind.from_json(json.dumps(content["settings"]), str(args.job))
    if is_child():  # of the process that does what follows, and alone writes
        _compute(Job(settings, args.job, content, args.threads), args, stage)
        return
    _log_to(Path(content["log"]), content["name"])
    if by_hand:
        write_text(args.job, json.dumps(content, indent=2, sort_keys=True) + "\n")
    _stop_before_wall_time(interrupts, args.runtime, content["wall_time_margin_minutes"])
    digest = parser.work_digest(settings, args)
    lock = Lock(args.job.parent, digest, content["lock_timeout_seconds"])
    dead = lock.acquire(interrupts.check)
    attempt = Attempt(Path(content["log"]), content["device"], args.processes, digest)
    if dead is not None:
        logger.info("taking over from %s, which is dead", dead.process.description)
        attempt.record_death(dead)
    results = Path(content["record"]).parent.parent
    with (
        lock.beating(interrupts.request),
        attempt,
        claiming(claim_folders(lock, args.job.parent, results)) as claim,
    ):
        job = Job(settings, args.job, content, args.threads, digest, lock)
        attempt.outcome = _work(job, args, stage, claim)


def _compute(job: Job[S], args: argparse.Namespace, stage: Stage[S]) -> None:
    """Run the stage, in several processes where it trains on several GPUs."""
    device = job.content["device"]
    if device == "cuda" and args.processes > 1 and not is_child():
        claim_gpus(args.processes)
    with processes(args.processes, device) as group, _tracking(job, group) as tracker:
        digest = group.from_main(job.digest)
        stage(replace(job, digest=digest, group=group, tracker=tracker), args)


@contextmanager
def _tracking(job: Job[Any], group: Group) -> Iterator[Tracker]:
    """The tracker that config.yaml names; of several processes only the main one has it."""
    kind = job.content.get("tracker", "none") if group.is_main else "none"
    with closing(open_tracker(kind, Path(job.content["log"]))) as tracker:
        yield tracker


def _work(job: Job[S], args: argparse.Namespace, stage: Stage[S], claim: Claim) -> str:
    """Do the work, unless it is already done; returns how the attempt ended."""
    finished = Finished(job.file.parent)
    if finished.restore(job.digest):
        logger.info("finished before with these settings and inputs: outputs are in place")
        clear_progress(job.file.parent)
        return "already finished"
    _compute(job, args, stage)
    _write_record(job)
    state = job.file.parent.absolute()
    outputs = {p: kept for p, kept in claim.published.items() if not p.is_relative_to(state)}
    finished.keep(job.digest, outputs)
    clear_progress(job.file.parent)
    return "finished"


def _stop_before_wall_time(
    interrupts: Interrupts, runtime: float | None, margin_minutes: float
) -> None:
    """Only where a scheduler enforces the wall time."""
    if runtime is None or not scheduler_job():
        return
    seconds = 60 * (runtime - margin_minutes)
    interrupts.stop_after(seconds, f"the wall time of {runtime:g} min is near")


def _read_content(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(
            f"{path}: not a readable job file ({error}); snakemake writes it when a run begins; "
            "leave --job out to give settings by hand, as the commands of `snakemake -n -p` do"
        ) from error
    missing = _CONTENT - set(content if isinstance(content, dict) else ())
    if missing:
        raise UserError(
            f"{path}: not a job file, it has no {', '.join(sorted(missing))}; snakemake writes it "
            "when a run begins"
        )
    return content


def _log_to(path: Path, name: str) -> None:
    with explaining(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        to_file = logging.FileHandler(path)
    to_file.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%Y-%m-%d %H:%M:%S"))
    to_stderr = logging.StreamHandler(sys.stderr)
    to_stderr.setFormatter(logging.Formatter(f"[{name}] %(message)s"))
    root = logging.getLogger()
    root.setLevel(logging.WARNING)
    logging.getLogger("sparring").setLevel(logging.INFO)
    root.handlers = [to_file, to_stderr]


def _write_record(job: Job[Any]) -> None:
    """The settings beside the results, with the versions that made them."""
    from importlib.metadata import version

    record = {
        "settings": job.content["settings"],
        "device": job.content["device"],
        "precision": job.content["precision"],
        "threads": job.threads,
        "versions": {name: version(name) for name in ("sparring", "torch", "diffusers")},
    }
    write_text(Path(job.content["record"]), json.dumps(record, indent=2, sort_keys=True) + "\n")


def _fail(message: str, status: int) -> None:
    """One line, no traceback."""
    if logging.getLogger().handlers:
        logger.error(message)
    else:
        print(message, file=sys.stderr)
    sys.exit(status)
