"""The round graph: every job of the workflow as a node, every file handed on as an edge."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from typing import Literal

State = Literal["done", "stale", "missing", "unknown"]
STATES: tuple[State, ...] = ("done", "stale", "missing", "unknown")

SHARED = "shared"
"""The group of what several experiments use: datasets, autoencoders, encodings."""

ARMS = ("adversarial", "control", "control_time")
"""The arms of an experiment, in the order in which they are drawn."""

# Where a stage stands within its section: column, row. The row of finetune_diffusion is kept
# free in the first column, so that the chain of denoisers runs as one straight line.
_SLOTS = {
    "encode_real": (0, 0),
    "sample_fake": (0, 1),
    "train_discriminator": (1, 1),
    "measure_time": (1, 1),
    "finetune_diffusion": (1, 2),
    "guide_denoiser": (1, 2),
    "sample_evaluation": (1, 3),
    "evaluate": (1, 4),
    "measure_layouts": (1, 5),
    "measure_volumes": (1, 5),
    "compare_models": (0, 3),
    "summarise": (1, 3),
    "select_best": (1, 4),
}

# Models that are judged without a training of their own stand right of the start, in its rows.
_RIGHT_OF_START = {"start_better_solver": 1, "start_matched": 2, "reals": 3}

_Place = tuple[int, int, int, int]  # section, column in it, lane, row in it


@dataclass(frozen=True)
class Node:
    """One job of the workflow.

    `group` is `SHARED` or the name of an experiment; `arm` and `iteration` are None
    where the job belongs to no single arm or iteration.
    """

    id: str
    stage: str
    group: str
    arm: str | None
    iteration: int | None
    outputs: tuple[str, ...]
    label: str
    model: str = ""
    """What is judged, where that is of no arm and iteration."""


@dataclass(frozen=True)
class Section:
    """The nodes of one group that belong under one header, in topological order."""

    title: str
    nodes: tuple[Node, ...]


@dataclass(frozen=True)
class Grid:
    """Columns and rows for one group, counted through all its sections and arms."""

    cells: dict[str, tuple[int, int]]
    """The column and row of each node, no two alike; no column or row is empty."""
    section_of: dict[str, int]
    """The section of each node, counted from 0."""
    sections: tuple[tuple[str, int, int], ...]
    """Title, first column and number of columns of each section."""
    lanes: tuple[tuple[str, int, int], ...]
    """Arm, first row and number of rows of each lane; the first also holds what has no arm."""


@dataclass(frozen=True)
class Graph:
    """Nodes and edges; an edge `(a, b)` says that `b` consumes an output of `a`.

    Raises ValueError, naming the culprit, for a repeated id, an edge to a node that does
    not exist, or a cycle.
    """

    nodes: tuple[Node, ...]
    edges: tuple[tuple[str, str], ...]

    def __post_init__(self) -> None:
        """Refuse what is not a graph of jobs."""
        seen: set[str] = set()
        for node in self.nodes:
            if node.id in seen:
                raise ValueError(f"node id {node.id!r} is used twice")
            seen.add(node.id)
        for edge in self.edges:
            for end in edge:
                if end not in seen:
                    raise ValueError(f"edge {edge[0]!r} -> {edge[1]!r}: no node {end!r}")
        try:
            _ = self.order
        except CycleError as error:
            raise ValueError(f"cycle: {' -> '.join(error.args[1])}") from None

    @cached_property
    def by_id(self) -> dict[str, Node]:
        """Each node under its id."""
        return {node.id: node for node in self.nodes}

    @cached_property
    def predecessors(self) -> dict[str, tuple[str, ...]]:
        """The ids whose outputs each node consumes, in the order of the edges."""
        found: dict[str, list[str]] = {node.id: [] for node in self.nodes}
        for source, target in self.edges:
            found[target].append(source)
        return {target: tuple(dict.fromkeys(sources)) for target, sources in found.items()}

    @cached_property
    def order(self) -> tuple[str, ...]:
        """The ids in topological order, the same for the same graph."""
        return tuple(TopologicalSorter(self.predecessors).static_order())

    @cached_property
    def groups(self) -> tuple[str, ...]:
        """The groups, `SHARED` first, each after the groups it consumes from."""
        needs: dict[str, dict[str, None]] = {}
        for node in sorted(self.nodes, key=lambda node: node.group != SHARED):
            sources = (self.by_id[source].group for source in self.predecessors[node.id])
            needs.setdefault(node.group, {}).update(dict.fromkeys(sources))
        return tuple(_depth_first(needs))

    def sections(self, group: str) -> tuple[Section, ...]:
        """The group cut into start, one section per iteration, and results.

        A group without iterations is one section without a title.
        """
        nodes = [self.by_id[id] for id in self.order if self.by_id[id].group == group]
        if all(node.iteration is None for node in nodes):
            return (Section("", tuple(nodes)),)
        later = self._after_iterations(nodes)
        cuts: dict[str, list[Node]] = {"start": []}
        for iteration in sorted({node.iteration for node in nodes if node.iteration is not None}):
            cuts[f"iteration {iteration}"] = []
        cuts["results"] = []
        for node in nodes:
            if node.iteration is not None:
                cuts[f"iteration {node.iteration}"].append(node)
            else:
                cuts["results" if node.id in later else "start"].append(node)
        return tuple(Section(title, tuple(cut)) for title, cut in cuts.items() if cut)

    def _after_iterations(self, nodes: Iterable[Node]) -> set[str]:
        """The ids, among these nodes in topological order, that some iteration leads to."""
        later: set[str] = set()
        rounds = {node.id for node in nodes if node.iteration is not None}
        for node in nodes:
            if node.iteration is None and (rounds | later) & set(self.predecessors[node.id]):
                later.add(node.id)
        return later


def _depth_first(needs: dict[str, dict[str, None]]) -> list[str]:
    """Order names so that each follows what it needs, otherwise as given.

    Groups may need each other both ways although the nodes form no cycle; the walk then
    keeps the given order instead of failing.
    """
    ordered: dict[str, None] = {}
    open_names: set[str] = set()

    def visit(name: str) -> None:
        if name in ordered or name in open_names:
            return
        open_names.add(name)
        for needed in needs[name]:
            visit(needed)
        ordered[name] = None

    for name in needs:
        visit(name)
    return list(ordered)


def arrange(graph: Graph, group: str) -> Grid:
    """Give every node of a group its column and row."""
    sections = graph.sections(group)
    arms = {node.arm for section in sections for node in section.nodes if node.arm}
    lanes = sorted(arms, key=lambda arm: (arm not in ARMS, arm)) or [""]
    places: dict[str, _Place] = {}
    taken: set[_Place] = set()
    for part, section in enumerate(sections):
        for node in section.nodes:
            lane = lanes.index(node.arm) if node.arm else 0
            titled = bool(section.title)
            column, row = _SLOTS.get(node.stage, (0, 0)) if titled else _slot(graph, node, places)
            column += _RIGHT_OF_START.get(node.model, 0) if titled else 0
            while (part, column, lane, row) in taken:
                row += 1
            places[node.id] = (part, column, lane, row)
            taken.add(places[node.id])
    columns = sorted({place[:2] for place in taken})
    rows = sorted({place[2:] for place in taken})
    return Grid(
        cells={id: (columns.index(at[:2]), rows.index(at[2:])) for id, at in places.items()},
        section_of={id: at[0] for id, at in places.items()},
        sections=tuple((s.title, *_span(columns, part)) for part, s in enumerate(sections)),
        lanes=tuple((arm, *_span(rows, lane)) for lane, arm in enumerate(lanes)),
    )


def _slot(graph: Graph, node: Node, placed: Mapping[str, _Place]) -> tuple[int, int]:
    """Where a node of a group without iterations asks to stand: right of all it consumes."""
    before = [placed[id] for id in graph.predecessors[node.id] if id in placed]
    column = max((place[1] + 1 for place in before), default=0)
    return column, min((place[3] for place in before), default=0)


def _span(cells: Sequence[tuple[int, int]], first: int) -> tuple[int, int]:
    """Where the cells with this first coordinate start, and how many they are."""
    hits = [index for index, cell in enumerate(cells) if cell[0] == first]
    return hits[0], len(hits)
