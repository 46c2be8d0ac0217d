"""Procedural dataset of furnished apartment layouts.

The layouts need no download: each is generated from a seed and its index. A layout is a square
array of class ids, background 0, drawn like an architect's colour plan with rooms between walls,
doors, windows, sometimes a balcony, and furniture.
"""

from sparring.data.procedural.conditions import balcony_condition
from sparring.data.procedural.layout import generate_layout, generate_layouts
from sparring.data.procedural.model import CLASSES, LayoutClass

__all__ = [
    "CLASSES",
    "LayoutClass",
    "balcony_condition",
    "generate_layout",
    "generate_layouts",
]
