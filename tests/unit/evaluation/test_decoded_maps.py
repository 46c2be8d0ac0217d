"""What judges of decoded layouts take: nothing of a layout is lost, and large ones stay small."""

import numpy as np
import pytest
import torch

from sparring.evaluation.judging import judge_maps
from sparring.evaluation.layouts import EncodedMaps, decoded_maps
from sparring.evaluation.statistics import estimate_of
from sparring.evaluation.two_sample import Rows
from sparring.models.autoencoder import Decoded
from sparring.settings.parts import EvaluationSettings

PALETTE = np.array([[0, 0, 0], [200, 30, 40], [255, 255, 255]], dtype=np.uint8)


def shuffled_back(cells, channels, side):
    """`[N,C f^2,h,w]` to `[N,C,H,W]`, as torch does it."""
    return torch.pixel_shuffle(torch.from_numpy(cells), side // cells.shape[-1]).numpy()


@pytest.mark.parametrize(("side", "cells"), [(32, 32), (64, 32), (96, 32), (128, 32), (130, 26)])
def test_class_ids_come_back_from_at_most_32_cells_a_side(side, cells):
    ids = np.random.default_rng(0).integers(3, size=(5, side, side)).astype(np.uint8)
    encoded = EncodedMaps(ids, 3)
    assert encoded.shape == (5, 3 * (side // cells) ** 2, cells, cells)
    assert (len(encoded), encoded.ndim) == (5, 4)
    found = encoded[:]
    assert (found.dtype, found.shape) == (np.float32, encoded.shape)
    np.testing.assert_array_equal(np.concatenate([encoded[:2], encoded[2:]]), found)
    planes = shuffled_back(found, 3, side)
    assert (planes.sum(1) == 1).all()
    np.testing.assert_array_equal(planes.argmax(1), ids)


def test_channels_are_those_of_the_data_whatever_a_model_draws():
    assert EncodedMaps(np.zeros((5, 64, 64), dtype=np.uint8), 7).shape == (5, 7 * 4, 32, 32)


def test_rgb_comes_back_from_minus_one_to_one():
    rgb = np.random.default_rng(0).integers(256, size=(2, 128, 128, 3)).astype(np.uint8)
    rgb[0, 0, 0], rgb[0, 0, 1] = 0, 255
    found = EncodedMaps(rgb, 0)[:]
    assert (found.min(), found.max()) == (-1, 1)
    planes = shuffled_back(found, 3, 128)
    np.testing.assert_allclose(127.5 * (np.moveaxis(planes, 1, 3) + 1), rgb, atol=1e-3)


def rooms(seed, specks=0, count=60):
    """Half a layout is another class, from somewhere on; specks lie anywhere."""
    draw = np.random.default_rng(seed)
    starts = draw.integers(4, 12, size=count)
    ids = (np.arange(16) >= starts[:, None, None]).repeat(16, axis=1).astype(np.uint8)
    for layout in ids:
        layout[tuple(draw.integers(16, size=(2, specks)))] = 2
    return ids


def judged(samples, reals):
    sides = (Rows(x, np.arange(len(x))) for x in (samples, reals))
    return judge_maps(*sides, EvaluationSettings(judge_seeds=2))


def test_judges_see_specks_and_nothing_between_layouts_of_one_kind():
    reals = EncodedMaps(rooms(1), 3)
    same, speckled = (judged(EncodedMaps(rooms(2, n), 3), reals) for n in (0, 9))
    for name, ideal in (("decoded_auc_linear", 0.5), ("decoded_kernel", 0.0)):
        assert 0.01 < estimate_of([same[name]]).p_above(ideal) < 0.99
        assert estimate_of([speckled[name].minus(same[name])]).p_above() < 0.01


def test_rows_encoded_when_they_are_read_are_judged_as_those_encoded_before():
    maps = [EncodedMaps(rooms(seed, count=20), 3) for seed in (1, 2)]
    lazy, eager = judged(*maps), judged(*(encoded[:] for encoded in maps))
    for name, figure in lazy.items():
        assert figure.to_json() == eager[name].to_json()


def test_maps_are_what_the_head_says_or_the_nearest_colour_or_rgb():
    draw = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 4, 8, 8, generator=draw)
    rgb = torch.rand(2, 3, 8, 8, generator=draw) * 2 - 1
    named = decoded_maps(Decoded(rgb, logits), PALETTE)
    np.testing.assert_array_equal(named, logits[:, :3].argmax(1))  # the dataset has three classes
    ids = np.random.default_rng(0).integers(3, size=(2, 8, 8))
    coloured = torch.from_numpy(PALETTE[ids]).permute(0, 3, 1, 2) / 127.5 - 1
    near = decoded_maps(Decoded(coloured + 0.1 * rgb, None), PALETTE)
    np.testing.assert_array_equal(near, ids)
    assert near.dtype == named.dtype == np.uint8
    plain = decoded_maps(Decoded(rgb, None), None)
    np.testing.assert_allclose(plain, 127.5 * (rgb.permute(0, 2, 3, 1) + 1), atol=0.51)
