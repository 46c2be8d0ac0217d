"""Phantoms: keyed by their index, and made of what a chest CT is made of."""

import numpy as np
import pytest

from sparring.data.phantoms import generate_phantom, phantom_affine


@pytest.fixture(scope="module")
def phantoms():
    return [generate_phantom(42, index, 64) for index in range(4)]


def test_a_phantom_follows_from_seed_and_index(phantoms):
    np.testing.assert_array_equal(generate_phantom(42, 2, 64), phantoms[2])
    assert len({p.tobytes() for p in [*phantoms, generate_phantom(43, 0, 64)]}) == 5


def test_the_tissues_of_a_chest_are_there_in_plausible_shares(phantoms):
    tissues = {"air or lung": (-1024, -700, 0.5, 0.85), "fat": (-180, -40, 0.02, 0.3),
               "soft": (-20, 130, 0.1, 0.45), "bone": (300, 3071, 0.005, 0.1)}  # fmt: skip
    for phantom in phantoms:
        assert phantom.dtype == np.int16
        for low, high, least, most in tissues.values():
            assert least < ((phantom >= low) & (phantom <= high)).mean() < most


def test_lungs_are_dark_and_hold_vessels(phantoms):
    for phantom in phantoms:
        lung = phantom[42:52, 26:40, 26:44]  # the middle of the right one
        assert np.median(lung) < -750
        assert (lung > -400).any()


def test_there_is_fine_structure_which_a_coarse_grid_loses(phantoms):
    """Without it a codec could not be told from interpolation."""
    for phantom in phantoms:
        blocks = phantom.reshape(16, 4, 16, 4, 16, 4).mean((1, 3, 5))
        coarse = blocks.repeat(4, 0).repeat(4, 1).repeat(4, 2)
        assert np.abs(phantom - coarse).mean() > 20


@pytest.mark.parametrize("size", [32, 64, 128])
def test_sizes_show_one_patient_at_another_resolution(size):
    phantom, affine = generate_phantom(42, 0, size), phantom_affine(size)
    assert phantom.shape == (size,) * 3
    centre = affine @ (*[(size - 1) / 2] * 3, 1)
    np.testing.assert_allclose(centre, (0, 0, 0, 1), atol=1e-9)
    assert abs((phantom > -300).mean() - 0.33) < 0.07
