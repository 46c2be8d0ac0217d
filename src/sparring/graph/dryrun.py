"""The round graph from Snakemake's own words: a forced dry run names jobs, a summary their states.

Nothing is planned here a second time: what is drawn is what Snakemake would run.
"""

import re
from collections.abc import Mapping

from .nodes import SHARED, Graph, Node, State

_JOB = re.compile(r"^(?:local)?rule (\w+):$")
_TARGETS = {"all", "default"}  # they gather, they make nothing


def parse_dry_run(text: str) -> Graph:
    """The graph of all jobs in the output of `snakemake --dry-run --forceall`."""
    nodes: list[Node] = []
    inputs: dict[str, list[str]] = {}
    for rule, fields in _jobs(text):
        node = _node(rule, fields)
        nodes.append(node)
        inputs[node.id] = _list(fields.get("input", ""))
    producer = {output: node.id for node in nodes for output in node.outputs}
    edges = dict.fromkeys(
        (producer[file], node.id) for node in nodes for file in inputs[node.id] if file in producer
    )
    return Graph(tuple(nodes), tuple(edges))


def parse_summary(text: str, graph: Graph) -> dict[str, State]:
    """The state of every node from the output of `snakemake --summary`.

    A node is `missing` if one of its outputs is, `stale` if Snakemake would make it again, `done`
    if it would not, and `unknown` if the summary does not name its outputs.
    """
    rows = [line.split("\t") for line in text.splitlines() if "\t" in line]
    columns = {name: position for position, name in enumerate(rows[0])} if rows else {}
    found: dict[str, State] = {}
    for row in rows[1:]:
        missing = row[columns["status"]] == "missing"
        pending = row[columns["plan"]] == "update pending"
        found[row[columns["output_file"]]] = (
            "missing" if missing else "stale" if pending else "done"
        )
    return {node.id: _state(node, found) for node in graph.nodes}


def _state(node: Node, found: Mapping[str, State]) -> State:
    states = {found.get(output, "unknown") for output in node.outputs}
    order: tuple[State, ...] = ("missing", "stale", "unknown", "done")
    return next(state for state in order if state in states)


def _jobs(text: str) -> list[tuple[str, dict[str, str]]]:
    """(rule, {field: value}) for every job; fields are the indented `name: value` lines."""
    jobs: list[tuple[str, dict[str, str]]] = []
    for line in text.splitlines():
        start = _JOB.match(line)
        if start:
            jobs.append((start.group(1), {}))
        elif jobs and line.startswith("    ") and ": " in line:
            name, value = line.strip().split(": ", 1)
            jobs[-1][1].setdefault(name, value)
    return [(rule, fields) for rule, fields in jobs if rule not in _TARGETS]


def _node(rule: str, fields: Mapping[str, str]) -> Node:
    wildcards = dict(pair.split("=", 1) for pair in _list(fields.get("wildcards", "")))
    arm, iteration = _place(rule, wildcards)
    model = "" if iteration is not None else wildcards.get("model", "")
    label = rule.replace("_", " ")
    if "experiment" not in wildcards:
        label += " " + " / ".join(wildcards.values())
    elif "shard" in wildcards:
        label += " {shard} of {shards}".format(**wildcards)
    elif "phase" in wildcards:
        label += " / {phase}".format(**wildcards)
    elif model:
        label += f" / {model.replace('_', ' ')}"
    return Node(
        id="/".join([rule, *wildcards.values()]),
        stage=rule,
        group=wildcards.get("experiment", SHARED),
        arm=arm,
        iteration=iteration,
        outputs=tuple(_list(fields.get("output", ""))),
        label=label,
        model=model,
    )


def _place(rule: str, wildcards: Mapping[str, str]) -> tuple[str | None, int | None]:
    """(arm, iteration); a judged model is named `start` or `{arm}/iteration_{n}`."""
    if "iteration" in wildcards:
        arm = "control_time" if rule == "measure_time" else "adversarial"
        return wildcards.get("arm", arm), int(wildcards["iteration"])
    arm, _, iteration = wildcards.get("model", "").partition("/iteration_")
    return (arm, int(iteration)) if iteration else (None, None)


def _list(value: str) -> list[str]:
    return [part for part in value.split(", ") if part]
