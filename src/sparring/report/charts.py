"""Charts as inline SVG; the page's style sheet gives their colours, for light and dark."""

import math
from dataclasses import dataclass, field

from markupsafe import Markup, escape

from .figures import Estimate, number

_WIDTH, _HEIGHT = 340, 210
_LEFT, _RIGHT, _TOP, _BOTTOM = 50, 8, 10, 26
_MOST_POINTS = 120  # of a line; more are thinned out
_LOG_SPAN = 10.0  # a loss that spans more than this factor is drawn on a logarithmic scale


@dataclass(frozen=True)
class Point:
    """A value at a place, with its interval if it has one."""

    x: float
    y: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Line:
    """Points joined by a line; `look` names classes of the style sheet."""

    name: str
    look: str
    points: tuple[Point, ...]


@dataclass(frozen=True)
class Chart:
    """One panel."""

    title: str
    lines: tuple[Line, ...]
    caption: str = ""
    band: tuple[float, float] | None = None
    """The wanted range, shaded."""
    null: Estimate | None = None
    """What reals have, as a dashed line in its interval."""
    null_name: str = "real against real"
    ticks: tuple[tuple[float, str], ...] = ()
    """Places along x and their names; by default numbers."""
    cuts: tuple[float, ...] = ()
    """Where an iteration ends."""
    markers: bool = False
    x_name: str = ""
    x_range: tuple[float, float] | None = None
    """Along x at least so far, for charts that are compared; by default as far as the points."""
    logarithmic: bool = field(default=False)


def line_of(name: str, look: str, xy: list[tuple[float, float]]) -> Line:
    """A line without intervals, thinned out where it has very many points; first and last stay."""
    if len(xy) > _MOST_POINTS:
        step = (len(xy) - 1) / (_MOST_POINTS - 1)
        xy = [xy[round(n * step)] for n in range(_MOST_POINTS)]
    return Line(name, look, tuple(Point(x, y) for x, y in xy))


def wants_log(values: list[float]) -> bool:
    """Whether positive values span so much that a linear scale would hide most of it."""
    return bool(values) and min(values) > 0 and max(values) > _LOG_SPAN * min(values)


def svg(chart: Chart) -> Markup:
    """The panel; empty where there is nothing to draw."""
    if not any(line.points for line in chart.lines):
        return Markup("")
    axis = _Axes(chart)
    parts = [*_ground(chart, axis), *(p for line in chart.lines for p in _drawn(line, chart, axis))]
    label = escape(f"{chart.title}: {_in_words(chart)}")
    return Markup(
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{label}">'
        f"{''.join(parts)}</svg>"
    )


class _Axes:
    """Where values stand on the panel."""

    def __init__(self, chart: Chart) -> None:
        points = [p for line in chart.lines for p in line.points]
        xs = [p.x for p in points] + [x for x, _ in chart.ticks] + [*(chart.x_range or ())]
        self.log = chart.logarithmic
        self.x0, self.x1 = min(xs), max(xs)
        margin = 0.04 * (self.x1 - self.x0) or 0.5
        self.x0, self.x1 = self.x0 - margin, self.x1 + margin
        ys = [v for p in points for v in (p.y, p.low, p.high) if v is not None]
        ys += [*(chart.band or ())]
        if chart.null:
            ys += [chart.null.low, chart.null.high, chart.null.value]
        low, high = min(map(self._scaled, ys)), max(map(self._scaled, ys))
        space = 0.06 * (high - low) or 0.05 * abs(high) or 0.5
        self.y0, self.y1 = low - space, high + space

    def x(self, value: float) -> float:
        """Pixels from the left."""
        return round(_LEFT + (value - self.x0) / (self.x1 - self.x0) * (_WIDTH - _LEFT - _RIGHT), 1)

    def y(self, value: float) -> float:
        """Pixels from the top."""
        share = (self._scaled(value) - self.y0) / (self.y1 - self.y0)
        return round(_HEIGHT - _BOTTOM - share * (_HEIGHT - _TOP - _BOTTOM), 1)

    def y_ticks(self) -> list[float]:
        """Round values along y."""
        if not self.log:
            return _round_values(self.y0, self.y1, 5)
        first, last = math.floor(self.y0), math.ceil(self.y1)
        values = [m * 10.0**e for e in range(first, last + 1) for m in (1, 2, 5)]
        inside = [v for v in values if self.y0 <= self._scaled(v) <= self.y1]
        return inside[:: math.ceil(len(inside) / 6)] if inside else []

    def _scaled(self, value: float) -> float:
        return math.log10(value) if self.log else value


