"""The VQ-GAN's shapes, its directory, and what a position's reconstruction depends on."""

import pytest
import torch

from sparring.artefacts.models import load_model, save_model
from sparring.models.vqgan import VQGAN, FromChannels, ToChannels
from sparring.models.vqgan_building import build_vqgan
from sparring.randomness import seeded_initialisation
from sparring.settings.vqgan import VqganModel

SMALL = {"channels": (4, 8, 8), "blocks": (0, 1, 1), "num_codes": 16, "code_dim": 4}


def volumes(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def small(**keys):
    with seeded_initialisation(0, "vqgan"):
        model = VQGAN(**SMALL | keys).eval()
    if "quantiser" not in keys:
        model.codebook.initialise(volumes(16, 4))
    return model


@pytest.mark.parametrize(
    ("downsample", "halvings"), [((4, 4, 4), 2), ((2, 4, 4), 2), ((1, 2, 2), 1), ((2, 8, 4), 3)]
)
def test_each_axis_has_its_own_factor(downsample, halvings):
    model = small(
        downsample=downsample, channels=(4,) * (halvings + 1), blocks=(0,) * (halvings + 1)
    )
    x = volumes(1, 1, 8, 16, 24)
    latents = model.encode(x)
    assert latents.shape[2:] == tuple(n // f for n, f in zip(x.shape[2:], downsample, strict=True))
    assert model(x).shape == x.shape
    assert model.factor == downsample


@pytest.mark.parametrize("downsample", [(4, 4, 4), (1, 2, 2), (2, 4, 4)])
def test_full_resolution_may_be_left_out(downsample):
    halvings = 2 if 4 in downsample else 1
    model = small(
        downsample=downsample, channels=(0, 4, 8)[: halvings + 1], blocks=(0, 1, 1)[: halvings + 1]
    )
    x = volumes(2, 1, 8, 16, 24)
    assert model(x).shape == x.shape
    assert model.encode(x).shape[2:] == tuple(
        n // f for n, f in zip(x.shape[2:], downsample, strict=True)
    )


@pytest.mark.parametrize("cell", [(2, 2, 2), (1, 2, 2), (1, 1, 2)])
def test_voxels_come_back_from_channels(cell):
    x = volumes(2, 1, 4, 6, 8)
    channels = ToChannels(cell)(x)
    assert torch.equal(FromChannels(cell)(channels), x)
    assert torch.equal(channels[:, 0, 1, 1, 1], x[:, 0, cell[0], cell[1], cell[2]])


def test_codes_alone_give_the_reconstruction():
    model, x = small(), volumes(2, 1, 8, 8, 8)
    indices = model.quantise(model.encode(x)).indices
    assert torch.allclose(model.decode_indices(indices), model(x), atol=1e-5)
    assert model.bits_per_voxel == 4 / 64


@pytest.mark.parametrize("keys", [{}, {"quantiser": "fsq", "fsq_levels": (5, 4)}])
def test_a_directory_holds_the_model_with_its_codebook(tmp_path, keys):
    model, x = small(**keys), volumes(1, 1, 8, 8, 8)
    save_model(model, tmp_path)
    assert torch.equal(load_model(VQGAN, tmp_path)(x), model(x))


def test_what_is_far_away_changes_nothing():
    """Windows of a volume can be joined: no statistics are taken over space."""
    model, x = small(), volumes(1, 1, 8, 8, 64)
    other = x.clone()
    other[..., 56:] = -1
    latents, changed = model.encode(x), model.encode(other)
    assert not torch.equal(latents, changed)
    assert torch.allclose(latents[..., :8], changed[..., :8], atol=1e-6)
    rounded = model.quantise(latents).latents
    edited = rounded.clone()
    edited[..., 14:] = 0
    assert torch.allclose(
        model.decode(rounded)[..., :24], model.decode(edited)[..., :24], atol=1e-6
    )


@pytest.mark.parametrize("channels", [(4, 8, 8), (0, 8, 8)])
def test_every_parameter_gets_a_gradient(channels):
    model, x = small(channels=channels).train(), volumes(2, 1, 8, 8, 8)
    (model(x) - x).abs().mean().backward()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in model.parameters())


def test_settings_build_what_they_say():
    model = build_vqgan(VqganModel())
    assert model.num_codes == 512
    assert model.encode(volumes(1, 1, 8, 8, 8)).shape == (1, 64, 2, 2, 2)
