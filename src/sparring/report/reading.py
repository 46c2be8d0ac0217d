"""Reading whatever is there: a damaged file is named, and the rest is shown."""

from pathlib import Path
from typing import Any

from ..errors import UserError


class Reading:
    """Reads what is there; of what is damaged it keeps the message and goes on."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def __call__(self, path: Path, read: Any) -> Any:
        """What `read` makes of the file; None where there is none or it is damaged."""
        return self.trying(lambda: read(path)) if path.is_file() else None

    def trying(self, read: Any) -> Any:
        """The same of any reading."""
        try:
            return read()
        except UserError as error:
            self.notes.append(str(error))
        except OSError as error:
            self.notes.append(f"{error.filename}: cannot be read ({error.strerror or error})")
        return None
