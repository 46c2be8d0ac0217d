"""Vocabulary of the procedural layouts: classes, lengths, rooms and random draws.

Coordinates are integer pixels, ``x`` to the right and ``y`` downwards. A room's edges are the
positions where its walls *start*, so two rooms that share an edge share one wall line and the clear
floor of a room runs from ``edge + wall`` to the opposite edge.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

import numpy as np

T = TypeVar("T")


@dataclass(frozen=True)
class LayoutClass:
    """One semantic class of a layout: its pixel value, its name and its display colour."""

    id: int
    name: str
    rgb: tuple[int, int, int]


CLASSES: tuple[LayoutClass, ...] = tuple(
    LayoutClass(id, name, rgb)
    for id, (name, rgb) in enumerate(
        (
            ("background", (222, 226, 232)),
            ("wall", (45, 45, 45)),
            ("window", (90, 215, 250)),
            ("door", (255, 255, 255)),
            ("hall", (255, 200, 185)),
            ("living_room", (255, 215, 50)),
            ("kitchen", (250, 145, 95)),
            ("bedroom", (140, 160, 205)),
            ("bathroom", (105, 195, 165)),
            ("wc", (165, 225, 215)),
            ("storage", (195, 165, 215)),
            ("balcony", (170, 220, 125)),
            ("bed", (50, 70, 150)),
            ("cabinet", (110, 60, 160)),
            ("sofa", (225, 110, 175)),
            ("table", (185, 150, 30)),
            ("counter", (225, 30, 30)),
            ("sanitary", (0, 105, 75)),
        )
    )
)

(
    BACKGROUND,
    WALL,
    WINDOW,
    DOOR,
    HALL,
    LIVING_ROOM,
    KITCHEN,
    BEDROOM,
    BATHROOM,
    WC,
    STORAGE,
    BALCONY,
    BED,
    CABINET,
    SOFA,
    TABLE,
    COUNTER,
    SANITARY,
) = range(len(CLASSES))


class Box(NamedTuple):
    """Half-open pixel rectangle ``[y0, y1) x [x0, x1)``."""

    x0: int
    y0: int
    x1: int
    y1: int

    def overlaps(self, other: Box, gap: int = 0) -> bool:
        """Whether the two boxes share a pixel once this one is grown by ``gap`` on every side."""
        return (
            self.x0 - gap < other.x1
            and other.x0 < self.x1 + gap
            and self.y0 - gap < other.y1
            and other.y0 < self.y1 + gap
        )


class Segment(NamedTuple):
    """Stretch ``[lo, hi)`` of the wall line that starts at ``line``."""

    vertical: bool
    line: int
    lo: int
    hi: int

    def box(self, wall: int, reach: int = 0) -> Box:
        """Pixels of the stretch, extended by ``reach`` into the rooms on both sides."""
        near, far = self.line - reach, self.line + wall + reach
        if self.vertical:
            return Box(near, self.lo, far, self.hi)
        return Box(self.lo, near, self.hi, far)


@dataclass(slots=True)
class Room:
    """A room between four wall lines; ``keep_clear`` is floor where no furniture may stand."""

    kind: int
    x0: int
    y0: int
    x1: int
    y1: int
    keep_clear: list[Box] = field(default_factory=list)

    def floor(self, wall: int) -> Box:
        """Clear floor of the room."""
        return Box(self.x0 + wall, self.y0 + wall, self.x1, self.y1)

    def outer(self, wall: int) -> Box:
        """Floor and all four walls of the room."""
        return Box(self.x0, self.y0, self.x1 + wall, self.y1 + wall)


@dataclass(slots=True)
class Plan:
    """The rooms of an apartment and the openings cut into their walls."""

    rooms: list[Room]
    patches: list[tuple[int, Box]] = field(default_factory=list)
    """Class and pixels of every opening, painted over the walls in this order."""


class Scale:
    """Converts design lengths (pixels of a 64-pixel layout) to pixels of the wanted size.

    ``zoom`` enlarges everything but the walls.
    """

    def __init__(self, size: int, zoom: float = 1.0) -> None:
        self.size = size
        self.factor = zoom * size / 64
        self.wall = max(1, round(size / 80))
        self.door = self.span(3)

    def span(self, length: float) -> int:
        """A clear length; at least two pixels, so that it stays visible at small sizes."""
        return max(2, round(length * self.factor))

    def pitch(self, length: float) -> int:
        """Distance between the wall lines on either side of a clear length."""
        return self.span(length) + self.wall


def contact(a: Room, b: Room, scale: Scale) -> Segment | None:
    """Wall that two rooms share, or None where it is too short for a door."""
    if a.x1 == b.x0 or b.x1 == a.x0:
        line = a.x1 if a.x1 == b.x0 else a.x0
        shared = Segment(True, line, max(a.y0, b.y0) + scale.wall, min(a.y1, b.y1))
    elif a.y1 == b.y0 or b.y1 == a.y0:
        line = a.y1 if a.y1 == b.y0 else a.y0
        shared = Segment(False, line, max(a.x0, b.x0) + scale.wall, min(a.x1, b.x1))
    else:
        return None
    return shared if shared.hi - shared.lo >= scale.door else None


def exposed_walls(room: Room, rooms: Sequence[Room], scale: Scale) -> list[Segment]:
    """Stretches of a room's walls that face the outside."""
    wall = scale.wall
    stretches = []
    for vertical, line in ((True, room.x0), (True, room.x1), (False, room.y0), (False, room.y1)):
        lo, hi = (room.y0, room.y1) if vertical else (room.x0, room.x1)
        covers = []
        for other in rooms:
            edges = (other.x0, other.x1) if vertical else (other.y0, other.y1)
            if other is not room and line in edges:
                covers.append((other.y0, other.y1) if vertical else (other.x0, other.x1))
        start = lo + wall
        for cover_lo, cover_hi in sorted(covers):
            if min(cover_lo, hi) > start:
                stretches.append(Segment(vertical, line, start, min(cover_lo, hi)))
            start = max(start, cover_hi + wall)
        if hi > start:
            stretches.append(Segment(vertical, line, start, hi))
    return stretches


class Dice:
    """Random draws of one layout.

    Uniform numbers are drawn in blocks: single draws from a NumPy generator would dominate the
    time to generate a layout.
    """

    _BLOCK = 256

    def __init__(self, seed: int, index: int) -> None:
        self._rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(index,)))
        self._uniforms: Iterator[float] = iter(())

    def uniform(self) -> float:
        """A number in ``[0, 1)``."""
        value = next(self._uniforms, None)
        if value is None:
            self._uniforms = iter(self._rng.random(self._BLOCK).tolist())
            value = next(self._uniforms)
        return value

    def between(self, low: float, high: float) -> float:
        """A number in ``[low, high)``."""
        return low + (high - low) * self.uniform()

    def integer(self, low: int, high: int) -> int:
        """An integer in ``[low, high]``."""
        return low + int((high - low + 1) * self.uniform())

    def chance(self, probability: float) -> bool:
        """True with the given probability."""
        return self.uniform() < probability

    def pick(self, options: Sequence[T]) -> T:
        """One of the options, each equally likely."""
        return options[int(len(options) * self.uniform())]

    def shuffled(self, items: Sequence[T]) -> list[T]:
        """The items in random order."""
        rest = list(items)
        return [rest.pop(int(len(rest) * self.uniform())) for _ in items]
