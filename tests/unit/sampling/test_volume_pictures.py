"""Planes of volumes: in scale, side by side, errors where they are."""

import numpy as np

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
