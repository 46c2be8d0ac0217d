"""Rooms, walls and specks that can be counted by hand, and on real apartments."""

import json
from pathlib import Path

import numpy as np
import pytest
import yaml

from sparring.artefacts.class_roles import Roles
from sparring.data.procedural.layout import generate_layouts
from sparring.data.procedural.model import CLASSES
from sparring.evaluation.layout_statistics import layout_statistics, recall_and_precision
from sparring.evaluation.regions import apartment_statistics, component_statistics, speck_limit

REPOSITORY = Path(__file__).resolve().parents[3]
CONFIG = yaml.safe_load((REPOSITORY / "config" / "config.yaml").read_text())
APARTMENTS = (REPOSITORY / CONFIG["datasets"]["r2v"]["manifest"]).parent
"""Real ones: classes.json, and seg64.npz with class ids `[N,64,64]` as `seg`."""
NAMES = ["background", "wall", "door", "bedroom", "kitchen"]
OUTSIDE, WALL, DOOR, BEDROOM, KITCHEN = range(5)
ROLES = Roles.of([{"id": n, "name": name} for n, name in enumerate(NAMES)])


def apartment(side=64):
    """A square of walls, parted in two rooms, with a door between them and one to the outside."""
    ids = np.full((1, side, side), OUTSIDE, dtype=np.uint8)
    ids[0, 10:51, 10:51] = WALL
    ids[0, 11:50, 11:30], ids[0, 11:50, 31:50] = BEDROOM, KITCHEN
    ids[0, 20:25, 30] = ids[0, 30:35, 10] = DOOR
    return ids


def measured(ids, roles=ROLES):
    """Of one layout, a number each."""
    return {name: values.item() for name, values in apartment_statistics(ids, roles).items()}


def test_doors_close_an_apartment_and_part_its_rooms_only_while_they_are_shut():
    found = measured(apartment())
    assert (found["closed"], found["closed_open_doors"]) == (1, 0)
    assert (found["rooms"], found["rooms_open"]) == (2, 1)


@pytest.mark.parametrize("pixel", [(10, 20), (50, 40), (45, 50)])
def test_a_wall_that_lacks_one_pixel_opens_the_apartment(pixel):
    ids = apartment()
    ids[0, *pixel] = BEDROOM
    assert measured(ids)["closed"] == 0
    ids[0, *pixel] = OUTSIDE
    assert measured(ids)["closed"] == 0


def test_a_diagonal_wall_closes_and_a_wall_between_rooms_is_no_matter():
    ids = apartment()
    ids[0, 10, 10] = OUTSIDE  # the corner's neighbours meet at an edge point only
    ids[0, 40, 30] = BEDROOM
    found = measured(ids)
    assert (found["closed"], found["rooms"]) == (1, 1)


def test_a_fixture_outside_the_walls_opens_nothing_but_a_room_without_walls_does():
    ids = apartment()
    ids[0, 5:8, 20:23] = KITCHEN
    assert measured(ids)["closed"] == 1
    ids[0, :8] = KITCHEN
    assert measured(ids)["closed"] == 0


def test_nothing_is_not_closed():
    assert measured(np.zeros((1, 64, 64), dtype=np.uint8))["closed"] == 0


def test_specks_are_no_rooms():
    ids = apartment()
    ids[0, 2, 2] = BEDROOM
    ids[0, 10, 20] = KITCHEN
    assert measured(ids)["rooms"] == 2
    assert component_statistics(ids, 5)["specks"] == [2]


def test_regions_are_counted_by_class_and_across_edges_only():
    ids = apartment()
    ids[0, 0:2, 0:2], ids[0, 2:4, 2:4] = BEDROOM, BEDROOM
    found = component_statistics(ids, 6)
    assert found["components"].tolist() == [[1, 1, 2, 3, 1, 0]]
    assert found["specks"] == [0]
    ids[0, 0, 1] = ids[0, 1, 0] = OUTSIDE  # two diagonal pixels are left
    found = component_statistics(ids, 6)
    assert found["components"][0, BEDROOM] == 4
    assert found["specks"] == [2]


@pytest.mark.parametrize(("side", "limit"), [(16, 2), (32, 2), (64, 4), (128, 16), (256, 64)])
def test_specks_grow_with_the_layout(side, limit):
    assert speck_limit(side) == limit
    ids = np.zeros((2, side, side), dtype=np.uint8)
    ids[0, 1, 1:limit] = 1
    ids[1].flat[side : side + limit] = 1
    assert component_statistics(ids, 2)["specks"].tolist() == [1, 0]


