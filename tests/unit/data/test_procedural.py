"""Properties of the procedural apartment layouts."""

import subprocess
import sys
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

import sparring.data.procedural
from sparring.data.procedural import CLASSES, generate_layout, generate_layouts

IDS = {layout_class.name: layout_class.id for layout_class in CLASSES}
ROOMS = ("hall", "living_room", "kitchen", "bedroom", "bathroom", "wc", "storage", "balcony")
# Rooms in which a piece may stand; beds and counters stand in the living room of small flats.
HOMES = {
    "bed": {"bedroom", "living_room"},
    "cabinet": {"bedroom", "living_room", "storage"},
    "sofa": {"living_room"},
    "table": {"living_room", "kitchen"},
    "counter": {"kitchen", "living_room"},
    "sanitary": {"bathroom", "wc"},
}
SEED = 7


@pytest.fixture(scope="module")
def layouts() -> np.ndarray:
    """200 layouts ``[200, 64, 64]``."""
    return np.stack(list(generate_layouts(SEED, 200)))


def mask(layout: np.ndarray, *names: str) -> np.ndarray:
    return np.isin(layout, [IDS[name] for name in names])


def dilated(region: np.ndarray) -> np.ndarray:
    """A region and all pixels that share an edge with it."""
    grown = region.copy()
    grown[1:] |= region[:-1]
    grown[:-1] |= region[1:]
    grown[:, 1:] |= region[:, :-1]
    grown[:, :-1] |= region[:, 1:]
    return grown


def flooded(start: np.ndarray, allowed: np.ndarray) -> np.ndarray:
    """All that is connected to `start` through `allowed` pixels."""
    reached = start & allowed
    while True:
        further = dilated(reached) & allowed
        if (further == reached).all():
            return reached
        reached = further


def neighbours(layout: np.ndarray, region: np.ndarray) -> set[str]:
    """Names of the classes that share a pixel edge with a region, outside the region."""
    ring = dilated(region) & ~region
    return {CLASSES[value].name for value in np.unique(layout[ring])}


def parts(region: np.ndarray) -> list[np.ndarray]:
    """Masks of the connected parts of a region."""
    found, left = [], region.copy()
    while left.any():
        seed = np.zeros_like(left)
        seed[np.unravel_index(left.argmax(), left.shape)] = True
        found.append(flooded(seed, region))
        left &= ~found[-1]
    return found


def front_doors(layout: np.ndarray) -> list[np.ndarray]:
    doors = parts(mask(layout, "door"))
    return [door for door in doors if "background" in neighbours(layout, door)]


def test_classes_are_contiguous_with_unique_names_and_distinguishable_colours() -> None:
    assert [layout_class.id for layout_class in CLASSES] == list(range(len(CLASSES)))
    assert CLASSES[0].name == "background"
    assert len(CLASSES) >= 10
    assert len(IDS) == len(CLASSES)
    for a, b in combinations(CLASSES, 2):
        assert np.linalg.norm(np.subtract(a.rgb, b.rgb)) > 40, (a.name, b.name)


@pytest.mark.parametrize("size", [32, 40, 64, 96, 128, 256])
def test_layout_has_the_wanted_shape_type_and_a_margin(size: int) -> None:
    for index in range(5):
        layout = generate_layout(SEED, index, size)
        assert layout.shape == (size, size)
        assert layout.dtype == np.uint8
        assert layout.max() < len(CLASSES)
        border = np.concatenate([layout[0], layout[-1], layout[:, 0], layout[:, -1]])
        assert not border.any()


def test_layout_is_a_pure_function_of_seed_and_index() -> None:
    forwards = [generate_layout(SEED, index) for index in range(10)]
    backwards = [generate_layout(SEED, index) for index in reversed(range(10))]
    for expected, *others in zip(
        forwards, reversed(backwards), generate_layouts(SEED, 10), strict=True
    ):
        for other in others:
            np.testing.assert_array_equal(expected, other)


def test_layout_is_the_same_in_another_process() -> None:
    code = (
        "import sys; from sparring.data.procedural import generate_layout;"
        f"sys.stdout.buffer.write(generate_layout({SEED}, 3).tobytes())"
    )
    source = Path(sparring.data.procedural.__file__).parents[3]
    command = [sys.executable, "-c", code]
    run = subprocess.run(command, capture_output=True, check=True, cwd=source)
    assert run.stdout == generate_layout(SEED, 3).tobytes()


def test_layouts_are_generated_lazily() -> None:
    stream = generate_layouts(SEED, 10**12)
    np.testing.assert_array_equal(next(stream), generate_layout(SEED, 0))
    assert list(generate_layouts(SEED, 0)) == []


