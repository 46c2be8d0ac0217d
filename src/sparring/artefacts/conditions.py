"""Conditions: the names that a class-conditional model is told, and the one of each row.

Files of rows hold a name (layouts) or its number (latents) in the column `condition`; files of
latents list all names, so that a draw of few rows still says how many there are.
"""

import json
import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import UserError

COLUMN = ATTRIBUTE = "condition"
MAX_CONDITIONS = 1000


def condition_names(conditions: Sequence[str], splits: Sequence[str], source: str) -> list[str]:
    """The distinct conditions in natural order (2 before 10); [] where rows have none.

    Raises UserError, naming `source`, for rows without one, for a single condition, for too many,
    and for one that no row of split `train` has: its embedding would never be trained.
    """
    names = sorted(set(conditions), key=_natural)
    if names in ([], [""]):
        return []
    if "" in names:
        count = sum(not value for value in conditions)
        raise UserError(f"{source}: {count} rows have no condition; fill all cells of the column")
    if not 2 <= len(names) <= MAX_CONDITIONS:
        raise UserError(
            f"{source}: found {len(names)} different conditions, such as {names[0]!r}, expected 2 "
            f"to {MAX_CONDITIONS}; name a column that tells layouts apart, or leave condition out"
        )
    trained = {name for name, split in zip(conditions, splits, strict=True) if split == "train"}
    for name in names:
        if name not in trained:
            raise UserError(
                f"{source}: condition {name!r} has no row in split train, so that no model can "
                "learn it; join it with another, or split the rows otherwise"
            )
    return names


def numbered(conditions: Sequence[str], names: Sequence[str]) -> np.ndarray:
    """The place of each row's condition among the names, int64 `[N]`."""
    place = {name: number for number, name in enumerate(names)}
    return np.array([place[name] for name in conditions], dtype=np.int64)


def conditions_attribute(names: Sequence[str]) -> dict[str, str]:
    """What a latents file says of its conditions; nothing where there are none."""
    return {ATTRIBUTE: json.dumps(list(names))} if names else {}


def names_in(attributes: dict[str, Any]) -> list[str]:
    """The names that `conditions_attribute` wrote."""
    return json.loads(attributes.get(ATTRIBUTE, "[]"))


def _natural(name: str) -> list[tuple[int, str]]:
    """`10 rooms` after `2 rooms`."""
    parts = re.split(r"(\d+)", name)
    return [(int(part), "") if part.isdigit() else (-1, part) for part in parts]
