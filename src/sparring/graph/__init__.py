"""The round graph and its drawings as SVG and as mermaid text."""

from sparring.graph.mermaid import to_mermaid
from sparring.graph.nodes import Graph, Node, State
from sparring.graph.svg import to_svg

__all__ = ["Graph", "Node", "State", "to_mermaid", "to_svg"]