def _ground(chart: Chart, axis: _Axes) -> list[str]:
    """Everything behind the lines: wanted band, null, grid, names."""
    left, right, bottom = _LEFT, _WIDTH - _RIGHT, _HEIGHT - _BOTTOM
    parts = []
    if chart.band:
        high, low = axis.y(chart.band[1]), axis.y(chart.band[0])
        parts.append(_rect("band", left, high, right - left, low - high))
    if chart.null:
        high, low = axis.y(chart.null.high), axis.y(chart.null.low)
        parts.append(_rect("null-band", left, high, right - left, max(low - high, 0.5)))
        y = axis.y(chart.null.value)
        parts.append(f'<path class="null" d="M{left} {y}H{right}"/>')
    for value in axis.y_ticks():
        y = axis.y(value)
        parts.append(f'<path class="grid" d="M{left} {y}H{right}"/>')
        parts.append(f'<text x="{left - 5}" y="{y + 3.5}" text-anchor="end">{number(value)}</text>')
    for cut in chart.cuts:
        parts.append(f'<path class="cut" d="M{axis.x(cut)} {_TOP}V{bottom}"/>')
    for value, name in chart.ticks or [(v, number(v)) for v in _round_values(axis.x0, axis.x1, 6)]:
        at = f'x="{axis.x(value)}" y="{bottom + 13}"'
        parts.append(f'<text {at} text-anchor="middle">{escape(name)}</text>')
    if chart.x_name:
        parts.append(
            f'<text x="{right}" y="{_HEIGHT - 3}" text-anchor="end">{escape(chart.x_name)}</text>'
        )
    parts.append(f'<path class="axis" d="M{left} {_TOP}V{bottom}H{right}"/>')
    return parts


def _drawn(line: Line, chart: Chart, axis: _Axes) -> list[str]:
    """A line, its intervals and its points."""
    look = escape(line.look)
    path = "L".join(f"{axis.x(p.x)} {axis.y(p.y)}" for p in line.points)
    parts = [f'<path class="line {look}" d="M{path}"/>'] if len(line.points) > 1 else []
    for point in line.points:
        x, y = axis.x(point.x), axis.y(point.y)
        if point.low is not None and point.high is not None:
            low, high = axis.y(point.low), axis.y(point.high)
            parts.append(
                f'<path class="bar {look}" d="M{x} {low}V{high}M{x - 3} {low}h6M{x - 3} {high}h6"/>'
            )
        if chart.markers or len(line.points) == 1:
            parts.append(
                f'<circle class="dot {look}" cx="{x}" cy="{y}" r="3"><title>{escape(line.name)}: '
                f"{_words(point)}</title></circle>"
            )
    return parts


def _in_words(chart: Chart) -> str:
    ends = [
        f"{line.name} ends at {number(line.points[-1].y)}" for line in chart.lines if line.points
    ]
    return ", ".join(ends)


def _words(point: Point) -> str:
    if point.low is None or point.high is None:
        return number(point.y)
    return f"{number(point.y)} [{number(point.low)}, {number(point.high)}]"


def _rect(look: str, x: float, y: float, width: float, height: float) -> str:
    return f'<rect class="{look}" x="{x}" y="{y}" width="{width:.1f}" height="{height:.1f}"/>'


def _round_values(low: float, high: float, count: int) -> list[float]:
    """At most about `count` round values between two."""
    raw = (high - low) / max(count - 1, 1)
    power = 10.0 ** math.floor(math.log10(raw)) if raw > 0 else 1.0
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= raw)
    first = math.ceil(low / step)
    return [round(n * step, 12) for n in range(first, math.floor(high / step) + 1)]
