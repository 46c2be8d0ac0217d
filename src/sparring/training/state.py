"""What an interrupted stage resumes from. Lies outside the outputs and is deleted on success."""

import io
import logging
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..artefacts.atomic import replacing
from ..artefacts.digests import bytes_digest
from ..artefacts.state_files import CHECKPOINT, PARTS
from ..errors import UserError

logger = logging.getLogger(__name__)


class ResumeState:
    """A checkpoint that belongs to one digest of settings and inputs; others are discarded."""

    def __init__(self, directory: Path, digest: str) -> None:
        self.path = directory / CHECKPOINT
        self._digest = digest

    def load(self) -> dict[str, Any] | None:
        """The saved state, or None where there is none that fits."""
        if not self.path.is_file():
            return None
        try:
            _require_intact(self.path)
            saved = torch.load(self.path, map_location="cpu", weights_only=True)
            digest, state = saved["digest"], saved["state"]
        except Exception as error:  # what a damaged file raises depends on where the damage is
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            logger.warning("%s is damaged (%s): starting over", self.path, reason)
            return None
        if digest != self._digest:
            logger.info(
                "%s belongs to other settings, inputs or another revision of the stage: "
                "starting over",
                self.path,
            )
            return None
        return state

    def save(self, state: dict[str, Any]) -> None:
        """Replace the saved state."""
        with replacing(self.path) as aside:
            torch.save({"digest": self._digest, "state": state}, aside)


class PartsState:
    """Arrays that a stage makes one after another, such as batches of samples; each is kept."""

    def __init__(self, directory: Path, digest: str) -> None:
        self.directory = directory / PARTS
        self._digest = digest

    def load(self, part: int) -> np.ndarray | None:
        """Part number `part`, or None where it is missing, damaged or of other settings."""
        path = self._path(part)
        try:
            header, _, content = path.read_bytes().partition(b"\n")
        except FileNotFoundError:
            return None
        except OSError as error:
            logger.warning("%s cannot be read (%s): made again", path, error.strerror)
            return None
        if not header.startswith(self._digest.encode()):
            return None
        if header != self._header(content):
            logger.warning("%s is damaged: made again", path)
            return None
        return np.load(io.BytesIO(content), allow_pickle=False)

    def read(self, part: int) -> np.ndarray:
        """Part number `part`, which was saved; UserError if the disk lost it since."""
        array = self.load(part)
        if array is None:
            raise UserError(f"{self._path(part)}: damaged or missing since; run again to make it")
        return array

    def save(self, part: int, array: np.ndarray) -> None:
        """Keep part number `part`."""
        content = io.BytesIO()
        np.save(content, array, allow_pickle=False)
        with replacing(self._path(part)) as aside:
            aside.write_bytes(self._header(content.getvalue()) + b"\n" + content.getvalue())

    def _path(self, part: int) -> Path:
        return self.directory / f"{part:06d}.npy"

    def _header(self, content: bytes) -> bytes:
        """What the part belongs to and holds, so that damage is seen before it is parsed."""
        return f"{self._digest} {bytes_digest(content)}".encode()


def _require_intact(path: Path) -> None:
    """Compare every record with its checksum, which torch writes but does not read."""
    with zipfile.ZipFile(path) as archive:
        damaged = archive.testzip()
    if damaged is not None:
        raise zipfile.BadZipFile(f"wrong checksum of {damaged}")
