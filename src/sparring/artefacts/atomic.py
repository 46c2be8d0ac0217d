"""Writing aside and renaming last."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
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


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a path beside `path` to write to; rename it to `path` when the block succeeds.

    On failure nothing is left of the partial file, and a file that stood there before stays.
    """
    aside = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with explaining(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            yield aside
            _to_disk(aside)
            os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True) if path.parent.is_dir() else None


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
