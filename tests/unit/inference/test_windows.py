"""Whole volumes through windows: exact where windows agree, smooth where they do not."""

import numpy as np
import pytest
import torch

from sparring.errors import UserError
from sparring.inference.windows import blend, fading, starts


def volume(*shape, seed=0):
    return np.random.default_rng(seed).uniform(-1, 1, shape).astype(np.float32)


def blended(values, network, window=16, overlap=0.25, **keywords):
    """The whole result, and how often each voxel was written."""
    result, written = np.full_like(values, np.nan), np.zeros(values.shape, int)

    def write(box, part):
        result[box] = part
        written[box] += 1

    blend(values.__getitem__, values.shape, network, window, overlap, write, **keywords)
    assert (written == 1).all()
    return result


SHAPES = [(16, 16, 16), (40, 23, 31), (17, 50, 16), (16, 20, 61), (7, 40, 20), (5, 6, 4)]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("overlap", [0.0, 0.25, 0.5, 0.8])
def test_an_identity_network_returns_its_input_bit_for_bit(shape, overlap):
    values = volume(*shape)
    np.testing.assert_array_equal(blended(values, lambda x: x, overlap=overlap), values)


def test_a_pointwise_network_is_applied_to_every_voxel():
    values = volume(40, 23, 31)
    result = blended(values, lambda x: x * x - 1)
    np.testing.assert_allclose(result, values * values - 1, rtol=1e-6)


@pytest.mark.parametrize("batch_size", [2, 3, 100])
def test_windows_at_once_do_not_change_the_result(batch_size):
    values = volume(40, 23, 31)
    smooth = torch.nn.AvgPool3d(3, 1, 1)
    one, several = blended(values, smooth), blended(values, smooth, batch_size=batch_size)
    np.testing.assert_array_equal(one, several)


def test_it_is_what_monai_computes_with_everything_in_memory():
    from monai.inferers import sliding_window_inference

    values = volume(24, 32, 40)
    smooth = torch.nn.AvgPool3d(3, 1, 1)
    expected = sliding_window_inference(
        torch.from_numpy(values)[None, None],
        16,
        1,
        smooth,
        overlap=0.5,
        roi_weight_map=fading(16, 0.5)[None, None],
    )
    result = blended(values, smooth, overlap=0.5)
    np.testing.assert_allclose(result, expected[0, 0].numpy(), atol=1e-6)


def bias_of_window(x):
    """A network that paints every window in a shade of its own and darkens its border."""
    shade = torch.tensor([hash(float(w.sum())) % 97 / 97 for w in x]).view(-1, 1, 1, 1, 1)
    ramp = torch.linspace(-1, 1, x.shape[-1]).abs()
    return torch.zeros_like(x) + shade - 0.5 * ramp.view(1, 1, -1, 1, 1)


def test_there_are_no_seams_where_windows_disagree():
    """The largest step between neighbours, against that of windows laid side by side."""
    values = volume(64, 32, 32)

    def largest_step(overlap):
        result = blended(values, bias_of_window, window=32, overlap=overlap)
        return np.abs(np.diff(result, axis=0)).max()

    assert largest_step(0.5) < 0.25 * largest_step(0.0)


def test_every_window_is_whole_and_the_last_ends_at_the_border():
    for side in range(16, 90):
        for overlap in (0.0, 0.25, 0.5):
            found = starts(side, 16, overlap)
            assert found[0] == 0
            assert found[-1] + 16 == side
            steps = np.diff(found)
            assert len(steps) == 0 or (steps.min() >= 1 and steps.max() <= 16 * (1 - overlap) + 1)


def test_memory_does_not_grow_with_the_length_of_a_volume(monkeypatch):
    """The network sees as many buffers for a long volume as for a short one."""
    largest = []
    zeros = torch.zeros
    monkeypatch.setattr(
        torch, "zeros", lambda *a, **k: (largest.append(np.prod(a[0])), zeros(*a, **k))[1]
    )
    for length in (20, 200):
        blended(volume(length, 18, 18), lambda x: x)
    assert max(largest) == 16 * 18 * 18


def test_a_network_that_gives_nan_is_refused():
    with pytest.raises(UserError, match="NaN or infinity in the windows at"):
        blended(volume(20, 20, 20), lambda x: x / 0)


def test_a_network_that_changes_the_shape_is_refused():
    with pytest.raises(UserError, match="expected the same shape"):
        blended(volume(20, 20, 20), lambda x: x[..., 1:])
