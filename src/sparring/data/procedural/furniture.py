"""Furniture: groups of pieces by room type.

Pieces stand flush against a wall or free in the room, keep a gap to everything they do not belong
to and stay off the floor in front of openings. No chain of pieces can then cut a room in two, so
every door stays reachable from every other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sparring.data.procedural.model import (
    BATHROOM,
    BED,
    BEDROOM,
    CABINET,
    COUNTER,
    KITCHEN,
    LIVING_ROOM,
    SANITARY,
    SOFA,
    STORAGE,
    TABLE,
    WC,
    Box,
    Dice,
    Room,
    Scale,
)

_SIDES = 4
# Where free-standing pieces are tried, as shares of the slack along both axes.
_FREE_POSITIONS = tuple((x, y) for x in (0.25, 0.5, 0.75) for y in (0.25, 0.5, 0.75))


class _Spot(NamedTuple):
    """Free rectangle against a wall: side, offset along the wall, length along it, depth."""

    side: int
    offset: int
    length: int
    depth: int


class _Fitter:
    """Finds free spots in one room and collects the pieces placed there."""

    def __init__(self, room: Room, dice: Dice, scale: Scale) -> None:
        self.floor = room.floor(scale.wall)
        self.width = self.floor.x1 - self.floor.x0
        self.height = self.floor.y1 - self.floor.y0
        self.pieces: list[tuple[int, Box]] = []
        self._keep_clear = room.keep_clear
        self._dice = dice
        self._gap = max(1, round(1.5 * scale.factor))
        self._lane = scale.span(2)

    def run(self, side: int) -> int:
        """Length of a wall."""
        return self.width if side < 2 else self.height

    def box(self, spot: _Spot) -> Box:
        """Pixels of a spot; sides are top, bottom, left, right."""
        x0, y0, x1, y1 = self.floor
        start, stop = spot.offset, spot.offset + spot.length
        if spot.side == 0:
            return Box(x0 + start, y0, x0 + stop, y0 + spot.depth)
        if spot.side == 1:
            return Box(x0 + start, y1 - spot.depth, x0 + stop, y1)
        if spot.side == 2:
            return Box(x0, y0 + start, x0 + spot.depth, y0 + stop)
        return Box(x1 - spot.depth, y0 + start, x1, y0 + stop)

    def spot(
        self, length: int, depth: int, *, centred: bool = False, sides: Sequence[int] = ()
    ) -> _Spot | None:
        """A free spot of the given length along a wall, in a corner unless ``centred``."""
        for side in sides or self._dice.shuffled(range(_SIDES)):
            slack = self.run(side) - length
            across = self.height if side < 2 else self.width
            if slack < 0 or across - depth < self._lane:
                continue
            corners = self._dice.shuffled((0, slack))
            offsets = (slack // 2, *corners) if centred else (*corners, slack // 2)
            for offset in offsets:
                spot = _Spot(side, offset, length, depth)
                fits = self._is_gap(offset) and self._is_gap(slack - offset)
                if fits and self._is_clear(self.box(spot), self._gap):
                    return spot
        return None

    def _is_gap(self, distance: int) -> bool:
        return distance == 0 or distance >= self._gap

    def _is_clear(self, box: Box, gap: int) -> bool:
        """Whether no opening is behind a box and every piece is at least ``gap`` away."""
        return not any(box.overlaps(clear) for clear in self._keep_clear) and not any(
            box.overlaps(piece, gap) for _, piece in self.pieces
        )

    def place(self, kind: int, length: int, depth: int, *, centred: bool = False) -> bool:
        """Put a single piece against a wall; False if there is no room for it."""
        spot = self.spot(length, depth, centred=centred)
        if spot is not None:
            self.pieces.append((kind, self.box(spot)))
        return spot is not None

    def place_free(self, kind: int, width: int, height: int) -> None:
        """Put a piece away from the walls, with a lane all around it, where there is room."""
        x0, y0, x1, y1 = self.floor
        for share_x, share_y in self._dice.shuffled(_FREE_POSITIONS):
            left = x0 + round((self.width - width) * share_x)
            top = y0 + round((self.height - height) * share_y)
            box = Box(left, top, left + width, top + height)
            to_wall = min(left - x0, top - y0, x1 - box.x1, y1 - box.y1)
            if to_wall >= self._lane and self._is_clear(box, self._lane):
                self.pieces.append((kind, box))
                return


def furnish(rooms: Sequence[Room], dice: Dice, scale: Scale) -> list[tuple[int, Box]]:
    """Furnish every room: ``(class id, pixels)`` of each piece.

    A flat without a bedroom gets its bed in the living room, one without a kitchen its counter.
    """
    kinds = {room.kind for room in rooms}
    pieces = []
    for room in rooms:
        fitter = _Fitter(room, dice, scale)
        if room.kind == BEDROOM:
            _furnish_bedroom(fitter, dice, scale)
        elif room.kind == LIVING_ROOM:
            if KITCHEN not in kinds:
                _place_counter(fitter, dice, scale)
            if BEDROOM not in kinds:
                _place_bed(fitter, dice, scale)
            _furnish_living_room(fitter, dice, scale)
        elif room.kind == KITCHEN:
            _furnish_kitchen(fitter, dice, scale)
        elif room.kind in (BATHROOM, WC):
            _furnish_wet_room(fitter, room.kind, scale)
        elif room.kind == STORAGE:
            _place_along_wall(fitter, CABINET, scale.span(2), dice)
        pieces += fitter.pieces
    return pieces


def _place_bed(fitter: _Fitter, dice: Dice, scale: Scale) -> None:
    span = scale.span
    stand, length = span(2), span(6.5)
    for width in (span(5.5), span(4)):
        spot = fitter.spot(width + stand, length, centred=dice.chance(0.5))
        if spot is not None:
            flip = dice.chance(0.5)
            bed = spot.offset + (stand if flip else 0)
            night = spot.offset + (0 if flip else width)
            fitter.pieces.append((BED, fitter.box(spot._replace(offset=bed, length=width))))
            night_spot = _Spot(spot.side, night, stand, stand)
            fitter.pieces.append((CABINET, fitter.box(night_spot)))
            return
    if not fitter.place(BED, span(4), length):
        fitter.place(BED, length, span(4))


def _furnish_bedroom(fitter: _Fitter, dice: Dice, scale: Scale) -> None:
    _place_bed(fitter, dice, scale)
    for length in (dice.between(6, 9), 5):
        if fitter.place(CABINET, scale.span(length), scale.span(2.5)):
            return


def _furnish_living_room(fitter: _Fitter, dice: Dice, scale: Scale) -> None:
    span = scale.span
    sofa, seat, table, space = span(dice.between(6, 9)), span(3), span(3), span(2)
    spot = fitter.spot(sofa, seat + space + table, centred=dice.chance(0.7))
    if spot is not None:
        fitter.pieces.append((SOFA, fitter.box(spot._replace(depth=seat))))
        box = fitter.box(spot)
        inset = (sofa - span(4)) // 2
        x0, y0, x1, y1 = box
        reach = seat + space
        if spot.side < 2:
            top = y0 + reach if spot.side == 0 else y0
            table_box = Box(x0 + inset, top, x1 - inset, top + table)
        else:
            left = x0 + reach if spot.side == 2 else x0
            table_box = Box(left, y0 + inset, left + table, y1 - inset)
        fitter.pieces.append((TABLE, table_box))
    else:
        fitter.place(SOFA, span(6), seat)
    if dice.chance(0.6):
        fitter.place(CABINET, span(dice.between(5, 8)), span(2), centred=True)
    if min(fitter.width, fitter.height) >= span(13):
        fitter.place_free(TABLE, span(dice.pick((4, 6))), span(4))


def _place_along_wall(fitter: _Fitter, kind: int, depth: int, dice: Dice) -> None:
    """A piece along as much of a wall as is free."""
    for share in (1.0, 0.8, 0.6, 0.45):
        for side in dice.shuffled(range(_SIDES)):
            spot = fitter.spot(round(fitter.run(side) * share), depth, sides=(side,))
            if spot is not None:
                fitter.pieces.append((kind, fitter.box(spot)))
                return


def _place_counter(fitter: _Fitter, dice: Dice, scale: Scale) -> None:
    for length in (dice.between(8, 11), 6):
        if fitter.place(COUNTER, scale.span(length), scale.span(2.5)):
            return


def _furnish_kitchen(fitter: _Fitter, dice: Dice, scale: Scale) -> None:
    _place_along_wall(fitter, COUNTER, scale.span(2.5), dice)
    fitter.place_free(TABLE, scale.span(3), scale.span(3))


def _furnish_wet_room(fitter: _Fitter, kind: int, scale: Scale) -> None:
    span = scale.span
    if kind == BATHROOM and not fitter.place(SANITARY, span(6), span(3)):
        fitter.place(SANITARY, span(3), span(3))
    fitter.place(SANITARY, span(2), span(2))
