"""`start_from` and its like: an experiment, one of its iterations, or a model directory."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from ..errors import UserError
from ..settings.config import NAME
from ..settings.vqgan_experiment import Phase


@dataclass(frozen=True)
class Reference:
    """Either `directory`, or `experiment` with an optional `iteration` or `selected`."""

    text: str
    directory: Path | None = None
    experiment: str | None = None
    iteration: int | None = None
    selected: bool = False


def parse_reference(text: str, source: str, key: str) -> Reference:
    """Read `name`, `name@2`, `name@selected` or a path, which has a `/` or is a folder."""
    name, _, which = text.partition("@")
    if re.match(NAME, name):
        if not which and "@" not in text:
            return Reference(text, experiment=name)
        if which == "selected":
            return Reference(text, experiment=name, selected=True)
        if re.fullmatch(r"0|[1-9]\d*", which):
            return Reference(text, experiment=name, iteration=int(which))
    if "/" in text:
        return Reference(text, directory=Path(text))
    raise UserError(
        f"{source}: {key} is {text!r}, expected an experiment (name, name@2, name@selected) or a "
        "model directory (a path with a /)"
    )


def parse_vqgan_reference(
    text: str, source: str, key: str = "start_from"
) -> tuple[str, Phase | None] | str:
    """(experiment, phase or None for its last) of `name` or `name@phase`; else a directory."""
    name, at, phase = text.partition("@")
    if re.match(NAME, name) and (not at or phase in get_args(Phase)):
        return name, phase or None  # type: ignore[return-value]
    if "/" in text:
        return text
    raise UserError(
        f"{source}: {key} is {text!r}, expected an experiment of kind vqgan (name, "
        "name@reconstruction, name@adversarial, name@control) or a model directory (a path with "
        "a /)"
    )
