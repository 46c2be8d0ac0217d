"""Where everything of the round graph's picture stands, in pixels."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from sparring.graph.nodes import SHARED, Graph, Grid, arrange
from sparring.graph.text import text_width

BOX_W, BOX_H = 144, 48
GUTTER, _ROW_GAP, _LANE_GAP = 44, 20, 36
_SECTION_GAP = 14  # added to the gutter where one section ends and the next begins
MARGIN, _TOP, LANE_STEP, _RAIL_STEP = 24, 84, 5, 16
_LABEL_MIN, LABEL_MAX = 100, 200

Point = tuple[int, int]


@dataclass
class Band:
    """Where one group is drawn."""

    group: str
    grid: Grid
    rails: dict[str, int]  # id of a node of another band: y of its rail
    sources: list[str]  # ids that other bands consume
    top: int = 0
    bottom: int = 0
    x: list[int] = field(default_factory=list)
    y: list[int] = field(default_factory=list)

    def box(self, id: str) -> Point:
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
        return self.y[last] + BOX_H + 14


@dataclass
class Layout:
    """Where all bands are drawn, and the lines left of them."""

    graph: Graph
    bands: dict[str, Band]
    trunks: dict[str, int]  # id of a node consumed by other bands: x left of the bands
    label_x: int
    width: int
    height: int


def lay_out(graph: Graph) -> Layout:
    """Place the bands from top to bottom, each as wide as it needs."""
    bands = {group: _band(graph, group) for group in graph.groups}
    trunks = [id for band in bands.values() for id in band.sources]
    trunk_x = {id: MARGIN + index * LANE_STEP for index, id in enumerate(trunks)}
    label_x = MARGIN + len(trunks) * LANE_STEP + (12 if trunks else 0)
    texts = [text_width(rail_label(graph, id), 10) for band in bands.values() for id in band.rails]
    label_w = min(LABEL_MAX, max([_LABEL_MIN, *(round(text) for text in texts)]))
    top, right = _TOP, 820
    for band in bands.values():
        right = max(right, _set_columns(band, label_x + label_w))
        _set_rows(band, top)
        top = band.bottom + 16 + (len(band.sources) * LANE_STEP + 8 if band.sources else 0)
    return Layout(graph, bands, trunk_x, label_x, right + MARGIN, top + 8)


def _band(graph: Graph, group: str) -> Band:
    """A band with its grid and what goes in and out, still without coordinates."""
    foreign = [edge for edge in graph.edges if crosses(graph, *edge)]
    return Band(
        group=group,
        grid=arrange(graph, group),
        rails={s: 0 for s, target in foreign if graph.by_id[target].group == group},
        sources=list(dict.fromkeys(s for s, _ in foreign if graph.by_id[s].group == group)),
    )


def crosses(graph: Graph, source: str, target: str) -> bool:
    """Whether an edge goes from one band to another."""
    return graph.by_id[source].group != graph.by_id[target].group


def rail_label(graph: Graph, source: str) -> str:
    """What a rail carries; an experiment is named, as another may use the same labels."""
    node = graph.by_id[source]
    return node.label if node.group == SHARED else f"{node.group}: {node.label}"


def _set_columns(band: Band, left: int) -> int:
    """Fix the x of every column and return the right edge of the band."""
    starts = {first for _, first, _ in band.grid.sections}
    for column in range(sum(count for _, _, count in band.grid.sections)):
        left += GUTTER + (_SECTION_GAP if column in starts else 0)
        band.x.append(left)
        left += BOX_W
    return left + 22


def _set_rows(band: Band, top: int) -> None:
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
            y += BOX_H + _ROW_GAP
        y -= _ROW_GAP
    band.bottom = y + (26 if band.grid.sections[-1][0] == "results" else 16)
