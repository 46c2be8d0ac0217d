"""How pictures of volumes are laid out: columns of three planes, a name above each column."""

import numpy as np

from ..errors import UserError

GAP = 2
"""White pixels around every plane."""
TEXT = 14
"""Pixels above the planes, for the columns' names."""
ERROR_HU = 200.0
"""Absolute error at which error maps are brightest."""


def columns_of(picture: np.ndarray, count: int, where: str) -> list[np.ndarray]:
    """The `count` columns `[h,w,3]` of a picture `[H,W,3]`, all alike wide, without their names.

    Raises UserError, beginning with `where`, where the picture cannot have so many.
    """
    width, left_over = divmod(picture.shape[1] - GAP * (count + 1), count)
    if left_over or width < 1 or picture.shape[0] <= TEXT + GAP:
        height, found = picture.shape[:2]
        raise UserError(
            f"{where}: {found} x {height} pixels, expected a picture of {count} columns of planes; "
            "delete it and run snakemake again"
        )
    starts = [GAP + n * (width + GAP) for n in range(count)]
    return [picture[TEXT:-GAP, start : start + width] for start in starts]
