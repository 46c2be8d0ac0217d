"""Room plans: which rooms an apartment has and where their walls run.

Every plan grows from a spine, the space people walk through: a short entrance hall (strip flats),
a corridor (service and corridor flats) or the living room itself (hub flats). Bands of rooms line
the spine on one or both sides and a cap of main rooms may close its far end. Bands and caps of
different depths and lengths give the L, T and notched outlines. Plans are drawn in one orientation,
entrance on the left.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sparring.data.procedural.model import (
    BATHROOM,
    BEDROOM,
    HALL,
    KITCHEN,
    LIVING_ROOM,
    STORAGE,
    WC,
    Dice,
    Room,
    Scale,
)

# Design lengths and areas of the clear floor, in pixels of a 64-pixel layout.
_MIN_SIDE = {
    HALL: 4.0,
    LIVING_ROOM: 10.0,
    KITCHEN: 5.5,
    BEDROOM: 8.5,
    BATHROOM: 4.5,
    WC: 3.5,
    STORAGE: 3.5,
}
_MAX_AREA = {
    HALL: 260.0,
    LIVING_ROOM: 900.0,
    KITCHEN: 150.0,
    BEDROOM: 270.0,
    BATHROOM: 95.0,
    WC: 48.0,
    STORAGE: 65.0,
}
_MAX_ASPECT = 2.4
_MAX_ROOMS = 8


@dataclass(slots=True)
class _Slot:
    """Place for one room along a band, or for two with ``back`` behind the spine-side room."""

    kind: int
    length: float
    depth: float | None = None
    back: int | None = None


def is_plausible(rooms: Sequence[Room], scale: Scale) -> bool:
    """Whether every room has a usable shape and the living room is not dwarfed by a bedroom."""
    if len(rooms) > _MAX_ROOMS:
        return False
    area_unit = scale.factor**2
    living = bedroom = 0.0
    for room in rooms:
        width, height = room.x1 - room.x0 - scale.wall, room.y1 - room.y0 - scale.wall
        short, long = min(width, height), max(width, height)
        area = short * long / area_unit
        if short < scale.span(_MIN_SIDE[room.kind]) or area > _MAX_AREA[room.kind]:
            return False
        if room.kind != HALL and long > short * _MAX_ASPECT:
            return False
        if room.kind == LIVING_ROOM:
            living = area
        elif room.kind == BEDROOM:
            bedroom = max(bedroom, area)
    return living >= max(120.0, 0.95 * bedroom)


def _room(kind: int, x0: int, y0: int, x1: int, y1: int) -> Room:
    return Room(kind, x0, min(y0, y1), x1, max(y0, y1))


def _band(
    slots: Sequence[_Slot], start: int, stop: int, base: int, depth: int, scale: Scale
) -> list[Room]:
    """Fill a band along ``base`` from ``start`` to ``stop``; a negative depth grows upwards."""
    total = sum(slot.length for slot in slots)
    side = 1 if depth > 0 else -1
    rooms, done, x0 = [], 0.0, start
    for slot in slots:
        done += slot.length
        x1 = start + round((stop - start) * done / total)
        y1 = base + depth
        if slot.depth is not None and scale.pitch(slot.depth) < abs(depth):
            y1 = base + side * scale.pitch(slot.depth)
        if slot.back is None:
            rooms.append(_room(slot.kind, x0, base, x1, y1))
        else:
            middle = base + round((y1 - base) * 0.55)
            rooms.append(_room(slot.kind, x0, base, x1, middle))
            rooms.append(_room(slot.back, x0, middle, x1, y1))
        x0 = x1
    return rooms


def _length(slots: Sequence[_Slot], scale: Scale) -> int:
    return sum(scale.pitch(slot.length) for slot in slots)


def _bedrooms(count: int, dice: Dice) -> list[_Slot]:
    return [_Slot(BEDROOM, dice.between(10.5, 14.5)) for _ in range(count)]


def _spread(
    first: list[_Slot], second: list[_Slot], dice: Dice, scale: Scale
) -> tuple[int, int, int]:
    """Length of a spine between two bands, and where each band starts along it.

    Bands of similar length are stretched to match; otherwise the shorter one leaves a corner of the
    outline open beside the entrance.
    """
    lengths = _length(first, scale), _length(second, scale)
    spine = max(lengths)
    starts = []
    for length in lengths:
        slack = spine - length
        # A tiny step looks like an error; a cut of half the spine leaves a bare corridor.
        visible, modest = slack > scale.span(4), slack < 0.45 * spine
        cut = visible and modest and (slack > scale.span(8) or dice.chance(0.5))
        starts.append(slack if cut else 0)
    return spine, starts[0], starts[1]


def _shift(dice: Dice, scale: Scale) -> int:
    """Offset of a facade from its neighbour's: usually flush, else a visible step."""
    if dice.chance(0.6):
        return 0
    return dice.pick((-1, 1)) * scale.span(dice.between(2.5, 5))