def test_seeds_and_indices_give_different_layouts(layouts: np.ndarray) -> None:
    other_seed = np.stack(list(generate_layouts(SEED + 1, 200)))
    distinct = {layout.tobytes() for layout in (*layouts, *other_seed)}
    assert len(distinct) >= 398


@pytest.mark.parametrize(("size", "count"), [(32, 150), (64, 250), (72, 60), (256, 15)])
def test_every_room_is_reachable_from_the_only_front_door(size: int, count: int) -> None:
    for layout in generate_layouts(SEED, count, size):
        (front_door,) = front_doors(layout)
        # Furniture blocks the way too: people walk on clear floor and through doors only.
        reached = flooded(front_door, mask(layout, "door", *ROOMS))
        assert (reached | ~mask(layout, *ROOMS)).all()


def test_front_door_opens_into_the_hall(layouts: np.ndarray) -> None:
    for layout in layouts:
        (front_door,) = front_doors(layout)
        assert neighbours(layout, front_door) & set(ROOMS) == {"hall"}


@pytest.mark.parametrize("size", [32, 64, 128])
def test_furniture_stands_in_a_room_it_belongs_to_and_clear_of_doors(size: int) -> None:
    for layout in generate_layouts(SEED, 60, size):
        for name, homes in HOMES.items():
            for piece in parts(mask(layout, name)):
                around = neighbours(layout, piece)
                assert not around & {"door", "background"}
                # A piece that replaced part of an inner wall would border two rooms.
                (home,) = around & set(ROOMS)
                assert home in homes


def test_walls_close_the_apartment_and_windows_face_outside(layouts: np.ndarray) -> None:
    for layout in layouts:
        outside = parts(mask(layout, "background"))
        assert len(outside) == 1
        assert neighbours(layout, outside[0]) <= {"wall", "window", "door"}
        for window in parts(mask(layout, "window")):
            assert neighbours(layout, window) & {"background", "balcony"}


def test_walls_grow_with_the_size() -> None:
    thickness = {}
    for size in (64, 256):
        column = np.stack(list(generate_layouts(SEED, 20, size))) == IDS["wall"]
        # Shortest run of wall pixels along rows, over all layouts.
        steps = np.diff(column.astype(np.int8), axis=2)
        starts, stops = np.argwhere(steps == 1), np.argwhere(steps == -1)
        thickness[size] = int((stops - starts)[:, 2].min())
    assert thickness[64] == 1
    assert thickness[256] >= 2


def test_every_apartment_has_the_rooms_and_furniture_to_live_in(layouts: np.ndarray) -> None:
    for layout in layouts:
        assert {"hall", "living_room", "bathroom"} <= {CLASSES[v].name for v in np.unique(layout)}
    for name in ("bed", "sofa", "counter", "sanitary", "window"):
        assert np.mean([mask(layout, name).any() for layout in layouts]) > 0.9, name
    with_balcony = np.mean([mask(layout, "balcony").any() for layout in layouts])
    assert 0.2 < with_balcony < 0.8


def test_rooms_have_plausible_sizes(layouts: np.ndarray) -> None:
    area = {name: mask(layouts, name).sum(axis=(1, 2)).astype(float) for name in IDS}
    living = area["living_room"] + area["sofa"] + area["table"]
    assert (living > area["bathroom"]).all()
    assert (living > area["wc"] + area["storage"]).all()
    assert (area["wc"] <= area["bathroom"] + area["sanitary"]).all()
    covered = 1 - area["background"] / layouts[0].size
    assert covered.min() > 0.08
    assert covered.max() < 0.85
    assert covered.std() > 0.03


def test_class_frequencies_are_balanced_enough_to_learn(layouts: np.ndarray) -> None:
    share = np.bincount(layouts.ravel(), minlength=len(CLASSES)) / layouts.size
    presence = [(layouts == value).any(axis=(1, 2)).mean() for value in range(len(CLASSES))]
    assert 0.4 < share[IDS["background"]] < 0.8
    assert share[1:].min() > 0.0005
    assert min(presence) > 0.05
    assert max(share[1:]) < 0.2


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ((-1, 0, 64), "seed"),
        ((0, -1, 64), "index"),
        ((0, 0, 63), "size"),
        ((0, 0, 24), "size"),
        ((0, 0, 264), "size"),
    ],
)
def test_bad_arguments_are_named(arguments: tuple[int, int, int], name: str) -> None:
    with pytest.raises(ValueError, match=rf"^{name} is -?\d+, expected "):
        generate_layout(*arguments)


def test_bad_count_is_named_before_iteration() -> None:
    with pytest.raises(ValueError, match=r"^count is -1, expected "):
        generate_layouts(0, -1)
