"""Pictures hold every image unchanged, in order."""

import numpy as np
import pytest
from PIL import Image

from sparring.sampling.pictures import enlarged, grid, labelled_rows, save_picture


def images(count, height=5, width=7):
    """Single-coloured images, each its own grey."""
    shades = np.arange(1, count + 1, dtype=np.uint8) * 10
    return np.broadcast_to(shades[:, None, None, None], (count, height, width, 3)).copy()


@pytest.mark.parametrize(
    ("count", "columns", "shape"), [(1, None, (1, 1)), (9, None, (3, 3)), (7, None, (3, 3)),
                                    (6, None, (2, 3)), (5, 5, (1, 5)), (5, 2, (3, 2))]
)  # fmt: skip
def test_grid_holds_every_image_in_reading_order(count, columns, shape):
    picture = grid(images(count), columns)
    rows, across = shape
    gap = (picture.shape[0] - rows * 5) // (rows + 1)
    assert gap > 0
    assert picture.shape == (rows * (5 + gap) + gap, across * (7 + gap) + gap, 3)
    assert picture.dtype == np.uint8
    for index in range(count):
        y, x = divmod(index, across)
        top, left = gap + y * (5 + gap), gap + x * (7 + gap)
        cell = picture[top : top + 5, left : left + 7]
        assert (cell == 10 * (index + 1)).all()
        picture[top : top + 5, left : left + 7] = 255
    assert (picture == 255).all()


def test_labelled_rows_stack_one_row_per_label():
    rows = {"reals": images(3), "samples": images(5)}
    plain, scaled = labelled_rows(rows), labelled_rows(rows, scale=3)
    wide = grid(images(5), 5)
    assert plain.width == wide.shape[1]
    assert scaled.width == 3 * plain.width
    labels = plain.height - 2 * wide.shape[0]
    assert labels > 0
    assert scaled.height == labels + 3 * 2 * wide.shape[0]
    pixels = np.asarray(plain)
    for shade in (10, 20, 30, 40, 50):
        cells = (pixels == shade).all(-1).sum()
        assert cells >= 35 * (2 if shade <= 30 else 1)
    lower = pixels[-wide.shape[0] :]
    assert (lower == wide).all()


def test_labels_are_drawn():
    blank, lettered = (labelled_rows({label: images(8)}) for label in (" ", "reals"))
    assert np.asarray(blank).shape == np.asarray(lettered).shape
    assert (np.asarray(blank) != np.asarray(lettered)).any()


@pytest.mark.parametrize("kind", [np.asarray, Image.fromarray])
def test_png_gives_the_pixels_back(tmp_path, kind):
    picture = grid(images(4))
    path = tmp_path / "samples" / "epoch_010.png"
    save_picture(path, kind(picture))
    assert (np.asarray(Image.open(path)) == picture).all()
    assert [p.name for p in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize(("side", "shown"), [(8, 64), (32, 64), (40, 40), (64, 64), (256, 256)])
def test_small_layouts_are_enlarged_by_whole_pixels(side, shown):
    layout = np.arange(side * side * 3, dtype=np.uint32).astype(np.uint8).reshape(1, side, side, 3)
    picture = enlarged(layout)
    assert picture.shape == (1, shown, shown, 3)
    step = shown // side
    assert (picture[:, ::step, ::step] == layout).all()
    assert (picture[:, step - 1 :: step, step - 1 :: step] == layout).all()
