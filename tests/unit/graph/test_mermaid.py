"""What the mermaid text of a round graph says."""

from __future__ import annotations

from example_graphs import EVERY, hostile_graph, round_graph, some_states

from sparring.graph import Graph, to_mermaid


@EVERY
def test_mermaid_has_every_node_edge_and_subgraph(graph: Graph) -> None:
    lines = [line.strip() for line in to_mermaid(graph, some_states(graph)).splitlines()]
    assert lines[0] == "flowchart LR"
    assert sum(":::" in line for line in lines) == len(graph.nodes)
    assert sum("--> " in line or "-.-> " in line for line in lines) == len(graph.edges)
    assert sum(line.startswith("subgraph ") for line in lines) == lines.count("end")
    names = [line.split("[")[0] for line in lines if line.startswith("subgraph ")]
    assert len(names) == len(set(names))


def test_mermaid_names_iterations_arms_and_states() -> None:
    text = to_mermaid(round_graph(), {})
    for title in ("shared", "demo", "start", "iteration 2", "results", "adversarial", "control"):
        assert f'["{title}"]' in text
    assert "evaluate<br/>unknown" in text


@EVERY
def test_plain_mermaid_has_the_same_graph_and_no_states(graph: Graph) -> None:
    plain, drawn = (to_mermaid(graph, states).splitlines() for states in (None, {}))
    arrows = [[line for line in lines if "->" in line] for lines in (plain, drawn)]
    assert arrows[0] == arrows[1]
    boxes = [line.strip() for line in plain if '["' in line and "subgraph" not in line]
    assert len(boxes) == len(graph.nodes)
    assert not any(":::" in line or "<br/>" in line for line in plain)
    assert sum("classDef" in line for line in plain) <= 1


def test_hostile_text_is_no_markup_of_mermaid() -> None:
    mermaid = to_mermaid(hostile_graph(), {})
    assert "<script" not in mermaid
    assert "&" not in mermaid


@EVERY
def test_the_same_graph_gives_the_same_mermaid(graph: Graph) -> None:
    again = Graph(tuple(graph.nodes), tuple(graph.edges))
    states = some_states(graph)
    assert to_mermaid(graph, states) == to_mermaid(again, dict(reversed(states.items())))
