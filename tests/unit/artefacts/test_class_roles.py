"""What classes stand for, by name or by role."""

import pytest

from sparring.artefacts.class_roles import Roles, role_of


@pytest.mark.parametrize(
    ("name", "role"),
    [("wall", "wall"), ("Outer Wall", "wall"), ("exterior_wall", "wall"), ("WINDOW", "wall"),
     ("door", "door"), ("door_opening", "door"), ("DoorOpening", "door"), ("wall-opening", "door"),
     ("background", "outside"), ("Exterior", "outside"), ("entrance", "room"), ("paper", "room"),
     ("living_room", "room"), ("outdoor_area", "outside"), ("", "room"), ("7", "room")],
)  # fmt: skip
def test_names_are_read_word_by_word(name, role):
    assert role_of({"name": name}) == role


@pytest.mark.parametrize("role", ["wall", "door", "outside", "room"])
def test_a_role_overrides_the_name(role):
    assert role_of({"name": "wall", "role": role}) == role


def test_roles_are_told_by_class_id_and_ids_may_leave_gaps():
    roles = Roles.of([{"id": 4, "name": "door"}, {"id": 1, "name": "wall"}])
    assert roles.wall.tolist() == [False, True, False, False, False]
    assert roles.door.tolist() == [False, False, False, False, True]
    assert not roles.outside.any()
