"""Statistics of layouts that can be counted by hand."""

import numpy as np
import pytest

from sparring.artefacts.class_roles import Roles
from sparring.evaluation.layout_statistics import (
    layout_figures,
    layout_statistics,
)
from sparring.evaluation.statistics import Parts, estimate_of


def halves(side=16):
    """Left half class 1, right half class 2."""
    ids = np.ones((1, side, side), dtype=np.uint8)
    ids[:, :, side // 2 :] = 2
    return ids


def test_two_halves_have_one_straight_boundary():
    found = layout_statistics(halves(), 4)
    assert found["class_shares"].tolist() == [[0, 0.5, 0.5, 0]]
    assert found["boundary_length"].tolist() == [16]
    assert found["isolated_pixels"].tolist() == [0]


def test_a_speck_is_one_isolated_pixel_with_four_edges():
    ids = halves()
    ids[0, 4, 3] = ids[0, 0, 15] = 3  # one inside, one in the corner
    found = layout_statistics(ids, 4)
    assert found["isolated_pixels"].tolist() == [2]
    assert found["boundary_length"].tolist() == [16 + 4 + 2]


def test_two_pixels_side_by_side_are_not_isolated():
    ids = halves()
    ids[0, 4, 3:5] = 3
    assert layout_statistics(ids, 4)["isolated_pixels"].tolist() == [0]


def pairs_of(ids, classes):
    row = layout_statistics(ids, classes)["adjacencies"][0]
    pairs = np.stack(np.triu_indices(classes, 1), 1)[row.astype(bool)]
    return {tuple(pair) for pair in pairs.tolist()}


def test_rooms_that_a_wall_parts_are_adjacent_and_others_are_not():
    """At 64 pixels a wall of three is bridged: 1 | wall 0 | 2 | wall 0 | 3."""
    ids = np.zeros((1, 64, 64), dtype=np.uint8)
    ids[:, :, :20], ids[:, :, 23:40], ids[:, :, 43:] = 1, 2, 3
    assert pairs_of(ids, 4) == {(0, 1), (0, 2), (0, 3), (1, 2), (2, 3)}


def test_transposing_changes_nothing():
    ids = np.random.default_rng(0).integers(4, size=(3, 16, 16)).astype(np.uint8)
    a, b = layout_statistics(ids, 4), layout_statistics(ids.transpose(0, 2, 1), 4)
    for name in a:
        np.testing.assert_array_equal(a[name], b[name])


def random_layouts(seed, specks=0, count=60):
    draw = np.random.default_rng(seed)
    ids = np.repeat(halves(), count, axis=0)
    for n in range(count):
        ids[n, :, : draw.integers(4, 12)] = draw.integers(3)
    for n, y, x in draw.integers((count, 16, 16), size=(specks, 3)):
        ids[n, y, x] = 3
    return layout_statistics(ids, 4)


def figures(samples, reals):
    return layout_figures(samples, reals, Parts.of(np.arange(60), np.arange(60), 0))


def is_seen(gap):
    return estimate_of([gap]).p_above() < 0.005


def test_gaps_to_reals_of_the_same_kind_are_within_their_error():
    found = figures(random_layouts(1), random_layouts(2))
    for name in ("boundary_gap", "isolated_gap"):
        assert not is_seen(found[name])
    assert found["class_distance"].value < 0.1


def test_specks_show_in_every_figure_but_little_in_the_classes():
    found = figures(random_layouts(1, specks=300), random_layouts(2))
    assert is_seen(found["isolated_gap"])
    assert is_seen(found["boundary_gap"])
    assert found["adjacency_distance"].value > 0.1
    assert found["class_distance"].value < 0.1


def test_class_distance_is_the_total_variation():
    assert one(halves(), layout_statistics(np.ones_like(halves()), 4))["class_distance"] == 0.5


ROLES = Roles.of([{"id": 0, "name": "outside"}, {"id": 1, "name": "wall"}, {"id": 3, "name": "x"}])


def one(samples, reals):
    """Figures of single layouts, which have a value and no spread."""
    sides = [{name: np.repeat(values, 2, axis=0) for name, values in columns.items()}
             for columns in (layout_statistics(samples, 4, ROLES), reals)]  # fmt: skip
    found = layout_figures(*sides, Parts(np.arange(2), np.arange(2)))
    return {name: figure.value for name, figure in found.items()}


def test_a_layout_is_at_no_distance_from_itself():
    reals = layout_statistics(halves(), 4, ROLES)
    found = one(halves(), reals)
    assert [n for n in found if n.endswith(("_gap", "_distance")) and found[n] != 0] == []
    assert {"closed_gap", "rooms_gap", "straight_walls_gap", "specks_gap"} < found.keys()


def test_gaps_are_counted_in_layouts_and_regions():
    speckled = halves()
    speckled[0, 4, 12] = speckled[0, 8, 12] = 3  # a class of its own, in the half of class 2
    found = one(speckled, layout_statistics(halves(), 4, ROLES))
    assert found["specks_gap"] == found["isolated_gap"] == 2
    assert found["component_distance"] == pytest.approx(2 / 3)  # of three classes that occur
    assert found["boundary_gap"] == 8


def test_figures_of_walls_are_left_out_where_either_side_has_none():
    reals = layout_statistics(halves(), 4)
    found = one(halves(), reals)
    assert "rooms" in found
    assert "rooms_gap" not in found
    assert "isolated_gap" in found
