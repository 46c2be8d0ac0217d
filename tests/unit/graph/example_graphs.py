"""Round graphs to be drawn, and states for them."""

from __future__ import annotations

import itertools

import pytest

from sparring.graph import Graph, Node, State
from sparring.graph.nodes import ARMS


class _Builder:
    """Collects nodes and edges under ids that read stage/owner."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.edges: list[tuple[str, str]] = []

    def add(
        self,
        stage: str,
        group: str,
        needs: list[str],
        *,
        arm: str | None = None,
        iteration: int | None = None,
        of: str = "",
        model: str = "",
    ) -> str:
        where = [group, of, arm or "", "" if iteration is None else str(iteration), model]
        id = "/".join([stage, *(part for part in where if part)])
        label = " ".join([stage.replace("_", " "), of]).strip()
        outputs = (f"artefacts/{id}/manifest.json",)
        self.nodes.append(Node(id, stage, group, arm, iteration, outputs, label, model))
        self.edges += [(need, id) for need in needs]
        return id


def _arm(build: _Builder, group: str, arm: str, count: int, denoiser: str, data: str) -> list[str]:
    """The iterations of one arm, after those that it measures; returns its evaluations."""
    evaluations = []
    for n in range(count):
        needs = [denoiser, data]
        if arm == "adversarial":
            real = build.add("encode_real", group, [data], arm=arm, iteration=n)
            fake = build.add("sample_fake", group, [denoiser], arm=arm, iteration=n)
            judge = build.add("train_discriminator", group, [real, fake], arm=arm, iteration=n)
            needs.append(judge)
        if arm == "control_time":
            timed = [f"finetune_diffusion/{group}/{a}/{n}" for a in ("adversarial", "control")]
            needs.append(build.add("measure_time", group, timed, arm=arm, iteration=n))
        denoiser = build.add("finetune_diffusion", group, needs, arm=arm, iteration=n)
        sample = build.add("sample_evaluation", group, [denoiser], arm=arm, iteration=n)
        test = data.replace("train", "test")
        evaluations.append(build.add("evaluate", group, [sample, test], arm=arm, iteration=n))
    return evaluations


def round_graph(iterations: int = 3, experiments: tuple[str, ...] = ("demo",)) -> Graph:
    """One dataset, one autoencoder, one pretrained denoiser, experiments with all arms."""
    build = _Builder()
    pack = build.add("pack_layouts", "shared", [], of="r2v")
    coder = build.add("train_autoencoder", "shared", [pack], of="small")
    encodings = [
        build.add("encode_layouts", "shared", [pack, coder], of=f"r2v / {split}")
        for split in ("train", "val", "test")
    ]
    denoiser = build.add("pretrain_diffusion", "base", encodings[:2])
    for group in experiments:
        evaluations = []
        for model in ("start", "start_better_solver", "start_matched"):
            sample = build.add("sample_evaluation", group, [denoiser], model=model)
            test = encodings[2]
            evaluations.append(build.add("evaluate", group, [sample, test], model=model))
        evaluations.append(build.add("evaluate", group, encodings[2:], model="reals"))
        for arm in ARMS:
            evaluations += _arm(build, group, arm, iterations, denoiser, encodings[0])
        build.add("summarise", group, evaluations)
        build.add("select_best", group, evaluations)
    return Graph(tuple(build.nodes), tuple(build.edges))


def some_states(graph: Graph) -> dict[str, State]:
    """All four states, every one on several nodes."""
    states: dict[str, State] = {}
    for index, id in enumerate(graph.order):
        share = index / len(graph.order)
        states[id] = "done" if share < 0.6 else "stale" if share < 0.75 else "missing"
    for id in graph.order[-2:]:
        del states[id]
    return states


def node(id: str, group: str = "demo", label: str = "", outputs: tuple[str, ...] = ()) -> Node:
    """A node of which the drawing alone matters."""
    return Node(id, "some_stage", group, None, None, outputs, label or id)


def _warm_discriminators() -> Graph:
    """Edges whose straight way is blocked by the boxes between them."""
    graph = round_graph()
    judges = [f"train_discriminator/demo/adversarial/{n}" for n in range(3)]
    return Graph(graph.nodes, (*graph.edges, *itertools.pairwise(judges)))


NASTY = "</text><script>\"'&\x00]"


def hostile_graph() -> Graph:
    """One whose texts would be markup if they were not escaped."""
    nodes = (node(NASTY, outputs=(NASTY,), group=NASTY), node("b"))
    return Graph(nodes, ((NASTY, "b"),))


GRAPHS = {
    "default": round_graph(),
    "two experiments": round_graph(6, ("first", "second")),
    "warm discriminators": _warm_discriminators(),
    "no iterations": Graph((node("a"), node("b")), (("a", "b"),)),
    "empty": Graph((), ()),
}
EVERY = pytest.mark.parametrize("graph", GRAPHS.values(), ids=GRAPHS.keys())
