"""What an interrupted stage resumes from. Lies outside the outputs and is deleted on success."""

import logging
import zipfile
from pathlib import Path
from typing import Any

import torch

from ..artefacts.atomic import replacing

logger = logging.getLogger(__name__)


class ResumeState:
    """A checkpoint that belongs to one digest of settings and inputs; others are discarded."""

    def __init__(self, directory: Path, digest: str) -> None:
        self.path = directory / "checkpoint.pt"
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
            logger.info("%s belongs to other settings or inputs: starting over", self.path)
            return None
        return state

    def save(self, state: dict[str, Any]) -> None:
        """Replace the saved state."""
        with replacing(self.path) as aside:
            torch.save({"digest": self._digest, "state": state}, aside)

    def clear(self) -> None:
        """Forget: the outputs are written."""
        self.path.unlink(missing_ok=True)


def _require_intact(path: Path) -> None:
    """Compare every record with its checksum, which torch writes but does not read."""
    with zipfile.ZipFile(path) as archive:
        damaged = archive.testzip()
    if damaged is not None:
        raise zipfile.BadZipFile(f"wrong checksum of {damaged}")
