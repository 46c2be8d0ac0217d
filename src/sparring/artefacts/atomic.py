"""Writing aside and renaming last."""

import errno
import os
import platform
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import UserError

_REASONS = {
    errno.ENOSPC: "the disk is full; free space and run again, nothing finished is lost",
    errno.EDQUOT: "the disk quota is used up; free space and run again, nothing finished is lost",
    errno.EFBIG: "the file would exceed the allowed size (ulimit -f)",
    errno.EACCES: "no write permission",
    errno.EPERM: "no write permission",
    errno.EROFS: "the file system is read-only",
    errno.ENOTDIR: "part of its path is a file, expected folders",
    errno.EEXIST: "part of its path is a file, expected folders",
    errno.EISDIR: "a folder of that name stands in the way",
}


def _file_mode() -> int:
    """What files of this user are created with; asking means setting it for a moment."""
    mask = os.umask(0o077)
    os.umask(mask)
    return 0o666 & ~mask


_FILE_MODE = _file_mode()


class Superseded(Exception):  # noqa: N818 - not an error: another job does the work
    """This job lost its claim to its outputs, and must not write any more."""


@dataclass
class Claim:
    """The folders in which one job writes aside, by the folder that the finished files go to.

    A job that takes the work over renames these folders away: whatever the old job still does, it
    has nothing left to rename into place.
    """

    folders: dict[Path, Path]
    held: Callable[[], bool] = lambda: True
    """False once the job knows that it has lost the work."""
    published: dict[Path, Path] = field(default_factory=dict)
    """What was renamed into place: the file, and a second link to it beside where it was written,
    for Snakemake may delete the file when a copy of the job starts."""

    def aside(self, path: Path) -> Path | None:
        """Where to write what will be `path`; None outside the claimed folders."""
        path = path.absolute()
        for root, folder in self.folders.items():
            if path.is_relative_to(root):
                return folder / "__".join(path.relative_to(root).parts)
        return None


_claim: Claim | None = None


@contextmanager
def claiming(claim: Claim) -> Iterator[Claim]:
    """Inside, everything is written aside in the claim's folders."""
    global _claim
    _claim = claim
    try:
        yield claim
    finally:
        _claim = None
        for folder in claim.folders.values():
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a path to write to; rename it to `path` when the block succeeds.

    On failure nothing is left of the partial file, and a file that stood there before stays.
    Raises Superseded where the job's claim is lost.
    """
    aside = _claim and _claim.aside(path)
    claimed = aside is not None
    aside = aside or path.with_name(f".{path.name}.{platform.node()}.{os.getpid()}.partial")
    if _claim is not None and not _claim.held():
        raise Superseded(f"{path}: another job has taken over; it is left alone")
    try:
        with explaining(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            yield aside
            aside.chmod(_FILE_MODE)  # some libraries write files that only their owner can read
            _to_disk(aside)
            if _claim is not None:
                _claim.published[path.absolute()] = _second_link(aside) if claimed else path
            os.replace(aside, path)
    except Exception as error:
        if claimed and not aside.parent.is_dir():
            raise Superseded(f"{path}: another job has taken over; it is left alone") from error
        raise
    finally:
        aside.unlink(missing_ok=True) if aside.parent.is_dir() else None


def _second_link(aside: Path) -> Path:
    kept = aside.with_name(f"{aside.name}.kept")
    kept.unlink(missing_ok=True)
    with suppress(OSError):  # no hard links here
        os.link(aside, kept)
    return kept


@contextmanager
def explaining(path: Path) -> Iterator[None]:
    """Turn the operating system's refusals (disk full, no permission) into a UserError."""
    try:
        yield
    except OSError as error:
        reason = _reason(error)
        if reason is None:
            raise
        raise UserError(f"{path}: cannot be written: {reason}") from error


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text, aside first."""
    with replacing(path) as aside:
        aside.write_text(text, encoding="utf-8")


def _reason(error: OSError) -> str | None:
    if error.errno in _REASONS:
        return _REASONS[error.errno]
    # HDF5 reports the cause as text only.
    known = (number for number in _REASONS if f"errno = {number}," in str(error))
    return next((_REASONS[number] for number in known), None)


def _to_disk(path: Path) -> None:
    with open(path, "rb") as file:
        os.fsync(file.fileno())
