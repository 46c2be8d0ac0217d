"""Planes of volumes: in scale, side by side, errors where they are."""

import numpy as np
import pytest

from sparring.artefacts.plane_pictures import columns_of
from sparring.errors import UserError
from sparring.sampling.volume_pictures import three_planes

WINDOW = (-1000.0, 1000.0)


def test_the_picture_shows_three_planes_in_millimetres():
    hu = np.zeros((20, 20, 10), np.int16)
    cube = three_planes(hu, {"model": hu}, (1.0, 1.0, 2.0), WINDOW)  # 20 x 20 x 20 mm
    assert cube.width // 384 == 3
    assert cube.height // 384 == 3
    flat = three_planes(hu, {"model": hu}, (1.0, 1.0, 1.0), WINDOW)  # half as high
    assert flat.width == cube.width
    assert 384 + 2 * 192 < flat.height < 384 + 2 * 192 + 30


def test_errors_are_bright_where_they_are():
    hu = np.full((64, 64, 64), -1000, np.int16)
    wrong = hu.copy()
    wrong[:32, :, :] += 150  # the patient's left, on the right of the picture
    picture = np.asarray(three_planes(hu, {"model": wrong}, (1, 1, 1), WINDOW)).astype(int)
    axial = picture[14 : 14 + 384, -2 - 384 : -2].sum(axis=2)
    assert axial[:, : 384 // 2 - 8].max() < 30
    assert axial[:, 384 // 2 + 8 :].min() > 200


def test_several_reconstructions_have_columns_of_their_own():
    hu = np.random.default_rng(0).integers(-1000, 1000, (12, 12, 12), dtype=np.int16)
    one = three_planes(hu, {"a": hu}, (1, 1, 1), WINDOW)
    two = three_planes(hu, {"a": hu, "b": hu}, (1, 1, 1), WINDOW)
    assert two.width > 1.6 * one.width
    assert two.height == one.height


def test_a_picture_is_taken_apart_into_its_columns():
    hu = np.random.default_rng(0).integers(-1000, 1000, (12, 16, 20)).astype(np.int16)
    other = np.roll(hu, 1)
    both = np.asarray(three_planes(hu, {"a": hu, "b": other}, (1, 1, 2), WINDOW))
    original, a, exact, b, error = columns_of(both, 5, "both.png")
    assert np.array_equal(original, a)
    in_planes = (exact != 255).any(axis=-1)  # beside a narrower plane and between them is white
    assert exact[in_planes].max() < 10  # no error is black
    assert error[in_planes].max() > 200
    assert (b != a)[in_planes].any()
    # the same volume alone has the same columns
    for one, again in zip(
        (original, b, error),
        columns_of(np.asarray(three_planes(hu, {"b": other}, (1, 1, 2), WINDOW)), 3, "b.png"),
        strict=True,
    ):
        assert np.array_equal(one, again)


@pytest.mark.parametrize("shape", [(40, 42, 3), (10, 44, 3), (40, 5, 3)])
def test_what_cannot_be_three_columns_is_refused_with_its_size(shape):
    with pytest.raises(UserError, match=r"a\.png: \d+ x \d+ pixels, expected a picture of 3 col"):
        columns_of(np.zeros(shape, dtype=np.uint8), 3, "a.png")
