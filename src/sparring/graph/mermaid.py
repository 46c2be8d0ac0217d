"""The round graph as mermaid text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sparring.graph.nodes import Graph, Node, State

# Border styles differ as well as colours, so that states are told apart without colour.
_CLASSES: dict[State, str] = {
    "done": "fill:#e3f4ec,stroke:#0f766e,color:#0f172a",
    "stale": "fill:#fff1d6,stroke:#b45309,color:#0f172a,stroke-dasharray:7 3",
    "missing": "fill:#ffffff,stroke:#64748b,color:#0f172a,stroke-dasharray:2 3",
    "unknown": "fill:#f3edff,stroke:#7c3aed,color:#0f172a,stroke-dasharray:8 3 2 3",
}
_FRAME = "fill:#f8fafc,stroke:#cbd5e1,color:#334155"
_PLAIN = frozenset(" _-./,:+=")


def to_mermaid(graph: Graph, states: Mapping[str, State] | None) -> str:
    """Draw the graph as a mermaid flowchart, one subgraph per group, section and arm.

    A node that `states` does not name is drawn as unknown; with None, how far jobs are is left out.
    Edges between groups are dotted.
    """
    names = {node.id: f"n{index}" for index, node in enumerate(graph.nodes)}
    lines = ["flowchart LR"]
    for index, group in enumerate(graph.groups):
        lines += [f'  subgraph g{index}["{_escape(group)}"]', "    direction LR"]
        for cut, section in enumerate(graph.sections(group)):
            inner = _arms(section.nodes, f"g{index}s{cut}", names, states)
            if section.title:
                inner = _subgraph(f"g{index}s{cut}", section.title, inner)
            lines += [f"    {line}" for line in inner]
        lines.append("  end")
    for source, target in graph.edges:
        inside = graph.by_id[source].group == graph.by_id[target].group
        lines.append(f"  {names[source]} {'-->' if inside else '-.->'} {names[target]}")
    if states is not None:
        lines += [f"  classDef {state} {style}" for state, style in _CLASSES.items()]
    frames = [words[1] for words in map(str.split, lines) if words[0] == "subgraph"]
    if frames:
        titled = ",".join(name.partition("[")[0] for name in frames)
        lines += [f"  classDef frame {_FRAME}", f"  class {titled} frame"]
    return "\n".join(lines) + "\n"


def _arms(
    nodes: Iterable[Node],
    prefix: str,
    names: Mapping[str, str],
    states: Mapping[str, State] | None,
) -> list[str]:
    """The lines of one section: what belongs to no arm, then one subgraph per arm."""
    arms: dict[str | None, list[str]] = {None: []}
    for node in nodes:
        text, style = _escape(node.label), ""
        if states is not None:
            state = states.get(node.id, "unknown")
            text, style = f"{text}<br/>{state}", f":::{state}"
        arms.setdefault(node.arm, []).append(f'{names[node.id]}["{text}"]{style}')
    lines = arms.pop(None)
    for index, (arm, inner) in enumerate(arms.items()):
        lines += _subgraph(f"{prefix}a{index}", arm or "", inner)
    return lines


def _subgraph(name: str, title: str, inner: Iterable[str]) -> list[str]:
    head = [f'subgraph {name}["{_escape(title)}"]', "  direction LR"]
    return [*head, *(f"  {line}" for line in inner), "end"]


def _escape(text: str) -> str:
    """Replace whatever mermaid could read as syntax or markup by its character code."""
    flat = " ".join(text.split())
    return "".join(char if char.isalnum() or char in _PLAIN else f"#{ord(char)};" for char in flat)
