"""The lines of the round graph's picture, between the boxes."""

from __future__ import annotations

from collections.abc import Sequence
from xml.sax.saxutils import quoteattr

from sparring.graph.placement import (
    BOX_H,
    BOX_W,
    GUTTER,
    LANE_STEP,
    Band,
    Layout,
    Point,
    crosses,
)
from sparring.graph.text import clean


def edge_svg(layout: Layout, source: str, target: str) -> tuple[str, str]:
    """The kind of an edge and its path."""
    graph = layout.graph
    band = layout.bands[graph.by_id[target].group]
    part, to_part = band.grid.section_of.get(source), band.grid.section_of[target]
    if crosses(graph, source, target):
        kind, path = "rail", _rounded(_rail_points(layout, source, target))
    elif part != to_part and band.grid.sections[to_part][0] == "results":
        kind, path = "bus", _rounded(_bus_points(band, source, target))
    else:
        kind, path = "inner", _inner_path(band, source, target)
    tip = "tip" if kind == "inner" else "pale"
    ends = f"data-from={quoteattr(clean(source))} data-to={quoteattr(clean(target))}"
    return kind, f'<path class="edge {kind}" {ends} d="{path}" marker-end="url(#{tip})"/>'


def _rail_points(layout: Layout, source: str, target: str) -> list[Point]:
    """Out of the source's band, down the trunk left of all bands, along the target's rail."""
    graph = layout.graph
    start, end = (layout.bands[graph.by_id[id].group] for id in (source, target))
    (x, y), (to_x, to_y) = start.box(source), end.box(target)
    nth = start.sources.index(source)
    out_x = x + BOX_W + 8 + nth % 7 * 4
    below = start.bottom + 10 + nth * LANE_STEP
    drop_x = to_x - 12 - list(end.rails).index(source) % 7 * 4
    trunk, rail, y, to_y = layout.trunks[source], end.rails[source], y + BOX_H // 2, to_y + 10
    out = [(x + BOX_W, y), (out_x, y), (out_x, below), (trunk, below)]
    return [*out, (trunk, rail), (drop_x, rail), (drop_x, to_y), (to_x, to_y)]


def _bus_points(band: Band, source: str, target: str) -> list[Point]:
    """Down to the line below the source's lane, and along it to the results."""
    (x, y), (to_x, to_y), bus = band.box(source), band.box(target), band.bus(source)
    x, y, to_y = x + BOX_W, y + BOX_H // 2, to_y + BOX_H // 2
    return [(x, y), (x + 8, y), (x + 8, bus), (to_x - 16, bus), (to_x - 16, to_y), (to_x, to_y)]


def _inner_path(band: Band, source: str, target: str) -> str:
    """A straight line or one curve where nothing is in the way, else a way around."""
    (column, row), (to_column, to_row) = band.grid.cells[source], band.grid.cells[target]
    (x, y), (to_x, to_y) = band.box(source), band.box(target)
    if column == to_column and row < to_row and not band.holds([column], range(row + 1, to_row)):
        return f"M{x + BOX_W // 2} {y + BOX_H}V{to_y}"
    x, y, mid = x + BOX_W, y + BOX_H // 2, to_y + BOX_H // 2
    if column < to_column and not band.holds(range(column + 1, to_column), [to_row]):
        turn = x + GUTTER if row != to_row else to_x
        bend = (turn - x) // 2
        # Past the next gutter the curve has become a straight line along the free row.
        return f"M{x} {y}C{x + bend} {y} {turn - bend} {mid} {turn} {mid}H{to_x}"
    above = to_y - 8
    ways = [(x, y), (x + 10, y), (x + 10, above), (to_x - 16, above), (to_x - 16, mid), (to_x, mid)]
    return _rounded(ways)


def _rounded(points: Sequence[Point]) -> str:
    """A path along horizontal and vertical lines with rounded corners."""
    path = f"M{points[0][0]} {points[0][1]}"
    corners = zip(points, points[1:-1], points[2:], strict=False)
    for before, corner, after in corners:
        near, far = _towards(corner, before), _towards(corner, after)
        path += f"L{near[0]} {near[1]}Q{corner[0]} {corner[1]} {far[0]} {far[1]}"
    return f"{path}L{points[-1][0]} {points[-1][1]}"


def _towards(corner: Point, end: Point) -> Point:
    """The point at most 8 from the corner, and at most halfway, on the way to the end."""
    (x, y), dx, dy = corner, end[0] - corner[0], end[1] - corner[1]
    reach = min(8, max(abs(dx), abs(dy)) // 2)
    return x + reach * ((dx > 0) - (dx < 0)), y + reach * ((dy > 0) - (dy < 0))
