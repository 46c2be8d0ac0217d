"""The files under config/experiments: one experiment each, or a sweep of many."""

from pathlib import Path
from typing import Any

from ..errors import UserError
from ..settings.config import RESERVED_NAMES
from ..settings.experiment import Experiment, ExperimentFile, ExperimentUnion, SweepExperiment
from ..settings.reading import read_yaml, validate
from .sweeps import SEPARATOR, expand

_SHOWN = 10  # members that a message lists


class ExperimentFiles:
    """Finds experiments by name; each file is read once."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._contents: dict[str, dict[str, Any]] = {}
        self._members: dict[str, dict[str, Experiment]] = {}

    def __contains__(self, name: str) -> bool:
        """Whether there is a file, or a sweep's, of that name."""
        return self._path(name).is_file() or self._sweep_of(name) is not None

    def describe(self, name: str) -> str:
        """The file that an experiment was read from; of a sweep's member also its name."""
        sweep = self._sweep_of(name)
        return f"{self._path(sweep)}: {name}" if sweep else str(self._path(name))

    def members(self, name: str) -> list[str]:
        """The experiments that a name stands for: a sweep's members, otherwise itself."""
        return list(self._expanded(name)) if self._is_sweep(name) else [name]

    def read(self, name: str, wanted_by: str) -> Experiment:
        """One experiment. UserError, beginning with `wanted_by`, where there is none."""
        if name in RESERVED_NAMES:
            raise UserError(f"{wanted_by}: {name!r} is a folder of results, not a free name")
        if self._is_sweep(name):
            raise UserError(
                f"{wanted_by}: {name!r} is a sweep, expected one experiment; choose a member: "
                f"{self._shown(name)}"
            )
        sweep = self._sweep_of(name)
        if sweep is None:
            return validate(self._content(name, wanted_by), ExperimentFile, str(self._path(name)))
        if self._path(name).is_file():
            raise UserError(
                f"{self._path(name)}: {sweep} is a sweep, so {name!r} could be its member; rename "
                "this file"
            )
        if name not in self._expanded(sweep):
            raise UserError(
                f"{wanted_by}: sweep {sweep} has no member {name!r}; it has {self._shown(sweep)}"
            )
        return self._expanded(sweep)[name]

    def varied(self, name: str) -> list[str]:
        """The keys in which a sweep's members differ, for one of them; [] for others."""
        sweep = self._sweep_of(name)
        return sorted(self._content(sweep, "").get("vary", {})) if sweep else []

    def _is_sweep(self, name: str) -> bool:
        if name not in self._contents and (
            name in RESERVED_NAMES or not self._path(name).is_file()
        ):
            return False
        return self._content(name, "").get("kind") == "sweep"

    def _sweep_of(self, name: str) -> str | None:
        sweep, separator, _ = name.partition(SEPARATOR)
        return sweep if separator and self._is_sweep(sweep) else None

    def _expanded(self, name: str) -> dict[str, Experiment]:
        if name not in self._members:
            path = str(self._path(name))
            sweep = validate(self._content(name, path), ExperimentFile, path)
            assert isinstance(sweep, SweepExperiment)
            if SEPARATOR in name:
                raise UserError(
                    f"{path}: a sweep's name may not hold {SEPARATOR!r}, which parts it from its "
                    "members' values; rename the file"
                )
            if self._is_sweep(sweep.base):
                raise UserError(
                    f"{path}: base is {sweep.base!r}, a sweep itself; name an experiment and list "
                    "all keys under vary"
                )
            base = self._content(sweep.base, f"{path}: base")
            validate(base, ExperimentUnion, str(self._path(sweep.base)))
            self._members[name] = expand(name, sweep, base, path)
        return self._members[name]

    def _content(self, name: str, wanted_by: str) -> dict[str, Any]:
        path = self._path(name)
        if name not in self._contents:
            if not path.is_file():
                found = sorted(p.stem for p in path.parent.glob("*.yaml"))
                raise UserError(
                    f"{wanted_by}: no experiment {name!r} ({path} is missing); there are "
                    f"{', '.join(found) or 'none'}"
                )
            self._contents[name] = read_yaml(path)
        return self._contents[name]

    def _path(self, name: str) -> Path:
        return self.directory / f"{name}.yaml"

    def _shown(self, sweep: str) -> str:
        names = list(self._expanded(sweep))
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        return ", ".join(names[:_SHOWN]) + more
