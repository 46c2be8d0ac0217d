"""What the classes of layouts stand for: walls, doors, the outside; the rest is room."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

ROLES = ("wall", "door", "outside", "room")
"""What an entry of classes.json may name as its `role`."""

# In this order: a door_opening is a door, an exterior_wall a wall. No word stands for rooms, and
# an entrance is one: where it is drawn as an area, it is the hall behind the door.
_WORDS = {
    "door": {"door", "doors", "doorway", "doorways", "opening", "openings", "gate", "gates"},
    "wall": {"wall", "walls", "window", "windows"},
    "outside": {"background", "outside", "exterior", "outdoor", "outdoors"},
}


@dataclass(frozen=True)
class Roles:
    """Which class ids are walls (windows too), doors and outside, bool `[K]` each."""

    wall: np.ndarray
    door: np.ndarray
    outside: np.ndarray

    @classmethod
    def of(cls, classes: Sequence[dict[str, Any]]) -> "Roles":
        """From the entries of a classes.json; ids that no entry names are rooms."""
        found = {name: np.zeros(1 + max(c["id"] for c in classes), dtype=bool) for name in ROLES}
        for entry in classes:
            found[role_of(entry)][entry["id"]] = True
        return cls(found["wall"], found["door"], found["outside"])


def role_of(entry: dict[str, Any]) -> str:
    """The `role` that an entry of classes.json names, or else the one that its name says.

    Names are compared word by word, whatever their case: `door_opening` and `DoorOpening` are two
    words each.
    """
    if "role" in entry:
        return str(entry["role"])
    words = {word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", entry["name"])}
    return next((role for role, names in _WORDS.items() if words & names), "room")
