"""From a room plan to a layout: doors, windows, a balcony, furniture, pixels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from sparring.data.procedural.furniture import furnish
from sparring.data.procedural.model import (
    BACKGROUND,
    BALCONY,
    BATHROOM,
    BEDROOM,
    DOOR,
    HALL,
    KITCHEN,
    LIVING_ROOM,
    STORAGE,
    WALL,
    WC,
    WINDOW,
    Box,
    Dice,
    Room,
    Scale,
    Segment,
    contact,
    exposed_walls,
)
from sparring.data.procedural.plan import SCHEMES, is_plausible

# Through which neighbours a room may be entered, best first.
_ACCESS: dict[int, tuple[int, ...]] = {
    HALL: (HALL,),
    LIVING_ROOM: (HALL,),
    KITCHEN: (LIVING_ROOM, HALL),
    BEDROOM: (HALL, LIVING_ROOM),
    BATHROOM: (HALL, LIVING_ROOM, BEDROOM),
    WC: (HALL, LIVING_ROOM),
    STORAGE: (HALL, BEDROOM, KITCHEN, LIVING_ROOM),
}
# Chance that two rooms are joined by a wide opening rather than a door.
_OPEN_PLAN = {(HALL, HALL): 1.0, (LIVING_ROOM, HALL): 0.5, (KITCHEN, LIVING_ROOM): 0.6}
_DAYLIT = (LIVING_ROOM, BEDROOM, KITCHEN)
_NEEDS_DAYLIGHT = (LIVING_ROOM, BEDROOM)
# Plans are drawn a little larger than the design lengths where the frame has room for it.
_ZOOM = (1.0, 1.5)
_MAX_DRAWS = 1000


@dataclass(slots=True)
class _Plan:
    rooms: list[Room]
    patches: list[tuple[int, Box]] = field(default_factory=list)


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


def _complete(rooms: list[Room], dice: Dice, scale: Scale) -> _Plan | None:
    """Add balcony, doors and windows, and centre the plan; None if something cannot be placed."""
    links = _links(rooms, scale)
    if links is None:
        return None
    balcony = _balcony(rooms, dice, scale) if dice.chance(0.6) else None
    every_room = rooms if balcony is None else [*rooms, balcony[0]]
    if not _centre(every_room, dice, scale):
        return None
    plan = _Plan(every_room)
    if not _cut_front_door(plan, dice, scale) or not _cut_windows(plan, dice, scale):
        return None
    for room, neighbour in links:
        _join(plan, room, neighbour, dice, scale)
    if balcony is not None:
        _cut_balcony_door(plan, *balcony, dice, scale)
    return plan


def _links(rooms: Sequence[Room], scale: Scale) -> list[tuple[Room, Room]] | None:
    """Spanning tree of doors from the hall: (room, room it is entered from); None if there is none.

    The best ranked access is taken first, so that a room off the hall never opens elsewhere.
    """
    reached, waiting, links = [rooms[0]], list(rooms[1:]), []
    while waiting:
        best: tuple[int, Room, Room] | None = None
        for room in waiting:
            access = _ACCESS[room.kind]
            for neighbour in reached:
                if neighbour.kind in access and contact(room, neighbour, scale):
                    rank = access.index(neighbour.kind)
                    if best is None or rank < best[0]:
                        best = rank, room, neighbour
        if best is None:
            return None
        _, room, neighbour = best
        waiting = [other for other in waiting if other is not room]
        reached.append(room)
        links.append((room, neighbour))
    return links


def _balcony(rooms: Sequence[Room], dice: Dice, scale: Scale) -> tuple[Room, Room] | None:
    """A balcony and the room it belongs to, or None where no facade takes one."""
    candidates = []
    for room in rooms:
        if room.kind in _NEEDS_DAYLIGHT:
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


def _cut_front_door(plan: _Plan, dice: Dice, scale: Scale) -> bool:
    halls = [room for room in plan.rooms if room.kind == HALL]
    for room in reversed(halls):
        facades = [s for s in exposed_walls(room, plan.rooms, scale) if s.hi - s.lo >= scale.door]
        if facades:
            _cut_door(plan, dice.pick(facades), dice, scale, room)
            return True
    return False


def _cut_door(plan: _Plan, wall: Segment, dice: Dice, scale: Scale, *rooms: Room) -> Segment:
    """Cut a door near one end of a wall, where it leaves the longest free wall for furniture."""
    slack = wall.hi - wall.lo - scale.door
    inset = min(slack // 2, round(scale.factor))
    lo = wall.lo + (inset if dice.chance(0.5) else slack - inset)
    door = Segment(wall.vertical, wall.line, lo, lo + scale.door)
    _cut(plan, door, DOOR, scale, *rooms)
    return door


def _cut(plan: _Plan, opening: Segment, kind: int, scale: Scale, *rooms: Room) -> None:
    plan.patches.append((kind, opening.box(scale.wall)))
    for room in rooms:
        room.keep_clear.append(opening.box(scale.wall, reach=scale.span(2)))


def _join(plan: _Plan, room: Room, neighbour: Room, dice: Dice, scale: Scale) -> None:
    shared = contact(room, neighbour, scale)
    if shared is None:
        raise RuntimeError("rooms to be joined share no wall")
    if dice.chance(_OPEN_PLAN.get((room.kind, neighbour.kind), 0.0)):
        _cut(plan, shared, neighbour.kind, scale, room, neighbour)
    else:
        _cut_door(plan, shared, dice, scale, room, neighbour)


def _cut_windows(plan: _Plan, dice: Dice, scale: Scale) -> bool:
    """Give every daylit room windows; False if a main room has no outer wall for one."""
    for room in plan.rooms:
        if room.kind not in _DAYLIT and not (room.kind == BATHROOM and dice.chance(0.3)):
            continue
        facades = [
            s for s in exposed_walls(room, plan.rooms, scale) if s.hi - s.lo >= scale.span(5)
        ]
        facades.sort(key=lambda facade: facade.lo - facade.hi)
        count = 2 if room.kind == LIVING_ROOM else 1
        for facade in facades[:count]:
            length = facade.hi - facade.lo
            window = round(length * dice.between(0.4, 0.7))
            if room.kind == BATHROOM:
                window = scale.span(2.5)
            lo = facade.lo + (length - window) // 2
            box = Segment(facade.vertical, facade.line, lo, lo + window).box(scale.wall)
            plan.patches.append((WINDOW, box))
        on_balcony = any(
            contact(room, other, scale) for other in plan.rooms if other.kind == BALCONY
        )
        if room.kind in _NEEDS_DAYLIGHT and not facades and not on_balcony:
            return False
    return True


def _cut_balcony_door(plan: _Plan, balcony: Room, host: Room, dice: Dice, scale: Scale) -> None:
    shared = contact(balcony, host, scale)
    if shared is None:
        raise RuntimeError("balcony and its room share no wall")
    door = _cut_door(plan, shared, dice, scale, host, balcony)
    post = scale.wall
    before, after = (shared.lo + post, door.lo - post), (door.hi + post, shared.hi - post)
    lo, hi = max(before, after, key=lambda stretch: stretch[1] - stretch[0])
    if hi - lo >= scale.span(2):
        window = Segment(shared.vertical, shared.line, lo, hi).box(scale.wall)
        plan.patches.append((WINDOW, window))


def _paint(plan: _Plan, dice: Dice, scale: Scale) -> np.ndarray:
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
