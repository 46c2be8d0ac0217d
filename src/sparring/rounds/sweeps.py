"""A sweep's members: the base experiment's keys with every combination of the varied values.

A member is called `{sweep}__{value}__{value}...`, by its values alone: adding a value to a list,
another order of keys or values and another spelling of a number leave the names of the others,
and so their results, as they are. In order of the keys each contributes

    text        the text, every run of other characters than letters and digits as one `_`
    a number    the key's last part, `_`, the number with `p` for `.` and `m` for `-`: weight_0p05
    true, null  the key's last part, `_`, `true`, `false` or `none`
    a list      the key's last part and its items, joined by `_`: timesteps_0_0p2

Where two keys end alike their full path stands for the last part.
"""

import re
from collections.abc import Iterator
from copy import deepcopy
from itertools import product
from math import prod
from typing import Any

from ..errors import UserError
from ..settings.experiment import Experiment, ExperimentUnion, SweepExperiment
from ..settings.reading import validate

SEPARATOR = "__"
MAX_MEMBERS = 200
_MAX_NAME = 200  # most file systems refuse names above 255 bytes
_FIXED = ("kind",)


def expand(
    name: str, sweep: SweepExperiment, base: dict[str, Any], file: str
) -> dict[str, Experiment]:
    """Members by name; `base` is the mapping in the base experiment's file, `file` the sweep's.

    UserError for keys that the base's kind does not have, values that it refuses, too many
    members, and members that would have one name.
    """
    keys = sorted(sweep.vary)
    _check_count(sweep, keys, file)
    members: dict[str, Experiment] = {}
    for values in _combinations(sweep, keys):
        given = dict(zip(keys, values, strict=True))
        member = SEPARATOR.join([name, *(_label(key, keys, given[key], file) for key in keys)])
        if len(member) > _MAX_NAME:
            raise UserError(
                f"{file}: member {member} has a name of {len(member)} characters, expected at most "
                f"{_MAX_NAME}; vary fewer keys or give files shorter names"
            )
        if member in members:
            raise UserError(
                f"{file}: vary gives two members the name {member!r}; list every value once, and "
                "texts that differ in letters or digits"
            )
        members[member] = validate(_merged(base, given, file), ExperimentUnion, f"{file}: {member}")
    return members


def _check_count(sweep: SweepExperiment, keys: list[str], file: str) -> None:
    lengths = {key: len(sweep.vary[key]) for key in keys}
    if sweep.zip and len(set(lengths.values())) > 1:
        shown = ", ".join(f"{key} has {length}" for key, length in lengths.items())
        raise UserError(
            f"{file}: zip takes values together, but {shown}; list as many for every key, or set "
            "zip: false for all combinations"
        )
    count = next(iter(lengths.values())) if sweep.zip else prod(lengths.values())
    if count > MAX_MEMBERS:
        raise UserError(
            f"{file}: vary makes {count} members, expected at most {MAX_MEMBERS}; list fewer "
            "values, or make several sweeps"
        )


def _combinations(sweep: SweepExperiment, keys: list[str]) -> Iterator[tuple[Any, ...]]:
    values = [[_whole(item) for item in sweep.vary[key]] for key in keys]
    return zip(*values, strict=True) if sweep.zip else product(*values)


def _merged(base: dict[str, Any], given: dict[str, Any], file: str) -> dict[str, Any]:
    """A copy of the base's keys with the given values at their dotted keys."""
    merged = deepcopy(base)
    for path, value in given.items():
        *groups, last = path.split(".")
        if path in _FIXED:
            raise UserError(f"{file}: vary: {path!r} is the base's; make a sweep for each kind")
        target = merged
        for group in groups:
            target = target.setdefault(group, {})
            if not isinstance(target, dict):
                raise UserError(
                    f"{file}: vary: {path!r} goes through {group!r}, which is no group of keys but "
                    f"{target!r} in the base"
                )
        target[last] = value
    return merged


def _label(key: str, keys: list[str], value: Any, file: str) -> str:
    """What a key's value contributes to the name of a member."""
    if isinstance(value, str):
        text = re.sub(r"[^A-Za-z0-9]+", "_", value).strip("_")
        if text:
            return text
    last = key.rpartition(".")[2]
    shared = [other.rpartition(".")[2] for other in keys].count(last) > 1
    items = value if isinstance(value, list) else [value]
    spelt = [_spelt(key, item, file) for item in items]
    return "_".join([key.replace(".", "_") if shared else last, *spelt])


def _spelt(key: str, value: Any, file: str) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if value is None:
        return "none"
    if isinstance(value, int | float):
        digits = re.sub(r"e([-+]?)0*", r"e\1", repr(value)).replace("+", "")
        return digits.replace(".", "p").replace("-", "m")
    if isinstance(value, str) and re.fullmatch(r"[A-Za-z0-9_]+", value):
        return value
    raise UserError(
        f"{file}: vary: {key} lists {value!r}, expected numbers, texts, true or false, null, or "
        "lists of them; a group's keys are varied one by one, as in denoiser.preset"
    )


def _whole(value: Any) -> Any:
    """5.0 is 5, as everywhere in settings."""
    if isinstance(value, list):
        return [_whole(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