def test_walls_are_straight_but_for_their_ends():
    ids = np.full((3, 16, 16), OUTSIDE, dtype=np.uint8)
    ids[0, 8, :] = WALL  # leaves the picture at both ends
    ids[1, 8, 3:13] = WALL
    ids[1, 8, 5] = DOOR
    np.fill_diagonal(ids[2], WALL)
    straight = apartment_statistics(ids, ROLES)["straight_walls"]
    np.testing.assert_allclose(straight, [1, 7 / 9, 0])


def test_without_walls_nothing_is_said_of_them_and_without_outside_nothing_of_closing():
    roles = Roles.of([{"id": 4, "name": "kitchen"}])
    assert apartment_statistics(apartment(), roles) == {}
    roles = Roles.of([{"id": WALL, "name": "wall"}, {"id": 4, "name": "kitchen"}])
    assert apartment_statistics(apartment(), roles).keys() == {
        "rooms", "rooms_open", "straight_walls"
    }  # fmt: skip


def symmetries(ids):
    for turned in (ids, ids.transpose(0, 2, 1)):
        for turns in range(4):
            yield np.rot90(turned, turns, (1, 2))


def noisy(count=6, side=32):
    """Generated apartments with specks in them."""
    ids = np.stack(list(generate_layouts(0, count, side)))
    draw = np.random.default_rng(0)
    for n, y, x in draw.integers((count, side, side), size=(60, 3)):
        ids[n, y, x] = draw.integers(len(CLASSES))
    return ids


def test_all_statistics_are_the_same_under_the_eight_symmetries():
    roles = Roles.of([{"id": c.id, "name": c.name} for c in CLASSES])
    first, *others = (
        layout_statistics(np.ascontiguousarray(ids), len(CLASSES), roles)
        for ids in symmetries(noisy())
    )
    assert len(others) == 7
    for found in others:
        for name, values in first.items():
            np.testing.assert_allclose(found[name], values, rtol=1e-6, err_msg=name)


def test_statistics_of_one_layout_do_not_depend_on_the_others():
    roles, ids = Roles.of([{"id": c.id, "name": c.name} for c in CLASSES]), noisy()
    together = layout_statistics(ids, len(CLASSES), roles)
    for n in range(len(ids)):
        for name, values in layout_statistics(ids[n : n + 1], len(CLASSES), roles).items():
            np.testing.assert_array_equal(values[0], together[name][n], err_msg=name)


def test_generated_apartments_are_closed():
    roles = Roles.of([{"id": c.id, "name": c.name} for c in CLASSES])
    ids = np.stack(list(generate_layouts(0, 20, 64)))
    found = apartment_statistics(ids, roles)
    assert found["closed"].all()
    assert (found["rooms_open"] <= found["rooms"]).all()


def test_a_perfect_copy_is_found_again_and_lost_doors_are_told():
    ids = apartment()
    recall, precision = recall_and_precision(ids, ids, 6)
    assert recall == precision == [1, 1, 1, 1, 1, None]
    lost = ids.copy()
    lost[0, 20:25, 30] = WALL  # five of ten pixels of doors
    recall, precision = recall_and_precision(ids, lost, 6)
    assert recall[DOOR] == pytest.approx(0.5)
    assert precision[DOOR] == 1
    assert recall[WALL] == 1
    assert precision[WALL] < 1


@pytest.mark.skipif(
    not (APARTMENTS / "seg64.npz").is_file(),
    reason=f"no real apartments at {APARTMENTS}, where config.yaml expects dataset r2v",
)
def test_real_apartments_are_closed_straight_and_of_about_ten_rooms():
    classes = json.loads((APARTMENTS / "classes.json").read_text())
    ids = np.load(APARTMENTS / "seg64.npz")["seg"][:100]
    found = layout_statistics(ids, len(classes), Roles.of(classes))
    means = {name: float(values.mean()) for name, values in found.items()}
    assert means["closed"] > 0.97
    assert means["straight_walls"] == pytest.approx(0.95, abs=0.02)
    assert means["rooms"] == pytest.approx(10, abs=1)
    assert means["isolated_pixels"] < 1.5
