"""What the SVG of a round graph shows, whatever the exact picture."""

from __future__ import annotations

import itertools
import re
from xml.etree import ElementTree

from example_graphs import EVERY, GRAPHS, NASTY, hostile_graph, node, round_graph, some_states

from sparring.graph import Graph, to_svg
from sparring.graph.nodes import ARMS

SVG = "{http://www.w3.org/2000/svg}"
Box = tuple[float, float, float, float]


def _root(graph: Graph) -> ElementTree.Element:
    return ElementTree.fromstring(to_svg(graph, some_states(graph)))


def _boxes(root: ElementTree.Element) -> dict[str, Box]:
    boxes = {}
    for group in root.iter(f"{SVG}g"):
        if "data-id" in group.attrib:
            rect = group.find(f"{SVG}rect")
            assert rect is not None
            x, y, width, height = (float(rect.attrib[k]) for k in ("x", "y", "width", "height"))
            boxes[group.attrib["data-id"]] = (x, y, x + width, y + height)
    return boxes


def _edges(root: ElementTree.Element) -> list[tuple[str, str, str]]:
    paths = (path.attrib for path in root.iter(f"{SVG}path"))
    return [(p["data-from"], p["data-to"], p["d"]) for p in paths if "data-from" in p]


def _texts(root: ElementTree.Element) -> list[str]:
    return ["".join(text.itertext()) for text in root.iter(f"{SVG}text")]


def _points(path: str) -> list[tuple[float, float]]:
    """Points close together along a path of the commands M, L, H, V, Q and C."""
    points: list[tuple[float, float]] = []
    for command, text in re.findall(r"([MLHVQC])([^MLHVQC]*)", path):
        numbers = [float(number) for number in text.split()]
        if command == "V":
            numbers.insert(0, points[-1][0])
        if command == "H":
            numbers.append(points[-1][1])
        ends = list(zip(numbers[::2], numbers[1::2], strict=True))
        if command == "M":
            points += ends
            continue
        curve = [points[-1], *ends]
        points += [_on_curve(curve, step / 60) for step in range(1, 61)]
    return points


def _on_curve(points: list[tuple[float, float]], t: float) -> tuple[float, float]:
    while len(points) > 1:
        pairs = itertools.pairwise(points)
        points = [(a + (c - a) * t, b + (d - b) * t) for (a, b), (c, d) in pairs]
    return points[0]


@EVERY
def test_every_node_and_every_edge_is_drawn_once(graph: Graph) -> None:
    root = _root(graph)
    drawn = [g.attrib["data-id"] for g in root.iter(f"{SVG}g") if "data-id" in g.attrib]
    assert sorted(drawn) == sorted(node.id for node in graph.nodes)
    assert sorted(edge[:2] for edge in _edges(root)) == sorted(graph.edges)


@EVERY
def test_no_boxes_overlap_and_all_lie_in_the_picture(graph: Graph) -> None:
    root = _root(graph)
    boxes = _boxes(root).values()
    for a, b in itertools.combinations(boxes, 2):
        assert a[2] < b[0] or b[2] < a[0] or a[3] < b[1] or b[3] < a[1]
    width, height = float(root.attrib["width"]), float(root.attrib["height"])
    assert all(x > 0 and y > 0 and x2 < width and y2 < height for x, y, x2, y2 in boxes)


@EVERY
def test_edges_join_their_boxes_and_run_behind_no_other(graph: Graph) -> None:
    root = _root(graph)
    boxes = _boxes(root)
    for source, target, path in _edges(root):
        points = _points(path)
        for id, (x, y) in ((source, points[0]), (target, points[-1])):
            x1, y1, x2, y2 = boxes[id]
            assert x1 <= x <= x2
            assert y1 <= y <= y2
        for id, (x1, y1, x2, y2) in boxes.items():
            if id not in (source, target):
                assert not any(x1 <= x <= x2 and y1 <= y <= y2 for x, y in points), (source, id)


def test_every_experiment_has_its_iteration_headers() -> None:
    texts = _texts(_root(GRAPHS["two experiments"]))
    for header in ("start", *(f"iteration {n}" for n in range(6)), "results"):
        assert texts.count(header) == 2
    assert any(text.startswith("first") for text in texts)
    assert all(texts.count(arm) == 2 for arm in ARMS)


def test_iterations_run_from_left_to_right_between_start_and_results() -> None:
    boxes = _boxes(_root(round_graph(12)))
    evaluations = ["evaluate/demo/start", *(f"evaluate/demo/adversarial/{n}" for n in range(12))]
    lefts = [boxes[id][0] for id in (*evaluations, "select_best/demo")]
    assert lefts == sorted(set(lefts))


def test_arms_stand_above_each_other_in_the_same_columns() -> None:
    boxes = _boxes(_root(round_graph()))
    for n in range(3):
        for upper, lower in itertools.pairwise(ARMS):
            above = boxes[f"finetune_diffusion/demo/{upper}/{n}"]
            below = boxes[f"finetune_diffusion/demo/{lower}/{n}"]
            assert above[0] == below[0]
            assert above[3] < below[1]


def test_baselines_stand_beside_the_start_in_its_rows() -> None:
    boxes = _boxes(_root(round_graph()))
    for stage in ("sample_evaluation", "evaluate"):
        start, *others = (
            boxes[f"{stage}/demo/{model}"]
            for model in ("start", "start_better_solver", "start_matched")
        )
        assert all(box[1] == start[1] and box[0] > start[0] for box in others)


def test_groups_that_need_each_other_are_drawn_all_the_same() -> None:
    nodes = tuple(node(id, group=id[0]) for id in ("a1", "a2", "b1"))
    graph = Graph(nodes, (("a1", "b1"), ("b1", "a2")))
    assert sorted(graph.groups) == ["a", "b"]
    assert len(_edges(_root(graph))) == 2


def test_states_are_words_on_the_nodes_and_counts_in_the_legend() -> None:
    graph = round_graph()
    states = some_states(graph)
    root = _root(graph)
    for group in root.iter(f"{SVG}g"):
        if "data-id" in group.attrib:
            words = [text.text for text in group.iter(f"{SVG}text")]
            assert states.get(group.attrib["data-id"], "unknown") in words
    counted = list(states.values())
    for state in ("done", "stale", "missing"):
        assert f"{state} {counted.count(state)}" in _texts(root)
    assert "unknown 2" in _texts(root)


def test_hostile_text_is_shown_as_text() -> None:
    root = _root(hostile_graph())
    assert not list(root.iter(f"{SVG}script"))
    title = root.find(f"{SVG}g[@data-id]/{SVG}title")
    assert title is not None
    assert NASTY.replace("\x00", "") in (title.text or "")


def test_outputs_are_in_the_tooltip() -> None:
    titles = [title.text or "" for title in _root(round_graph()).iter(f"{SVG}title")]
    assert any("artefacts/evaluate/demo/control/2/manifest.json" in title for title in titles)


def test_long_labels_are_cut_to_their_box() -> None:
    graph = Graph((node("a", label="word " * 40), node("b", label="x" * 200)), ())
    shown = [text for text in _texts(_root(graph)) if text.endswith("…")]
    assert len(shown) == 2
    assert all(len(text) < 40 for text in shown)


@EVERY
def test_the_same_graph_gives_the_same_bytes(graph: Graph) -> None:
    again = Graph(tuple(graph.nodes), tuple(graph.edges))
    states = some_states(graph)
    assert to_svg(graph, states) == to_svg(again, dict(reversed(states.items())))
