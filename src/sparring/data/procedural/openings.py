"""Openings of a room plan: which rooms are joined, and the doors and windows in their walls."""

from __future__ import annotations

from collections.abc import Sequence

from sparring.data.procedural.model import (
    BALCONY,
    BATHROOM,
    BEDROOM,
    DOOR,
    HALL,
    KITCHEN,
    LIVING_ROOM,
    STORAGE,
    WC,
    WINDOW,
    Dice,
    Plan,
    Room,
    Scale,
    Segment,
    contact,
    exposed_walls,
)

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
NEEDS_DAYLIGHT = (LIVING_ROOM, BEDROOM)
"""Main rooms: each has a window or the balcony."""


def access_tree(rooms: Sequence[Room], scale: Scale) -> list[tuple[Room, Room]] | None:
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


def cut_front_door(plan: Plan, dice: Dice, scale: Scale) -> bool:
    """Cut the door from outside into the hall; False if no hall has an outer wall for one."""
    halls = [room for room in plan.rooms if room.kind == HALL]
    for room in reversed(halls):
        facades = [s for s in exposed_walls(room, plan.rooms, scale) if s.hi - s.lo >= scale.door]
        if facades:
            _cut_door(plan, dice.pick(facades), dice, scale, room)
            return True
    return False


def _cut_door(plan: Plan, wall: Segment, dice: Dice, scale: Scale, *rooms: Room) -> Segment:
    """Cut a door near one end of a wall, where it leaves the longest free wall for furniture."""
    slack = wall.hi - wall.lo - scale.door
    inset = min(slack // 2, round(scale.factor))
    lo = wall.lo + (inset if dice.chance(0.5) else slack - inset)
    door = Segment(wall.vertical, wall.line, lo, lo + scale.door)
    _cut(plan, door, DOOR, scale, *rooms)
    return door


def _cut(plan: Plan, opening: Segment, kind: int, scale: Scale, *rooms: Room) -> None:
    plan.patches.append((kind, opening.box(scale.wall)))
    for room in rooms:
        room.keep_clear.append(opening.box(scale.wall, reach=scale.span(2)))


def join_rooms(plan: Plan, room: Room, neighbour: Room, dice: Dice, scale: Scale) -> None:
    """Cut a door or a wide opening into the wall that two rooms share."""
    shared = contact(room, neighbour, scale)
    if shared is None:
        raise RuntimeError("rooms to be joined share no wall")
    if dice.chance(_OPEN_PLAN.get((room.kind, neighbour.kind), 0.0)):
        _cut(plan, shared, neighbour.kind, scale, room, neighbour)
    else:
        _cut_door(plan, shared, dice, scale, room, neighbour)


def cut_windows(plan: Plan, dice: Dice, scale: Scale) -> bool:
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
        if room.kind in NEEDS_DAYLIGHT and not facades and not on_balcony:
            return False
    return True


def cut_balcony_door(plan: Plan, balcony: Room, host: Room, dice: Dice, scale: Scale) -> None:
    """Cut a door onto the balcony, and a window beside it where there is wall left."""
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
