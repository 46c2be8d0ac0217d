"""The round graph itself: its groups in order, and what it refuses."""

from __future__ import annotations

import pytest
from example_graphs import node

from sparring.graph import Graph


def test_producing_groups_come_before_consuming_ones() -> None:
    graph = Graph(
        (node("late", group="a"), node("early", group="b"), node("data", group="shared")),
        (("early", "late"), ("data", "early")),
    )
    assert graph.groups == ("shared", "b", "a")


def test_a_cycle_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"cycle: (a -> b -> a|b -> a -> b)"):
        Graph((node("a"), node("b"), node("c")), (("a", "b"), ("b", "a"), ("b", "c")))


def test_a_repeated_id_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="'a' is used twice"):
        Graph((node("a"), node("a")), ())


def test_an_edge_to_nowhere_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="no node 'z'"):
        Graph((node("a"),), (("a", "z"),))
