"""The round graph as a standalone SVG picture.

Groups are bands from top to bottom, columns flow from left to right. What a band consumes
from other bands enters it on labelled rails above its boxes; every line runs between the
boxes, never behind one that it does not touch.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from xml.sax.saxutils import quoteattr

from sparring.graph.nodes import SHARED, STATES, Graph, Grid, Node, State, arrange
from sparring.graph.text import clean, clip, text_width, wrap, xml_text

_BOX_W, _BOX_H = 144, 48
_GUTTER, _ROW_GAP, _LANE_GAP = 44, 20, 36
_SECTION_GAP = 14  # added to the gutter where one section ends and the next begins
_MARGIN, _TOP, _LANE_STEP, _RAIL_STEP = 24, 84, 5, 16
_LABEL_MIN, _LABEL_MAX = 100, 200

# Shape, border and word say the state as well as the colour does.
_STYLE = """
text{font-family:system-ui,-apple-system,"Segoe UI",Roboto,Helvetica,Arial,sans-serif;fill:#0f172a}
.h{font-size:20px;font-weight:600}.g{font-size:14px;font-weight:600}.a{font-size:12px;font-weight:400}
.arm{font-size:12px;font-weight:600;fill:#334155}
.l{font-size:12px}.s{font-size:10.5px;font-weight:400;fill:#475569}.r{font-size:10px;fill:#64748b}
.i{font-size:12px;font-weight:600;fill:#334155;text-anchor:middle}
.band{fill:#f8fafc;stroke:#e2e8f0}.part{fill:#eef2f7}
.edge{fill:none;stroke-linejoin:round}.inner{stroke:#475569;stroke-width:1.3}
.bus{stroke:#94a3b8;stroke-width:1.2}.rail{stroke:#c3cedb;stroke-width:1.1}
.box{stroke-width:1.5}.done .box{fill:#e3f4ec;stroke:#0f766e}
.stale .box{fill:#fff1d6;stroke:#b45309;stroke-dasharray:7 3}
.missing .box{fill:#fff;stroke:#64748b;stroke-dasharray:2 3}
.unknown .box{fill:#f3edff;stroke:#7c3aed;stroke-dasharray:8 3 2 3}
"""
_DEFS = """<defs>
<marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7"
 markerUnits="userSpaceOnUse" orient="auto"><path d="M0 0.5L8 4L0 7.5Z" fill="#475569"/></marker>
<marker id="pale" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="6" markerHeight="6"
 markerUnits="userSpaceOnUse" orient="auto"><path d="M0 0.5L8 4L0 7.5Z" fill="#94a3b8"/></marker>
<g id="sign-done"><circle r="5.5" fill="#0f766e"/>
<path d="M-2.6 0.2L-0.7 2.2L2.8 -2" fill="none" stroke="#fff" stroke-width="1.5"/></g>
<g id="sign-stale"><path d="M0 -5.5L6 5H-6Z" fill="#b45309"/>
<path d="M0 -2V1.6M0 2.8V4" stroke="#fff" stroke-width="1.4"/></g>
<g id="sign-missing"><circle r="4.6" fill="#fff" stroke="#64748b" stroke-width="1.5"/></g>
<g id="sign-unknown"><path d="M0 -5.8L5.8 0L0 5.8L-5.8 0Z" fill="#7c3aed"/>
<circle r="1.5" fill="#fff"/></g>
</defs>"""


_Point = tuple[int, int]


@dataclass
class _Band:
    """Where one group is drawn."""

    group: str
    grid: Grid
    rails: dict[str, int]  # id of a node of another band: y of its rail
    sources: list[str]  # ids that other bands consume
    top: int = 0
    bottom: int = 0
    x: list[int] = field(default_factory=list)
    y: list[int] = field(default_factory=list)

    def box(self, id: str) -> _Point:
        """The top left corner of a node's box."""
        column, row = self.grid.cells[id]
        return self.x[column], self.y[row]

    def holds(self, columns: Iterable[int], rows: Sequence[int]) -> bool:
        """Whether any box stands in these columns and rows."""
        taken = set(self.grid.cells.values())
        return any((column, row) in taken for column in columns for row in rows)

    def bus(self, id: str) -> int:
        """The y of the line on which results are gathered from this node's lane."""
        row = self.grid.cells[id][1]
        last = next(first + n - 1 for _, first, n in self.grid.lanes if first <= row < first + n)
        return self.y[last] + _BOX_H + 14


@dataclass
class _Layout:
    graph: Graph
    bands: dict[str, _Band]
    trunks: dict[str, int]  # id of a node consumed by other bands: x left of the bands
    label_x: int
    width: int
    height: int


def to_svg(graph: Graph, states: Mapping[str, State]) -> str:
    """Draw the graph; a node that `states` does not name is drawn as unknown.

    The same graph and states give the same bytes.
    """
    layout = _lay_out(graph)
    known = {node.id: states.get(node.id, "unknown") for node in graph.nodes}
    width, height = layout.width, layout.height
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" role="img">',
        f"<title>Round graph</title><style>{_STYLE}</style>{_DEFS}",
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
        *_legend(known),
    ]
    for band in layout.bands.values():
        parts += _band_svg(layout, band, known)
    drawn = [_edge(layout, source, target) for source, target in graph.edges]
    # Pale lines first: a line within a band is never hidden by one that only enters it.
    parts += [text for kind in ("rail", "bus", "inner") for drew, text in drawn if drew == kind]
    for node in graph.nodes:
        parts.append(_node_svg(node, layout.bands[node.group].box(node.id), known[node.id]))
    return "\n".join([*parts, "</svg>"]) + "\n"


def _lay_out(graph: Graph) -> _Layout:
    bands = {group: _band(graph, group) for group in graph.groups}
    trunks = [id for band in bands.values() for id in band.sources]
    trunk_x = {id: _MARGIN + index * _LANE_STEP for index, id in enumerate(trunks)}
    label_x = _MARGIN + len(trunks) * _LANE_STEP + (12 if trunks else 0)
    texts = [text_width(_rail_label(graph, id), 10) for band in bands.values() for id in band.rails]
    label_w = min(_LABEL_MAX, max([_LABEL_MIN, *(round(text) for text in texts)]))
    top, right = _TOP, 820
    for band in bands.values():
        right = max(right, _set_columns(band, label_x + label_w))
        _set_rows(band, top)
        top = band.bottom + 16 + (len(band.sources) * _LANE_STEP + 8 if band.sources else 0)
    return _Layout(graph, bands, trunk_x, label_x, right + _MARGIN, top + 8)


def _band(graph: Graph, group: str) -> _Band:
    """A band with its grid and what goes in and out, still without coordinates."""
    foreign = [edge for edge in graph.edges if _crosses(graph, *edge)]
    return _Band(
        group=group,
        grid=arrange(graph, group),
        rails={s: 0 for s, target in foreign if graph.by_id[target].group == group},
        sources=list(dict.fromkeys(s for s, _ in foreign if graph.by_id[s].group == group)),
    )


def _crosses(graph: Graph, source: str, target: str) -> bool:
    return graph.by_id[source].group != graph.by_id[target].group


def _rail_label(graph: Graph, source: str) -> str:
    """What a rail carries; an experiment is named, as another may use the same labels."""
    node = graph.by_id[source]
    return node.label if node.group == SHARED else f"{node.group}: {node.label}"


def _set_columns(band: _Band, left: int) -> int:
    """Fix the x of every column and return the right edge of the band."""
    starts = {first for _, first, _ in band.grid.sections}
    for column in range(sum(count for _, _, count in band.grid.sections)):
        left += _GUTTER + (_SECTION_GAP if column in starts else 0)
        band.x.append(left)
        left += _BOX_W
    return left + 22


def _set_rows(band: _Band, top: int) -> None:
    """Fix the y of every rail and row, from the given top edge of the band."""
    band.top, y = top, top + 34
    y += 22 if band.grid.sections[0][0] else 0
    for source in band.rails:
        y += _RAIL_STEP
        band.rails[source] = y
    y += 18 if band.rails else 6
    for _, first, rows in band.grid.lanes:
        y += _LANE_GAP if first else 0
        for _ in range(rows):
            band.y.append(y)
            y += _BOX_H + _ROW_GAP
        y -= _ROW_GAP
    band.bottom = y + (26 if band.grid.sections[-1][0] == "results" else 16)


def _edge(layout: _Layout, source: str, target: str) -> tuple[str, str]:
    """The kind of an edge and its path."""
    graph = layout.graph
    band = layout.bands[graph.by_id[target].group]
    part, to_part = band.grid.section_of.get(source), band.grid.section_of[target]
    if _crosses(graph, source, target):
        kind, path = "rail", _rounded(_rail_points(layout, source, target))
    elif part != to_part and band.grid.sections[to_part][0] == "results":
        kind, path = "bus", _rounded(_bus_points(band, source, target))
    else:
        kind, path = "inner", _inner_path(band, source, target)
    tip = "tip" if kind == "inner" else "pale"
    ends = f"data-from={quoteattr(clean(source))} data-to={quoteattr(clean(target))}"
    return kind, f'<path class="edge {kind}" {ends} d="{path}" marker-end="url(#{tip})"/>'


def _rail_points(layout: _Layout, source: str, target: str) -> list[_Point]:
    """Out of the source's band, down the trunk left of all bands, along the target's rail."""
    graph = layout.graph
    start, end = (layout.bands[graph.by_id[id].group] for id in (source, target))
    (x, y), (to_x, to_y) = start.box(source), end.box(target)
    nth = start.sources.index(source)
    out_x = x + _BOX_W + 8 + nth % 7 * 4
    below = start.bottom + 10 + nth * _LANE_STEP
    drop_x = to_x - 12 - list(end.rails).index(source) % 7 * 4
    trunk, rail, y, to_y = layout.trunks[source], end.rails[source], y + _BOX_H // 2, to_y + 10
    out = [(x + _BOX_W, y), (out_x, y), (out_x, below), (trunk, below)]
    return [*out, (trunk, rail), (drop_x, rail), (drop_x, to_y), (to_x, to_y)]


def _bus_points(band: _Band, source: str, target: str) -> list[_Point]:
    """Down to the line below the source's lane, and along it to the results."""
    (x, y), (to_x, to_y), bus = band.box(source), band.box(target), band.bus(source)
    x, y, to_y = x + _BOX_W, y + _BOX_H // 2, to_y + _BOX_H // 2
    return [(x, y), (x + 8, y), (x + 8, bus), (to_x - 16, bus), (to_x - 16, to_y), (to_x, to_y)]


def _inner_path(band: _Band, source: str, target: str) -> str:
    """A straight line or one curve where nothing is in the way, else a way around."""
    (column, row), (to_column, to_row) = band.grid.cells[source], band.grid.cells[target]
    (x, y), (to_x, to_y) = band.box(source), band.box(target)
    if column == to_column and row < to_row and not band.holds([column], range(row + 1, to_row)):
        return f"M{x + _BOX_W // 2} {y + _BOX_H}V{to_y}"
    x, y, mid = x + _BOX_W, y + _BOX_H // 2, to_y + _BOX_H // 2
    if column < to_column and not band.holds(range(column + 1, to_column), [to_row]):
        turn = x + _GUTTER if row != to_row else to_x
        bend = (turn - x) // 2
        # Past the next gutter the curve has become a straight line along the free row.
        return f"M{x} {y}C{x + bend} {y} {turn - bend} {mid} {turn} {mid}H{to_x}"
    above = to_y - 8
    ways = [(x, y), (x + 10, y), (x + 10, above), (to_x - 16, above), (to_x - 16, mid), (to_x, mid)]
    return _rounded(ways)


def _rounded(points: Sequence[_Point]) -> str:
    """A path along horizontal and vertical lines with rounded corners."""
    path = f"M{points[0][0]} {points[0][1]}"
    corners = zip(points, points[1:-1], points[2:], strict=False)
    for before, corner, after in corners:
        near, far = _towards(corner, before), _towards(corner, after)
        path += f"L{near[0]} {near[1]}Q{corner[0]} {corner[1]} {far[0]} {far[1]}"
    return f"{path}L{points[-1][0]} {points[-1][1]}"


def _towards(corner: _Point, end: _Point) -> _Point:
    """The point at most 8 from the corner, and at most halfway, on the way to the end."""
    (x, y), dx, dy = corner, end[0] - corner[0], end[1] - corner[1]
    reach = min(8, max(abs(dx), abs(dy)) // 2)
    return x + reach * ((dx > 0) - (dx < 0)), y + reach * ((dy > 0) - (dy < 0))


def _legend(states: Mapping[str, State]) -> list[str]:
    """The heading and, for every state, its look and how many nodes are in it."""
    count = f'<tspan class="a" dx="10">{len(states)} nodes</tspan>'
    lines = [f'<text class="h" x="{_MARGIN}" y="36">Round graph{count}</text>']
    for index, state in enumerate(STATES):
        x, number = _MARGIN + index * 130, list(states.values()).count(state)
        lines.append(
            f'<g class="{state}"><rect class="box" x="{x}" y="50" width="120" height="22" rx="6"/>'
            f'<use href="#sign-{state}" x="{x + 14}" y="61"/>'
            f'<text class="a" x="{x + 26}" y="65">{state} {number}</text></g>'
        )
    x = _MARGIN + len(STATES) * 130 + 12
    for kind, means in (("inner", "within a band"), ("rail", "from another band")):
        lines.append(f'<path class="edge {kind}" d="M{x} 61h26"/>')
        lines.append(f'<text class="s" x="{x + 32}" y="65">{means}</text>')
        x += 130
    return lines


def _band_svg(layout: _Layout, band: _Band, states: Mapping[str, State]) -> list[str]:
    """The ground of a band: its name, the headers of its sections, its arms and rails."""
    x, width = layout.label_x, layout.width - _MARGIN - layout.label_x
    done = sum(states[id] == "done" for id in band.grid.cells)
    progress = f'<tspan class="s" dx="10">{done} of {len(band.grid.cells)} done</tspan>'
    box = f'x="{x}" y="{band.top}" width="{width}" height="{band.bottom - band.top}"'
    lines = [f'<rect class="band" {box} rx="10"/>']
    for title, first, count in band.grid.sections:
        if title:
            left, right = band.x[first] - 40, band.x[first + count - 1] + _BOX_W + 12
            box = f'x="{left}" y="{band.top + 34}" width="{right - left}"'
            height = band.bottom - band.top - 42
            lines.append(f'<rect class="part" {box} height="{height}" rx="7"/>')
            middle = band.x[first] + (band.x[first + count - 1] + _BOX_W - band.x[first]) // 2
            lines.append(
                f'<text class="i" x="{middle}" y="{band.top + 51}">{xml_text(title)}</text>'
            )
    name = clip(band.group, width - 160, 14)
    title_y = band.top + 23
    lines.append(f'<text class="g" x="{x + 12}" y="{title_y}">{xml_text(name)}{progress}</text>')
    for arm, first, _ in band.grid.lanes:
        if arm:
            y = band.y[first] + 16
            lines.append(
                f'<text class="arm" x="{x + 12}" y="{y}">{xml_text(clip(arm, 90, 12))}</text>'
            )
    for source, y in band.rails.items():
        label = clip(_rail_label(layout.graph, source), _LABEL_MAX - 12, 10)
        lines.append(f'<text class="r" x="{x + 12}" y="{y - 3}">{xml_text(label)}</text>')
    return lines


def _node_svg(node: Node, corner: _Point, state: State) -> str:
    """A box with label, sign and state; pointing at it shows the outputs."""
    x, y = corner
    lines = wrap(node.label, _BOX_W - 16)
    heights = [20] if len(lines) == 1 else [15, 28]
    text = "".join(
        f'<text class="l" x="{x + 8}" y="{y + dy}">{xml_text(line)}</text>'
        for line, dy in zip(lines, heights, strict=True)
    )
    below = y + (38 if len(lines) == 1 else 42)
    tooltip = "\n".join([f"{node.label} ({state})", *node.outputs])
    return (
        f'<g class="node {state}" data-id={quoteattr(clean(node.id))}>'
        f"<title>{xml_text(tooltip)}</title>"
        f'<rect class="box" x="{x}" y="{y}" width="{_BOX_W}" height="{_BOX_H}" rx="7"/>{text}'
        f'<use href="#sign-{state}" transform="translate({x + 13} {below - 4}) scale(.8)"/>'
        f'<text class="s" x="{x + 22}" y="{below}">{state}</text></g>'
    )
