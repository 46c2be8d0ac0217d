"""What a finished stage made, kept by hard links, so that finished work is never done again.

Snakemake deletes a job's outputs before it starts the job again: when it was killed and did not
see the job end, when a copy of the job starts, when a failed copy ends. The links keep the content
at no cost in space until the stage does other work.
"""

import json
import logging
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from .atomic import replacing, write_text
from .digests import file_digest
from .state_files import FINISHED, LINKS

logger = logging.getLogger(__name__)


class Finished:
    """The record of a stage's last finished work, in its state directory."""

    def __init__(self, directory: Path) -> None:
        self._record, self._links = directory / FINISHED, directory / LINKS

    def restore(self, digest: str) -> bool:
        """Put the outputs of this very work (settings and inputs) in place; False if not kept.

        Those of other work stay until this one is finished: an edit may be taken back.
        """
        record = self._read()
        if record.get("digest") != digest:
            return False
        missing = {p: d for p, d in record["outputs"].items() if not _holds(Path(p), d)}
        if not all(_holds(self._links / content, content) for content in missing.values()):
            self.forget()
            return False
        for path, content in missing.items():
            with replacing(Path(path)) as aside:
                _link_or_copy(self._links / content, aside)
            os.utime(path)
        return True

    def keep(self, digest: str, published: Mapping[Path, Path]) -> None:
        """Remember that these files are the whole outcome of this work.

        `published` names for each file a second link to its content, as a Claim does, for the file
        itself may have been deleted meanwhile; then it is put back.
        """
        sources = {path: kept if kept.exists() else path for path, kept in published.items()}
        contents = {os.path.relpath(path): file_digest(s) for path, s in sources.items()}
        self._links.mkdir(parents=True, exist_ok=True)
        for source, content in zip(sources.values(), contents.values(), strict=True):
            try:
                os.link(source, self._links / content)
            except FileExistsError:
                continue
            except OSError as error:  # another file system, or one without hard links
                logger.info("%s: not kept by a hard link (%s)", source, error.strerror)
        write_text(self._record, json.dumps({"digest": digest, "outputs": contents}, indent=1))
        for link in self._links.iterdir():
            if link.name not in contents.values():
                link.unlink()
        if not all(path.exists() for path in published):
            self.restore(digest)

    def forget(self) -> None:
        """The work is to be done again."""
        self._record.unlink(missing_ok=True)
        shutil.rmtree(self._links, ignore_errors=True)

    @property
    def outputs(self) -> list[Path]:
        """The files of the last finished work; empty where there is none."""
        return [Path(path) for path in self.contents]

    @property
    def contents(self) -> dict[str, str]:
        """Digests of these files, by path as the stage named it."""
        return dict(self._read().get("outputs", {}))

    def _read(self) -> dict:
        try:
            record = json.loads(self._record.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        intact = isinstance(record, dict) and isinstance(record.get("outputs"), dict)
        return record if intact else {}


def _holds(path: Path, content: str) -> bool:
    return path.is_file() and file_digest(path) == content


def _link_or_copy(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # the results were moved to another file system since
        shutil.copyfile(source, target)
