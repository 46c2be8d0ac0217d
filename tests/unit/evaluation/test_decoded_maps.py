"""What judges of decoded layouts take: nothing of a layout is lost, and large ones stay small."""

import numpy as np
import pytest
import torch

from sparring.evaluation.layouts import decoded_maps, encoded_maps
from sparring.models.autoencoder import Decoded

PALETTE = np.array([[0, 0, 0], [200, 30, 40], [255, 255, 255]], dtype=np.uint8)


def shuffled_back(cells, channels, side):
    """`[N,C f^2,h,w]` to `[N,C,H,W]`, as torch does it."""
    return torch.pixel_shuffle(torch.from_numpy(cells), side // cells.shape[-1]).numpy()


@pytest.mark.parametrize(("side", "cells"), [(32, 32), (64, 64), (96, 48), (128, 64), (130, 26)])
def test_class_ids_come_back_from_at_most_64_cells_a_side(side, cells):
    ids = np.random.default_rng(0).integers(3, size=(5, side, side)).astype(np.uint8)
    batches = list(encoded_maps(ids, 3, batch_size=2))
    assert [len(batch) for batch in batches] == [2, 2, 1]
    found = np.concatenate(batches)
    assert found.dtype == np.float32
    assert found.shape == (5, 3 * (side // cells) ** 2, cells, cells)
    planes = shuffled_back(found, 3, side)
    assert (planes.sum(1) == 1).all()
    np.testing.assert_array_equal(planes.argmax(1), ids)


def test_rgb_comes_back_from_minus_one_to_one():
    rgb = np.random.default_rng(0).integers(256, size=(2, 128, 128, 3)).astype(np.uint8)
    rgb[0, 0, 0], rgb[0, 0, 1] = 0, 255
    found = np.concatenate(list(encoded_maps(rgb, 0)))
    assert (found.min(), found.max()) == (-1, 1)
    planes = shuffled_back(found, 3, 128)
    np.testing.assert_allclose(127.5 * (np.moveaxis(planes, 1, 3) + 1), rgb, atol=1e-3)


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
