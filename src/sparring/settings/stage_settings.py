"""What the settings of all stages share: they are written as canonical JSON.

The JSON is what Snakemake records as the job's parameters, so it decides what is planned again.
Values equal to their default are left out; `revision` is raised by hand when a stage's results
change meaning.
"""

import json
from pathlib import Path
from typing import ClassVar, Self

from ..errors import UserError
from .base import Settings, canonical_json
from .reading import validate


class StageSettings(Settings):
    """Base of all stages."""

    stage: ClassVar[str]
    revision: ClassVar[int] = 1
    elsewhere: ClassVar[tuple[str, ...]] = ()
    """Keys that the stage does not read: an input file or another stage decides them."""

    def to_json(self) -> str:
        """Canonical JSON: stage, revision and every value that differs from its default."""
        return canonical_json({"stage": self.stage, "revision": self.revision, **self.changed()})

    def files(self) -> list[Path]:
        """Files and directories that the settings themselves name, which the stage reads."""
        return []

    @classmethod
    def from_json(cls, text: str, source: str) -> Self:
        """Read what `to_json` wrote; refuse the settings of another stage or revision."""
        try:
            values = json.loads(text)
        except json.JSONDecodeError as error:
            raise UserError(f"{source}: settings are not valid JSON ({error})") from error
        if not isinstance(values, dict):
            raise UserError(f"{source}: settings are {text[:60]}, expected keys and values")
        found = values.pop("stage", None), values.pop("revision", None)
        if found != (cls.stage, cls.revision):
            raise UserError(
                f"{source}: settings are for stage {found[0]!r} revision {found[1]}, expected "
                f"{cls.stage!r} revision {cls.revision}; let snakemake write them again"
            )
        return validate(values, cls, f"{source}: settings")
