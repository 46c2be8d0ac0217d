"""What every job shares: its frozen settings, log, record, errors and exit status."""

import argparse
import json
import logging
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from ..artefacts.atomic import explaining, write_text
from ..artefacts.digests import file_digest, text_digest
from ..errors import UserError
from ..settings.stages import StageSettings
from ..training.interrupts import EXIT_STATUS, InterruptedRun

if TYPE_CHECKING:
    from ..compute import Compute
    from ..training.state import ResumeState

S = TypeVar("S", bound=StageSettings)
logger = logging.getLogger("sparring")

_CONTENT = {"name", "settings", "device", "precision", "checkpoint_minutes", "record", "log"}


@dataclass(frozen=True)
class Job(Generic[S]):
    """One run of one stage."""

    settings: S
    file: Path
    content: dict[str, Any]
    threads: int

    def compute(self) -> "Compute":
        """The device that the settings ask for; refused where torch does not see it."""
        from ..compute import prepare

        compute = prepare(self.content["device"], self.content["precision"], self.threads)
        logger.info("computing on %s", compute.description)
        return compute

    @property
    def checkpoint_minutes(self) -> float:
        """Minutes between saves of the state."""
        return float(self.content["checkpoint_minutes"])

    def resume_state(self, *inputs: Path) -> "ResumeState":
        """State that belongs to these settings and input files, and to no others."""
        from ..training.state import ResumeState

        digests = [file_digest(path) for path in inputs]
        digest = text_digest(self.settings.to_json() + "".join(digests))
        return ResumeState(self.file.parent, digest)


def job_parser(description: str | None) -> argparse.ArgumentParser:
    """A parser with the options that every stage program has."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--job",
        type=Path,
        required=True,
        help="job.json with the stage's settings, device and precision, as the workflow writes it",
    )
    parser.add_argument("--threads", type=int, default=1, help="CPU threads (default: 1)")
    return parser


def run_job(
    kind: type[S],
    parser: argparse.ArgumentParser,
    stage: Callable[[Job[S], argparse.Namespace], None],
) -> None:
    """Run a stage program: exit status 0, 2 for a user error, 75 when asked to stop half-way."""
    args = parser.parse_args()
    # Before numpy or torch is imported, or they start with as many threads as there are cores.
    for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[variable] = str(args.threads)
    try:
        job = _read_job(kind, args.job, args.threads)
        _log_to(Path(job.content["log"]), job.content["name"])
        stage(job, args)
        _write_record(job)
    except UserError as error:
        _fail(str(error), 2)
    except InterruptedRun as error:
        _fail(str(error), EXIT_STATUS)
    except Exception:
        logger.exception("failed")
        raise


def _read_job(kind: type[S], path: Path, threads: int) -> Job[S]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(
            f"{path}: not a readable job file ({error}); snakemake writes it when a run begins"
        ) from error
    missing = _CONTENT - set(content if isinstance(content, dict) else ())
    if missing:
        raise UserError(
            f"{path}: not a job file, it has no {', '.join(sorted(missing))}; snakemake writes it "
            "when a run begins"
        )
    settings = json.dumps(content["settings"])
    return Job(kind.from_json(settings, str(path)), path, content, threads)


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
