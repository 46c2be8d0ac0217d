"""From a room plan to a layout: a balcony, openings, furniture, pixels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from sparring.data.procedural.furniture import furnish
from sparring.data.procedural.model import (
    BACKGROUND,
    BALCONY,
    WALL,
    Dice,
    Plan,
    Room,
    Scale,
    exposed_walls,
)
from sparring.data.procedural.openings import (
    NEEDS_DAYLIGHT,
    access_tree,
    cut_balcony_door,
    cut_front_door,
    cut_windows,
    join_rooms,
)
from sparring.data.procedural.plan import SCHEMES, is_plausible

# Plans are drawn a little larger than the design lengths where the frame has room for it.
_ZOOM = (1.0, 1.5)
_MAX_DRAWS = 1000


def generate_layout(seed: int, index: int, size: int = 64) -> np.ndarray:
    """Generate one furnished apartment layout.

    A pure function of its arguments: layout ``index`` of ``seed`` does not depend on which other
    layouts were generated, in which order or in which process.

    Args:
        seed: Non-negative seed of the dataset.
        index: Non-negative position of the layout in the dataset.
        size: Height and width in pixels, a multiple of 8 from 32 to 256.

    Returns:
        ``uint8`` array ``[size, size]`` of class ids, see ``CLASSES``.

    Raises:
        ValueError: An argument is outside its range.
    """
    _check("seed", seed, seed >= 0, "an integer >= 0")
    _check("index", index, index >= 0, "an integer >= 0")
    _check_size(size)
    dice = Dice(seed, index)
    # The scheme is drawn once: redrawing it too would favour schemes that rarely fail.
    scheme = dice.pick(SCHEMES)
    for _ in range(_MAX_DRAWS):
        scale = Scale(size, zoom=dice.between(*_ZOOM))
        rooms = scheme(dice, scale)
        if is_plausible(rooms, scale):
            plan = _complete(rooms, dice, scale)
            if plan is not None:
                return _paint(plan, dice, scale)
    raise RuntimeError(f"no plausible plan for seed {seed}, index {index}, size {size}")


def generate_layouts(seed: int, count: int, size: int = 64) -> Iterator[np.ndarray]:
    """Yield layouts ``0 .. count - 1`` of a seed, each generated when it is asked for.

    Args:
        seed: Non-negative seed of the dataset.
        count: Number of layouts, at least 0.
        size: Height and width in pixels, a multiple of 8 from 32 to 256.

    Returns:
        Iterator over ``uint8`` arrays ``[size, size]`` of class ids.

    Raises:
        ValueError: An argument is outside its range (raised by the call, not by the iteration).
    """
    _check("seed", seed, seed >= 0, "an integer >= 0")
    _check("count", count, count >= 0, "an integer >= 0")
    _check_size(size)
    return (generate_layout(seed, index, size) for index in range(count))


def _check(name: str, value: int, valid: bool, expected: str) -> None:
    if not valid:
        raise ValueError(f"{name} is {value!r}, expected {expected}")


def _check_size(size: int) -> None:
    valid = 32 <= size <= 256 and size % 8 == 0
    _check("size", size, valid, "a multiple of 8 from 32 to 256")


def _complete(rooms: list[Room], dice: Dice, scale: Scale) -> Plan | None:
    """Add balcony, doors and windows, and centre the plan; None if something cannot be placed."""
    links = access_tree(rooms, scale)
    if links is None:
        return None
    balcony = _balcony(rooms, dice, scale) if dice.chance(0.6) else None
    every_room = rooms if balcony is None else [*rooms, balcony[0]]
    if not _centre(every_room, dice, scale):
        return None
    plan = Plan(every_room)
    if not cut_front_door(plan, dice, scale) or not cut_windows(plan, dice, scale):
        return None
    for room, neighbour in links:
        join_rooms(plan, room, neighbour, dice, scale)
    if balcony is not None:
        cut_balcony_door(plan, *balcony, dice, scale)
    return plan


def _balcony(rooms: Sequence[Room], dice: Dice, scale: Scale) -> tuple[Room, Room] | None:
    """A balcony and the room it belongs to, or None where no facade takes one."""
    candidates = []
    for room in rooms:
        if room.kind in NEEDS_DAYLIGHT:
            for facade in exposed_walls(room, rooms, scale):
                if facade.hi - facade.lo >= scale.span(8):
                    candidates.append((room, facade))
    depth = scale.pitch(dice.between(3.5, 5))
    margin = 2 * scale.wall + scale.span(2)
    for room, (vertical, line, lo, hi) in dice.shuffled(candidates):
        start, stop = lo - scale.wall, hi
        if dice.chance(0.4):
            stop -= round((stop - start) * dice.between(0.15, 0.35))
        outwards = line == (room.x1 if vertical else room.y1)
        near, far = (line, line + depth) if outwards else (line - depth, line)
        box = (near, start, far, stop) if vertical else (start, near, stop, far)
        balcony = Room(BALCONY, *box)
        floor = balcony.floor(scale.wall)
        # Floors of neighbours on the same facade start beyond the wall line, hence the grown test
        # only sees rooms that would leave a sliver of outside between them and the balcony.
        if not any(
            floor.overlaps(other.floor(scale.wall), margin) for other in rooms if other is not room
        ):
            return balcony, room
    return None


def _centre(rooms: Sequence[Room], dice: Dice, scale: Scale) -> bool:
    """Move the plan near the middle of the frame; False if it does not fit inside the margin."""
    for horizontal in (True, False):
        lo = min(room.x0 if horizontal else room.y0 for room in rooms)
        hi = max(room.x1 if horizontal else room.y1 for room in rooms) + scale.wall
        slack = scale.size - 2 * scale.span(3) - (hi - lo)
        if slack < 0:
            return False
        jitter = min(slack // 2, scale.span(3))
        move = scale.span(3) + slack // 2 + dice.integer(-jitter, jitter) - lo
        for room in rooms:
            if horizontal:
                room.x0, room.x1 = room.x0 + move, room.x1 + move
            else:
                room.y0, room.y1 = room.y0 + move, room.y1 + move
    return True


def _paint(plan: Plan, dice: Dice, scale: Scale) -> np.ndarray:
    grid = np.full((scale.size, scale.size), BACKGROUND, dtype=np.uint8)
    wall = scale.wall
    patches = [(WALL, room.outer(wall)) for room in plan.rooms]
    patches += [(room.kind, room.floor(wall)) for room in plan.rooms]
    patches += plan.patches
    patches += furnish(plan.rooms, dice, scale)
    for kind, (x0, y0, x1, y1) in patches:
        grid[y0:y1, x0:x1] = kind
    return _orient(grid, dice)


def _orient(grid: np.ndarray, dice: Dice) -> np.ndarray:
    """One of the eight rotations and reflections of a layout."""
    if dice.chance(0.5):
        grid = grid.T
    return np.ascontiguousarray(grid[:: dice.pick((-1, 1)), :: dice.pick((-1, 1))])
