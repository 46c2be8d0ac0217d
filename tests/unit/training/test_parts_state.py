"""Parts that were made once are not made again, and a damaged one is never taken for whole."""

import numpy as np
import pytest

from sparring.errors import UserError
from sparring.training.state import PartsState


def part(number=0, dtype=np.float16):
    return np.random.default_rng(number).normal(size=(2, 3, 4)).astype(dtype)


@pytest.fixture
def state(tmp_path):
    return PartsState(tmp_path, "work")


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.int64, bool])
def test_a_part_comes_back_bit_by_bit(state, tmp_path, dtype):
    state.save(7, part(dtype=dtype))
    found = PartsState(tmp_path, "work").load(7)
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, part(dtype=dtype))


def test_an_array_in_another_memory_order_comes_back_equal(state):
    for array in (part().transpose(2, 0, 1), part()[:, ::2], np.asfortranarray(part())):
        state.save(0, array)
        np.testing.assert_array_equal(state.load(0), array)


def test_parts_are_kept_apart(state):
    for number in (0, 1, 10, 999_999, 1_000_000):
        state.save(number, part(number))
    for number in (0, 1, 10, 999_999, 1_000_000):
        np.testing.assert_array_equal(state.load(number), part(number))
    assert state.load(2) is None


def test_a_part_of_other_settings_or_inputs_is_not_taken(state, tmp_path):
    state.save(0, part())
    assert PartsState(tmp_path, "other").load(0) is None


def test_a_part_made_again_replaces_the_old_one(state):
    state.save(0, part(1))
    state.save(0, part(2))
    np.testing.assert_array_equal(state.load(0), part(2))


def path_of(state):
    (path,) = state.directory.iterdir()
    return path


def test_no_flipped_bit_goes_unseen(state):
    """Neither in the values nor in what says how to read them."""
    state.save(0, part())
    path, whole = path_of(state), path_of(state).read_bytes()
    for position in range(len(whole)):
        for bit in range(8):
            damaged = bytearray(whole)
            damaged[position] ^= 1 << bit
            path.write_bytes(damaged)
            assert state.load(0) is None, (position, bit)


def test_no_part_cut_short_is_taken(state):
    state.save(0, part())
    path, whole = path_of(state), path_of(state).read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        assert state.load(0) is None


@pytest.mark.parametrize("content", [b"", b"\n", b"PK\x03\x04", b"\nPK\x03\x04", b"\n\x80\x04N."])
def test_what_is_no_part_at_all_is_not_taken(state, content):
    state.save(0, part())
    path_of(state).write_bytes(content)
    assert state.load(0) is None


def test_a_part_that_was_lost_since_is_one_clear_line(state):
    state.save(0, part())
    path = path_of(state)
    path.unlink()
    with pytest.raises(UserError) as caught:
        state.read(0)
    assert str(caught.value) == f"{path}: damaged or missing since; run again to make it"
