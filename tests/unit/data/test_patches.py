"""Patches: keyed one by one, uniform over voxels, never beyond a volume."""

import numpy as np
import pytest
import torch

from sparring.artefacts.volumes import VolumeRow, Volumes, normalise, writing_volumes
from sparring.data.patches import PatchSampler, grid_patches, grid_places
from sparring.errors import UserError

WINDOW = (-1000.0, 1000.0)
SHAPES = [(40, 32, 20), (16, 16, 16), (8, 40, 12)]


@pytest.fixture
def volumes(tmp_path):
    """Two volumes that train, one too small for patches of 16 that validates."""
    draw = np.random.default_rng(0)
    with writing_volumes(tmp_path / "v.h5", WINDOW, "RAS") as writer:
        for n, (shape, split) in enumerate(zip(SHAPES, ("train", "train", "val"), strict=True)):
            hu = draw.integers(-1000, 1000, shape, dtype=np.int16)
            writer.append(hu, VolumeRow(str(n), str(n), split, np.eye(4)))
    return Volumes(tmp_path / "v.h5")


def sampler(volumes, size=16, seed=1, key="train", **keys):
    return PatchSampler(volumes, "train", size, seed, key, **keys)


def test_patches_are_parts_of_the_volumes_in_minus_one_to_one(volumes):
    sample = sampler(volumes)
    patches = sample.patches(7, range(6))
    assert patches.shape == (6, 1, 16, 16, 16)
    assert patches.dtype == torch.float32
    for n, patch in enumerate(patches):
        row, corner = sample.place(7, n)
        box = tuple(slice(c, c + 16) for c in corner)
        expected = normalise(volumes.read(row)[box], WINDOW)
        np.testing.assert_array_equal(patch[0].numpy(), expected)


def test_a_patch_follows_from_its_number_alone(volumes):
    """However a step's patches are shared out among batches and processes."""
    whole = sampler(volumes).patches(3, range(8))
    for numbers in ((5, 1), (7,), (0, 2, 3, 4, 6)):
        for number, patch in zip(numbers, sampler(volumes).patches(3, numbers), strict=True):
            assert torch.equal(patch, whole[number])


@pytest.mark.parametrize("other", [{"seed": 2}, {"key": "val"}])
def test_other_keys_give_other_patches(volumes, other):
    here = [sampler(volumes).place(0, n) for n in range(20)]
    assert here != [sampler(volumes, **other).place(0, n) for n in range(20)]
    assert here != [sampler(volumes).place(1, n) for n in range(20)]


def test_places_are_uniform_and_volumes_drawn_by_their_voxels(volumes):
    places = [sampler(volumes, size=8).place(0, n) for n in range(4000)]
    large = np.array([corner for row, corner in places if row == 0])
    share = np.prod(SHAPES[0]) / (np.prod(SHAPES[0]) + np.prod(SHAPES[1]))
    assert abs(len(large) / 4000 - share) < 0.02
    for axis, side in enumerate(SHAPES[0]):
        counts = np.bincount(large[:, axis], minlength=side - 8 + 1)
        assert len(counts) == side - 8 + 1
        expected = len(large) / len(counts)
        assert np.abs(counts - expected).max() < 6 * expected**0.5


def test_volumes_smaller_than_the_patch_are_refused_or_surrounded_by_air(volumes):
    with pytest.raises(UserError, match=r"1 is 16 x 16 x 16 voxels, smaller than the patch of 18"):
        sampler(volumes, size=18)
    patches = PatchSampler(volumes, "val", 16, 1, "x", pad=True).patches(0, range(4))
    assert patches.shape == (4, 1, 16, 16, 16)
    assert (patches[:, :, :4] == -1).all()  # 8 of 16 along the first axis, in the middle
    assert (patches[:, :, 12:] == -1).all()
    assert (patches[:, :, 4:12, :, 2:14] > -1).float().mean() > 0.99


def test_a_grid_covers_every_voxel_it_can_once(volumes):
    seen = np.zeros(SHAPES[0], int)
    for row, corner in grid_places(volumes, [0], 16):
        assert row == 0
        seen[tuple(slice(c, c + 16) for c in corner)] += 1
    assert seen.max() == 1
    assert seen.sum() == 2 * 2 * 1 * 16**3


def test_a_limited_grid_is_spread_over_all_volumes(volumes):
    assert len(list(grid_patches(volumes, [0, 1], 8))) == 5 * 4 * 2 + 8
    few = list(grid_patches(volumes, [0, 1], 8, limit=6))
    assert len(few) == 6
    assert all(patch.shape == (1, 1, 8, 8, 8) for patch in few)
    again = list(grid_patches(volumes, [0, 1], 8, limit=6))
    assert all(torch.equal(a, b) for a, b in zip(few, again, strict=True))
    last = next(reversed(few))
    corner = grid_places(volumes, [1], 8)
    box = [tuple(slice(c, c + 8) for c in place) for _, place in corner]
    there = [normalise(volumes.read(1)[b], WINDOW) for b in box]
    assert any(np.array_equal(last[0, 0].numpy(), t) for t in there)
