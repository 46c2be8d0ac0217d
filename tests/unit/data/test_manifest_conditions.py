"""The column that class-conditional models are told: what it may hold, and where it goes."""

import numpy as np
import pytest

from sparring.artefacts.layouts import Layouts
from sparring.data.manifest import read_manifest
from sparring.data.packing import pack
from sparring.errors import UserError

SPLITS = ["train"] * 6 + ["val"] * 2 + ["test"] * 2


def rows(conditions, **columns):
    return [
        {"sample_id": f"s{n}", "layout_path": f"images/{n}.png", "split": SPLITS[n], "scene": scene}
        | {"is_augmented": 0, "parent_id": ""}
        | columns
        for n, scene in enumerate(conditions)
    ]


def refusal(dataset, condition="scene"):
    with pytest.raises(UserError) as caught:
        read_manifest(dataset.settings(condition=condition))
    message = str(caught.value)
    assert message.startswith(str(dataset.manifest))
    assert "\n" not in message
    return message


ALTERNATING = ["flat", "house"] * 5


def test_a_column_that_is_not_there_is_refused(dataset):
    dataset.rows(rows(ALTERNATING))
    message = refusal(dataset, "room")
    assert "no column 'room', found sample_id" in message
    assert "set condition" in message


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ([""] * 10, "column 'scene' is empty; fill it"),
        (["flat"] * 8 + ["", ""], "2 rows have no condition"),
        (["flat"] * 10, "found 1 different conditions, such as 'flat', expected 2"),
        (["flat", "house"] * 4 + ["flat", "barn"], "'barn' has no row in split train"),
    ],
)
def test_a_column_that_nothing_can_be_learnt_from_is_refused(dataset, conditions, expected):
    dataset.rows(rows(conditions))
    assert expected in refusal(dataset)


def test_a_copy_of_another_condition_than_its_original_is_refused(dataset):
    found = rows(ALTERNATING)
    found[1] |= {"is_augmented": 1, "parent_id": "s0"}
    dataset.rows(found)
    message = refusal(dataset)
    assert "says 'house' of s1, but 'flat' of s0, whose copy it is" in message


@pytest.mark.parametrize("augmented", ["manifest", "dihedral"])
def test_packed_layouts_know_their_conditions(dataset, tmp_path, augmented):
    """Numbers count before letters would: 2 rooms before 10 rooms. Copies have the same."""
    dataset.fill()
    conditions = ["10 rooms", "2 rooms"] * 5
    dataset.rows(rows(conditions))
    settings = dataset.settings(condition="scene", augmented=augmented)
    pack(settings, tmp_path / "layouts.h5")
    layouts = Layouts(tmp_path / "layouts.h5")
    assert layouts.conditions == ["2 rooms", "10 rooms"]
    of_original = dict(zip([f"s{n}" for n in range(10)], conditions, strict=True))
    expected = [of_original[name] for name in layouts.original_id]
    assert [layouts.conditions[number] for number in layouts.condition] == expected
    assert len(expected) == (80 if augmented == "dihedral" else 10)


def test_without_the_setting_the_column_is_not_read(dataset, tmp_path):
    dataset.fill()
    dataset.rows(rows([""] * 10))
    pack(dataset.settings(), tmp_path / "layouts.h5")
    layouts = Layouts(tmp_path / "layouts.h5")
    assert layouts.conditions == []
    assert np.array_equal(layouts.condition, [])
