"""Charts: everything drawn lies on the panel, and nothing in a name is markup."""

import re
from xml.etree import ElementTree

import pytest

from sparring.report.charts import Chart, Line, Point, line_of, svg, wants_log
from sparring.report.figures import Estimate


def drawn(chart):
    return ElementTree.fromstring(str(svg(chart)))


def chart_of(*values, **more):
    points = [(float(n), value) for n, value in enumerate(values)]
    return Chart("loss", (line_of("a", "val", points),), **more)


@pytest.mark.parametrize(
    "values", [(1.0,), (1.0, 1.0), (0.0, 0.0), (1e-9, 5e-9), (-3.0, 4e6), (0.5, 0.7, 0.6)]
)
@pytest.mark.parametrize("more", [{}, {"band": (0.5, 0.7)}, {"null": Estimate(2, -1, 3)}])
def test_everything_lies_on_the_panel(values, more):
    picture = drawn(chart_of(*values, markers=True, **more))
    _, _, width, height = map(float, picture.get("viewBox").split())
    for element in picture:
        for key in ("x", "cx", "y", "cy"):
            if element.get(key) is not None:
                limit = width if "x" in key else height
                assert 0 <= float(element.get(key)) <= limit
        if element.tag == "path" and "line" in element.get("class"):
            pairs = re.findall(r"(-?[\d.]+) (-?[\d.]+)", element.get("d"))
            assert all(0 <= float(x) <= width and 0 <= float(y) <= height for x, y in pairs)


def test_more_is_drawn_higher():
    points = [p for p in drawn(chart_of(1.0, 3.0, 2.0, markers=True)) if p.tag == "circle"]
    low, high, middle = (float(p.get("cy")) for p in points)
    assert high < middle < low


def test_logarithmic_scales_give_each_decade_the_same_height():
    picture = drawn(chart_of(0.01, 0.1, 1.0, markers=True, logarithmic=True))
    heights = [float(p.get("cy")) for p in picture if p.tag == "circle"]
    assert heights[0] - heights[1] == pytest.approx(heights[1] - heights[2], abs=0.2)


def test_names_are_text():
    chart = Chart("<b>&", (Line('"><script>', "val", (Point(0, 1),)),), ticks=((0.0, "<i>"),))
    assert not {"b", "i", "script"} & {element.tag for element in drawn(chart).iter()}


def test_long_lines_are_thinned_out_but_keep_their_ends():
    xy = [(float(n), float(n % 7)) for n in range(5000)]
    points = line_of("a", "val", xy).points
    assert len(points) < 200
    assert [(points[0].x, points[0].y), (points[-1].x, points[-1].y)] == [xy[0], xy[-1]]


def test_nothing_to_draw_is_no_picture():
    assert svg(Chart("empty", (Line("a", "val", ()),))) == ""
    assert svg(Chart("empty", ())) == ""


def test_only_positive_values_of_many_sizes_ask_for_a_logarithmic_scale():
    assert wants_log([0.01, 1.0])
    assert not wants_log([0.5, 1.0])
    assert not wants_log([0.0, 1.0])
    assert not wants_log([])
