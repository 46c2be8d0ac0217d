"""The round graph as a standalone SVG picture.

Groups are bands from top to bottom, columns flow from left to right. What a band consumes
from other bands enters it on labelled rails above its boxes; every line runs between the
boxes, never behind one that it does not touch.
"""

from __future__ import annotations

from collections.abc import Mapping
from xml.sax.saxutils import quoteattr

from sparring.graph.nodes import STATES, Graph, Node, State
from sparring.graph.placement import (
    BOX_H,
    BOX_W,
    LABEL_MAX,
    MARGIN,
    Band,
    Layout,
    Point,
    lay_out,
    rail_label,
)
from sparring.graph.routes import edge_svg
from sparring.graph.text import clean, clip, wrap, xml_text

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


def to_svg(graph: Graph, states: Mapping[str, State]) -> str:
    """Draw the graph; a node that `states` does not name is drawn as unknown.

    The same graph and states give the same bytes.
    """
    layout = lay_out(graph)
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
    drawn = [edge_svg(layout, source, target) for source, target in graph.edges]
    # Pale lines first: a line within a band is never hidden by one that only enters it.
    parts += [text for kind in ("rail", "bus", "inner") for drew, text in drawn if drew == kind]
    for node in graph.nodes:
        parts.append(_node_svg(node, layout.bands[node.group].box(node.id), known[node.id]))
    return "\n".join([*parts, "</svg>"]) + "\n"


def _legend(states: Mapping[str, State]) -> list[str]:
    """The heading and, for every state, its look and how many nodes are in it."""
    count = f'<tspan class="a" dx="10">{len(states)} nodes</tspan>'
    lines = [f'<text class="h" x="{MARGIN}" y="36">Round graph{count}</text>']
    for index, state in enumerate(STATES):
        x, number = MARGIN + index * 130, list(states.values()).count(state)
        lines.append(
            f'<g class="{state}"><rect class="box" x="{x}" y="50" width="120" height="22" rx="6"/>'
            f'<use href="#sign-{state}" x="{x + 14}" y="61"/>'
            f'<text class="a" x="{x + 26}" y="65">{state} {number}</text></g>'
        )
    x = MARGIN + len(STATES) * 130 + 12
    for kind, means in (("inner", "within a band"), ("rail", "from another band")):
        lines.append(f'<path class="edge {kind}" d="M{x} 61h26"/>')
        lines.append(f'<text class="s" x="{x + 32}" y="65">{means}</text>')
        x += 130
    return lines


def _band_svg(layout: Layout, band: Band, states: Mapping[str, State]) -> list[str]:
    """The ground of a band: its name, the headers of its sections, its arms and rails."""
    x, width = layout.label_x, layout.width - MARGIN - layout.label_x
    done = sum(states[id] == "done" for id in band.grid.cells)
    progress = f'<tspan class="s" dx="10">{done} of {len(band.grid.cells)} done</tspan>'
    box = f'x="{x}" y="{band.top}" width="{width}" height="{band.bottom - band.top}"'
    lines = [f'<rect class="band" {box} rx="10"/>']
    for title, first, count in band.grid.sections:
        if title:
            left, right = band.x[first] - 40, band.x[first + count - 1] + BOX_W + 12
            box = f'x="{left}" y="{band.top + 34}" width="{right - left}"'
            height = band.bottom - band.top - 42
            lines.append(f'<rect class="part" {box} height="{height}" rx="7"/>')
            middle = band.x[first] + (band.x[first + count - 1] + BOX_W - band.x[first]) // 2
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
        label = clip(rail_label(layout.graph, source), LABEL_MAX - 12, 10)
        lines.append(f'<text class="r" x="{x + 12}" y="{y - 3}">{xml_text(label)}</text>')
    return lines


def _node_svg(node: Node, corner: Point, state: State) -> str:
    """A box with label, sign and state; pointing at it shows the outputs."""
    x, y = corner
    lines = wrap(node.label, BOX_W - 16)
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
        f'<rect class="box" x="{x}" y="{y}" width="{BOX_W}" height="{BOX_H}" rx="7"/>{text}'
        f'<use href="#sign-{state}" transform="translate({x + 13} {below - 4}) scale(.8)"/>'
        f'<text class="s" x="{x + 22}" y="{below}">{state}</text></g>'
    )
