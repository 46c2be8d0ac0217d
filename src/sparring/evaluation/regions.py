"""Connected regions of class maps: specks, rooms, and whether walls close an apartment off."""

import numpy as np
from scipy import ndimage

from ..artefacts.class_roles import Roles

Array = np.ndarray

MOST_LEAKED = 1 / 20
"""Share of the interior that the outside may reach in a closed apartment.

Not 0: 23 % of real apartments (64 pixels) have a fixture, or a strip one pixel wide, drawn outside
their outer wall; 1 % have more than a twentieth of their interior there.
"""
_SPECK = 4  # pixels of a layout 64 pixels wide
# Neighbours share an edge, so that a diagonal line of wall pixels closes; layouts stay apart.
_PLANE = np.array([[[0, 0, 0]] * 3, [[0, 1, 0], [1, 1, 1], [0, 1, 0]], [[0, 0, 0]] * 3])


def speck_limit(side: int) -> int:
    """Regions of fewer pixels are specks: 4 of a layout 64 pixels wide, and at least 2."""
    return max(2, round(_SPECK * (side / 64) ** 2))


def component_statistics(ids: Array, num_classes: int) -> dict[str, Array]:
    """Regions of one class in class ids `[N,H,W]`: `components` `[N,K]` and `specks` `[N]`."""
    layouts, height, width = ids.shape
    links = np.zeros((layouts, 2 * height - 1, 2 * width - 1), dtype=bool)
    links[:, ::2, ::2] = True  # pixels, and between them whether they are of one class
    links[:, 1::2, ::2] = ids[:, 1:] == ids[:, :-1]
    links[:, ::2, 1::2] = ids[:, :, 1:] == ids[:, :, :-1]
    labels = ndimage.label(links, _PLANE)[0][:, ::2, ::2] - 1
    sizes = np.bincount(labels.ravel())
    # A region lies in one layout and has one class, which any of its pixels says.
    _, first = np.unique(labels, return_index=True)
    owners, classes = first // (height * width), ids.ravel()[first]
    counts = np.bincount(owners * num_classes + classes, minlength=layouts * num_classes)
    specks = np.bincount(owners[sizes < speck_limit(height)], minlength=layouts)
    return {
        "components": counts.reshape(layouts, num_classes).astype(np.float32),
        "specks": specks.astype(np.float32),
    }


def apartment_statistics(ids: Array, roles: Roles) -> dict[str, Array]:
    """What walls do in class ids `[N,H,W]`, `[N]` each; {} where no class is a wall.

    `closed`, only where a class is the outside: 1 if, with all doors shut, a flood from the border
    reaches at most a twentieth of the interior (all pixels that are neither wall, door nor
    outside), else 0; a layout without interior is not closed. `closed_open_doors`: the same with
    doors open. `rooms`: regions of the interior, specks aside, with doors shut; `rooms_open`: with
    doors open. `straight_walls`: the share of wall pixels between two others of wall or door, left
    and right or above and below; what leaves the picture goes on. 0 without walls.
    """
    if not roles.wall.any():
        return {}
    wall, door, outside = roles.wall[ids], roles.door[ids], roles.outside[ids]
    interior = ~(wall | door | outside)
    found = {"rooms": _rooms(interior, interior), "rooms_open": _rooms(interior | door, interior)}
    if roles.outside.any():
        found["closed"] = _closed(wall | door, interior)
        found["closed_open_doors"] = _closed(wall, interior)
    found["straight_walls"] = _straight(wall, wall | door)
    return {name: values.astype(np.float32) for name, values in found.items()}


def _closed(barrier: Array, interior: Array) -> Array:
    """Whether a flood from the border stays out of the interior, bool `[N]`."""
    labels, count = ndimage.label(~barrier, _PLANE)
    at_border = np.zeros(count + 1, dtype=bool)
    for edge in (labels[:, 0], labels[:, -1], labels[:, :, 0], labels[:, :, -1]):
        at_border[edge] = True
    at_border[0] = False  # the barrier itself
    leaked = (at_border[labels] & interior).sum((1, 2))
    total = interior.sum((1, 2))
    return (total > 0) & (leaked <= MOST_LEAKED * total)


def _rooms(passable: Array, interior: Array) -> Array:
    """Connected regions of `passable` with as much interior as makes no speck, `[N]`."""
    labels, count = ndimage.label(passable, _PLANE)
    within = labels * interior
    sizes = np.bincount(within.ravel(), minlength=count + 1)
    numbers, first = np.unique(within, return_index=True)
    rooms = (numbers > 0) & (sizes[numbers] >= speck_limit(interior.shape[1]))
    owners = first[rooms] // (interior.shape[1] * interior.shape[2])
    return np.bincount(owners, minlength=len(interior))


def _straight(wall: Array, solid: Array) -> Array:
    """The share of wall pixels whose wall goes on to two opposite sides, `[N]`."""
    around = np.pad(solid, ((0, 0), (1, 1), (1, 1)), mode="edge")
    across = around[:, 1:-1, :-2] & around[:, 1:-1, 2:]
    along = around[:, :-2, 1:-1] & around[:, 2:, 1:-1]
    return (wall & (across | along)).sum((1, 2)) / np.maximum(1, wall.sum((1, 2)))
