"""Volumes and files through a network: on their own grid, in HU, with their dtype."""

from types import SimpleNamespace

import nibabel
import numpy as np
import pytest
import torch
from volume_files import ct, write_nifti

from sparring.compute import Compute
from sparring.errors import UserError
from sparring.inference.reconstruction import autoencoding, reconstruct, reconstruct_file
from sparring.settings.volumes import VolumeGrid, WindowSettings

WINDOW = (-1000.0, 1000.0)
SMALL = WindowSettings(window=8, overlap=0.5)
CPU = Compute(torch.device("cpu"), bf16=False)


def identity(x):
    return x


def halved(x):
    """HU to the middle of the window and back half of the way."""
    return x / 2


def test_an_identity_network_gives_back_the_very_hu():
    hu = ct((20, 9, 31)).clip(-1000, 1000)
    np.testing.assert_array_equal(reconstruct(hu, WINDOW, identity, SMALL), hu)


def test_hu_outside_the_window_come_back_clipped():
    hu = ct((20, 9, 31))
    result = reconstruct(hu, (-160.0, 240.0), identity, SMALL)
    np.testing.assert_array_equal(result, hu.clip(-160, 240))
    beyond = reconstruct(hu, WINDOW, lambda x: 30 * x, SMALL)
    assert (beyond.min(), beyond.max()) == (-1000, 1000)


@pytest.mark.parametrize("orientation", ["RAS", "SLP"])
@pytest.mark.parametrize("name", ["out.nii", "out.nii.gz"])
@pytest.mark.parametrize(
    ("dtype", "slope", "inter"),
    [(np.int16, None, None), (np.float32, None, None), (np.uint16, 1, -1024)],
)
def test_a_file_keeps_its_affine_shape_and_dtype(tmp_path, orientation, name, dtype, slope, inter):
    stored = ct().clip(-1000, 1000) - (inter or 0)
    source = write_nifti(tmp_path / "in.nii.gz", stored.astype(dtype), slope=slope, inter=inter)
    done = reconstruct_file(
        source, tmp_path / name, halved, VolumeGrid(orientation=orientation), WINDOW, SMALL
    )
    before, after = nibabel.load(source), nibabel.load(tmp_path / name)
    np.testing.assert_array_equal(after.affine, before.affine)
    assert after.header.get_data_dtype() == dtype
    hu = np.asarray(before.dataobj)
    np.testing.assert_allclose(np.asarray(after.dataobj), hu / 2, atol=0.51)
    assert done.original.shape == done.reconstruction.shape
    assert sorted(done.spacing) == pytest.approx([1.5, 1.5, 2.0])


def test_a_file_is_resampled_for_the_model_and_back(tmp_path):
    line = np.linspace(-500, 500, 24)
    smooth = np.add.outer(np.add.outer(line, line / 2), line / 4).clip(-900, 900).astype(np.int16)
    source = write_nifti(tmp_path / "in.nii", smooth)
    grid = VolumeGrid(orientation="RAS", spacing=(2.0, 2.0, 2.0))
    done = reconstruct_file(source, tmp_path / "out.nii", identity, grid, WINDOW, SMALL)
    assert done.original.shape == (18, 18, 24)
    after = np.asarray(nibabel.load(tmp_path / "out.nii").dataobj)
    assert after.shape == smooth.shape
    assert np.abs(after - smooth)[1:-1, 1:-1, 1:-1].mean() < 3


def test_what_is_no_volume_is_refused_and_nothing_written(tmp_path):
    source = write_nifti(tmp_path / "in.nii", ct() + np.int16(1100))
    with pytest.raises(UserError, match=r"in\.nii: lowest value is"):
        reconstruct_file(source, tmp_path / "out.nii", identity, VolumeGrid(), WINDOW, SMALL)
    assert not (tmp_path / "out.nii").exists()


class Toy(torch.nn.Module):
    """An autoencoder whose cells are 4 x 4 x 2 voxels."""

    factor = (4, 4, 2)

    def forward(self, x):
        return torch.nn.functional.interpolate(
            torch.nn.functional.avg_pool3d(x, self.factor), x.shape[2:]
        )


def test_a_window_that_the_downsampling_does_not_divide_is_refused():
    with pytest.raises(UserError, match=r"window is 10, not divisible by .* 4; set 8"):
        autoencoding(Toy(), CPU, WindowSettings(window=10), "models/vqgan")


def test_a_model_runs_without_gradients():
    network = autoencoding(Toy(), CPU, SMALL, "models/vqgan")
    windows = torch.rand(2, 1, 8, 8, 8, requires_grad=True)
    output = network(windows)
    assert output.shape == windows.shape
    assert not output.requires_grad
    whole = SimpleNamespace(factor=4, to=lambda _: Toy())
    assert autoencoding(whole, CPU, SMALL, "m")(windows).shape == windows.shape
