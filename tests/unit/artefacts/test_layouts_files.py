"""Packed layouts, from memory or row by row."""

import numpy as np
import pytest

from sparring.artefacts.layouts import LayoutRow, Layouts, writing_layouts
from sparring.errors import UserError

CLASSES = [
    {"id": 0, "name": "background", "rgb": [240, 240, 240]},
    {"id": 3, "name": "wall", "rgb": [70, 70, 70]},
]


@pytest.fixture
def packed(tmp_path):
    """Ten layouts of class ids 0 and 3, the last two for testing."""
    path = tmp_path / "layouts.h5"
    draw = np.random.default_rng(0)
    layouts = draw.choice([0, 3], size=(10, 8, 8)).astype(np.uint8)
    with writing_layouts(path, CLASSES) as writer:
        for n, layout in enumerate(layouts):
            split = "test" if n > 7 else "train"
            writer.append(layout, LayoutRow(f"s{n}", f"o{n // 2}", "g", split, n % 2 == 1))
    return path, layouts


def test_reading_row_by_row_equals_reading_in_memory(packed, monkeypatch):
    path, layouts = packed
    rows = np.array([9, 0, 4, 4])
    in_memory = Layouts(path).read(rows)
    monkeypatch.setattr(Layouts, "memory_limit", 0)
    streamed = Layouts(path)
    np.testing.assert_array_equal(streamed.read(rows), in_memory)
    np.testing.assert_array_equal(in_memory, layouts[rows])
    assert streamed.read(rows).dtype == in_memory.dtype == np.uint8


def test_large_datasets_are_not_held_in_memory(packed, monkeypatch):
    path, layouts = packed
    monkeypatch.setattr(Layouts, "memory_limit", layouts.size - 1)
    assert Layouts(path)._in_memory is None
    monkeypatch.setattr(Layouts, "memory_limit", layouts.size)
    assert Layouts(path)._in_memory is not None


def test_who_the_layouts_are_comes_back(packed):
    layouts = Layouts(packed[0])
    assert layouts.sample_id == [f"s{n}" for n in range(10)]
    assert layouts.original_id == [f"o{n // 2}" for n in range(10)]
    assert layouts.is_augmented.tolist() == [False, True] * 5
    assert layouts.rows("test").tolist() == [8, 9]
    assert (layouts.side, layouts.classes) == (8, CLASSES)


def test_an_empty_split_is_refused(packed):
    path, _ = packed
    with pytest.raises(UserError) as caught:
        Layouts(path).rows("val")
    assert f"{path}: split 'val' has no rows" in str(caught.value)


def test_class_ids_may_leave_gaps(packed):
    """The palette is indexed by id, so a missing id is black and not another class's colour."""
    layouts = Layouts(packed[0])
    assert layouts.num_classes == 4
    assert layouts.palette.tolist() == [[240] * 3, [0] * 3, [0] * 3, [70] * 3]
    rgb = layouts.rgb(np.array([[[0, 3]]], np.uint8))
    assert rgb.tolist() == [[[[240] * 3, [70] * 3]]]


def test_rgb_layouts_have_no_classes_and_are_their_own_colours(tmp_path):
    image = np.arange(8 * 8 * 3, dtype=np.uint8).reshape(8, 8, 3)
    with writing_layouts(tmp_path / "a.h5", None) as writer:
        writer.append(image, LayoutRow("a", "a", "a", "train", False))
    layouts = Layouts(tmp_path / "a.h5")
    assert (layouts.num_classes, layouts.classes) == (0, None)
    np.testing.assert_array_equal(layouts.rgb(layouts.read(np.array([0])))[0], image)


def test_a_failure_while_packing_leaves_no_file(tmp_path):
    def pack():
        with writing_layouts(tmp_path / "a.h5", None) as writer:
            writer.append(np.zeros((8, 8), np.uint8), LayoutRow("a", "a", "a", "train", False))
            raise UserError("the second image is unreadable")

    with pytest.raises(UserError, match="unreadable"):
        pack()
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_file_is_refused_on_reading_rows(packed, monkeypatch):
    path, _ = packed
    monkeypatch.setattr(Layouts, "memory_limit", 0)
    layouts = Layouts(path)
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(UserError, match=r"layouts\.h5: .*delete it and run snakemake again"):
        layouts.read(np.array([3]))