def _cap(kinds: Sequence[int], x0: int, y0: int, y1: int, dice: Dice, scale: Scale) -> list[Room]:
    """Rooms that close the far end of the spine, stacked across it."""
    width = scale.pitch(dice.between(13, 19))
    y0, y1 = y0 - _shift(dice, scale), y1 + _shift(dice, scale)
    if len(kinds) == 1:
        return [_room(kinds[0], x0, y0, x0 + width, y1)]
    first = dice.shuffled(kinds)
    share = dice.between(0.56, 0.64) if first[0] == LIVING_ROOM else dice.between(0.36, 0.44)
    middle = y0 + round((y1 - y0) * share)
    step = max(0, _shift(dice, scale))
    return [
        _room(first[0], x0, y0, x0 + width, middle),
        _room(first[1], x0, middle, x0 + width + step, y1),
    ]


def _strip_flat(dice: Dice, scale: Scale) -> list[Room]:
    """Long flat of one or two main rooms behind a service block with the entrance."""
    pitch, between = scale.pitch, dice.between
    length, height = pitch(between(7, 10)), pitch(between(4, 6))
    up, down = pitch(between(5.5, 8)), pitch(between(5, 8))
    rooms = [_room(HALL, 0, 0, length, height), _room(BATHROOM, 0, -up, length, 0)]
    bottom = height
    if dice.chance(0.75):
        bottom += down
        kind = dice.pick((KITCHEN, KITCHEN, STORAGE))
        rooms.append(_room(kind, 0, height, length, bottom))
    top = -up - _shift(dice, scale)
    bottom += _shift(dice, scale)
    has_bedroom = dice.chance(0.5)
    far = length + pitch(between(13, 18) if has_bedroom else between(14, 26))
    rooms.append(_room(LIVING_ROOM, length, top, far, bottom))
    if has_bedroom:
        top, bottom = top - _shift(dice, scale), bottom + _shift(dice, scale)
        rooms.append(_room(BEDROOM, far, top, far + pitch(between(10, 14)), bottom))
    return rooms


def _service_flat(dice: Dice, scale: Scale) -> list[Room]:
    """Corridor with a shallow band of service rooms facing a deep band of bedrooms."""
    beds = dice.pick((1, 2, 2, 3))
    in_cap = beds == 3 or (beds == 2 and dice.chance(0.25))
    open_kitchen = not in_cap and dice.chance(0.35)
    service = [_Slot(BATHROOM, dice.between(6.5, 9))]
    if beds > 1 and dice.chance(0.7):
        service.append(_Slot(WC, dice.between(4, 5)))
    if beds < 3 and dice.chance(0.5):
        service.append(_Slot(STORAGE, dice.between(4.5, 6.5)))
    service = dice.shuffled(service)
    if not open_kitchen:
        service.append(_Slot(KITCHEN, dice.between(8, 11)))
    if dice.chance(0.3):
        service.insert(0, _Slot(HALL, dice.between(5, 7)))
    private = _bedrooms(beds - in_cap, dice)
    living_in_band = beds == 1 and not open_kitchen and dice.chance(0.5)
    if living_in_band:
        private.append(_Slot(LIVING_ROOM, dice.between(15, 19)))

    spine, start_service, start_private = _spread(service, private, dice, scale)
    height = scale.pitch(dice.between(4, 5))
    up = scale.pitch(dice.between(6.5, 9))
    down = scale.pitch(dice.between(11, 16))
    rooms = [_room(HALL, 0, 0, spine, height)]
    rooms += _band(service, start_service, spine, 0, -up, scale)
    rooms += _band(private, start_private, spine, height, down, scale)
    if not living_in_band:
        kinds = [LIVING_ROOM]
        kinds += [BEDROOM] if in_cap else [KITCHEN] if open_kitchen else []
        rooms += _cap(kinds, spine, -up, height + down, dice, scale)
    return rooms


