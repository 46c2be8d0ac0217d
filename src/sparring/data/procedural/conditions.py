"""What class-conditional models can be told of a procedural layout."""

import numpy as np

from sparring.data.procedural.model import BALCONY
from sparring.settings.dataset import BALCONY_CONDITIONS


def balcony_condition(layout: np.ndarray) -> str:
    """`balcony` or `no balcony`, of class ids `[S,S]`."""
    return BALCONY_CONDITIONS[0 if (layout == BALCONY).any() else 1]
