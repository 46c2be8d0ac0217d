"""Latents of layouts and volumes as pictures, through one door."""

import numpy as np
import pytest
import torch

from sparring.artefacts.models import save_model
from sparring.compute import Compute
from sparring.errors import UserError
from sparring.models.vqgan_building import build_vqgan
from sparring.randomness import seeded_initialisation
from sparring.sampling.decoders import VolumeDecoder, load_decoder
from sparring.sampling.volume_pictures import middle_planes
from sparring.settings.vqgan import VqganModel

CPU = Compute(torch.device("cpu"), bf16=False)
MEAN, STD = [1.0, 0.0, -1.0], [2.0, 1.0, 0.5]


def vqgan(**config):
    book = {"num_codes": 8, "code_dim": 3}
    with seeded_initialisation(0, "vqgan"):
        model = build_vqgan(VqganModel(channels=(0, 4, 8), blocks=(0, 0, 0), codebook=book))
        model.codebook.initialise(torch.randn(8, 3))
    scale = {"latents_mean": MEAN, "latents_std": STD, "hu_window": (-300.0, 500.0)}
    model.register_to_config(**scale | config)
    return model.eval()


def test_a_vqgan_s_directory_decodes_volumes(tmp_path):
    model = vqgan()
    save_model(model, tmp_path)
    decoder = load_decoder(tmp_path, CPU)
    assert isinstance(decoder, VolumeDecoder)
    assert (decoder.channels, decoder.dims) == (3, 3)
    raw = torch.randn(2, 3, 2, 2, 2, generator=torch.Generator().manual_seed(0))
    mean, std = (torch.tensor(values).view(1, 3, 1, 1, 1) for values in (MEAN, STD))
    hu = decoder.volumes((raw - mean) / std)
    assert hu.shape == (2, 8, 8, 8)
    assert hu.dtype == np.int16
    with torch.no_grad():  # what the model itself makes of the latents, rounded to its codes
        expected = model.decode(model.quantise(raw).latents).clamp(-1, 1)
    np.testing.assert_allclose(hu, 100 + 400 * expected[:, 0].numpy(), atol=0.51)
    assert np.array_equal(decoder.images((raw - mean) / std), middle_planes(hu, (-300, 500)))


def test_reconstructions_are_the_model_s():
    model = vqgan()
    patches = torch.rand(2, 1, 8, 8, 8, generator=torch.Generator().manual_seed(1)) * 2 - 1
    hu = VolumeDecoder(model, CPU, "here").reconstructions(patches)
    with torch.no_grad():
        expected = model(patches).clamp(-1, 1)
    np.testing.assert_allclose(hu, 100 + 400 * expected[:, 0].numpy(), atol=0.51)


def test_a_vqgan_without_statistics_is_refused(tmp_path):
    save_model(vqgan(latents_std=None), tmp_path)
    with pytest.raises(UserError, match="no latents_mean and latents_std"):
        load_decoder(tmp_path, CPU)


def test_planes_lie_side_by_side_each_through_the_middle():
    volumes = np.full((2, 4, 6, 8), -1000, dtype=np.int16)
    volumes[1, 2] = 1000  # the sagittal middle
    pictures = middle_planes(volumes, (-1000, 1000))
    # axial 6 x 4, coronal 8 x 4, sagittal 8 x 6 (height by width), gaps of 2
    assert pictures.shape == (2, 8, 4 + 4 + 6 + 2 * 2, 3)
    assert (pictures[0] == 0).all()
    assert (pictures[1][:, 12:] == 255).all()
    assert not (pictures[1][:, :4] == 255).all()