def _corridor_flat(dice: Dice, scale: Scale) -> list[Room]:
    """Corridor between two deep bands that mix bedrooms with service rooms."""
    beds = dice.pick((1, 2, 2, 3))
    open_kitchen = dice.chance(0.35)
    bath = _Slot(BATHROOM, dice.between(6, 8), depth=dice.between(6.5, 9))
    if beds > 1 and dice.chance(0.7):
        bath = _Slot(dice.pick((BATHROOM, BATHROOM, WC)), dice.between(5.5, 7), back=STORAGE)
        if bath.kind == WC:
            bath.back = BATHROOM
    first, second = [bath], []
    if bath.kind == WC:
        second.append(_Slot(BATHROOM, dice.between(5.5, 7), depth=dice.between(6.5, 9)))
    sides = [first, second]
    services = [] if open_kitchen else [_Slot(KITCHEN, dice.between(8, 11))]
    for slot in _bedrooms(beds, dice) + services:
        # Each room goes to the band that is still shorter, which keeps the two in balance.
        min(sides, key=lambda side: _length(side, scale)).append(slot)
    if not second:
        second.append(_Slot(STORAGE, dice.between(5, 7), depth=dice.between(5, 8)))

    spine, start_first, start_second = _spread(first, second, dice, scale)
    height = scale.pitch(dice.between(4, 5))
    up, down = scale.pitch(dice.between(10.5, 14)), scale.pitch(dice.between(10.5, 14))
    rooms = [_room(HALL, 0, 0, spine, height)]
    rooms += _band(first, start_first, spine, 0, -up, scale)
    rooms += _band(second, start_second, spine, height, down, scale)
    kinds = [LIVING_ROOM, KITCHEN] if open_kitchen else [LIVING_ROOM]
    return rooms + _cap(kinds, spine, -up, height + down, dice, scale)


def _hub_flat(dice: Dice, scale: Scale) -> list[Room]:
    """Living room in the middle of the flat, bedrooms and service rooms around it."""
    beds = dice.pick((1, 1, 2, 2, 3))
    side_kind = dice.pick((STORAGE, WC, BATHROOM)) if beds > 1 else BATHROOM
    first: list[_Slot] = []
    if side_kind != BATHROOM:
        first.append(_Slot(BATHROOM, dice.between(6, 7.5), depth=dice.between(6.5, 10)))
    second: list[_Slot] = []
    rest = [*_bedrooms(beds, dice), _Slot(KITCHEN, dice.between(8.5, 11))]
    both = beds > 1 or dice.chance(0.4)
    for slot in rest:
        sides = [first, second] if both else [first]
        min(sides, key=lambda side: _length(side, scale)).append(slot)

    spine, start_first, start_second = _spread(first, second or first, dice, scale)
    height = scale.pitch(dice.between(11.5, 16))
    foyer = scale.pitch(dice.between(6, 9))
    middle = scale.pitch(dice.between(4, 5.5))
    up, down = scale.pitch(dice.between(9, 13)), scale.pitch(dice.between(9, 13))
    rooms = [
        _room(HALL, 0, 0, foyer, middle),
        _room(side_kind, 0, middle, foyer, height),
        _room(LIVING_ROOM, foyer, 0, spine, height),
    ]
    rooms += _band(first, start_first, spine, 0, -up, scale)
    if second:
        rooms += _band(second, start_second, spine, height, down, scale)
    return rooms


# Each draws a candidate plan that may be implausible; its first room is the hall.
SCHEMES: tuple[Callable[[Dice, Scale], list[Room]], ...] = (
    _strip_flat,
    _service_flat,
    _corridor_flat,
    _hub_flat,
)
