"""A discriminator that begins as the denoiser's encoder."""

import pytest
import torch

from sparring.artefacts.models import load_model, save_model
from sparring.models.backbone import BackboneDiscriminator, from_denoiser
from sparring.models.denoiser import build_denoiser
from sparring.randomness import seeded_initialisation
from sparring.settings.parts import DenoiserSettings

SIDES = {2: 8, 3: (4, 4, 4)}


def denoiser(dims, conditions=0):
    """Without the zeros that a fresh one begins with and that no gradient passes."""
    preset = {2: "unet_tiny", 3: "unet3d_tiny"}[dims]
    with seeded_initialisation(0, "denoiser"):
        model = build_denoiser(DenoiserSettings(preset=preset), 4, SIDES[dims], conditions)
        for p in model.parameters():
            if p.ndim > 1 and not p.any():
                torch.nn.init.normal_(p, std=0.1)
    return model.eval()


def latents(dims, count=3, seed=0):
    sides = (8, 8) if dims == 2 else SIDES[3]
    return torch.randn(count, 4, *sides, generator=torch.Generator().manual_seed(seed))


def decided(model):
    """With a head that says something."""
    with seeded_initialisation(1, "head"), torch.no_grad():
        model.head.weight.normal_()
        if model.condition is not None:
            model.condition.weight.normal_()
    return model.eval()


@pytest.fixture(params=[2, 3], ids=["layouts", "volumes"])
def dims(request):
    return request.param


@torch.no_grad()
def test_its_features_are_those_in_the_denoiser_s_middle(dims):
    unet, seen = denoiser(dims), []
    middle = unet.mid_block if dims == 2 else unet.network.middle_block
    middle.register_forward_hook(lambda module, given, found: seen.append(found))
    x, t = latents(dims), torch.tensor([0, 500, 999])
    unet(x, t)
    model = from_denoiser(unet, 0, dims, noised=True).eval()
    torch.testing.assert_close(model.encoder(x, t), seen[0])


def test_it_begins_undecided_and_every_weight_can_learn(dims):
    model = from_denoiser(denoiser(dims), 0, dims, noised=True)
    x, t = latents(dims), torch.tensor([10, 300, 900])
    assert not model(x, None, t).any()
    decided(model)(x, None, t).sum().backward()
    exempt = "to_k.bias"  # softmax does not change with it
    still = [
        name
        for name, p in model.named_parameters()
        if not name.endswith(exempt) and (p.grad is None or not p.grad.any())
    ]
    assert still == []


def test_the_denoiser_does_not_change_with_it(dims):
    unet = denoiser(dims)
    before = {name: tensor.clone() for name, tensor in unet.state_dict().items()}
    model = from_denoiser(unet, 0, dims, noised=True)
    with torch.no_grad():
        for p in model.parameters():
            p.add_(1.0)
    assert all(torch.equal(tensor, before[name]) for name, tensor in unet.state_dict().items())


@torch.no_grad()
def test_timesteps_matter_and_without_them_the_input_is_clean(dims):
    model, x = decided(from_denoiser(denoiser(dims), 0, dims, noised=False)), latents(dims)
    clean = model(x)
    torch.testing.assert_close(clean, model(x, None, torch.zeros(3, dtype=torch.int64)))
    assert (clean - model(x, None, torch.full((3,), 800))).abs().min() > 1e-4


@torch.no_grad()
def test_conditions_are_asked_for_and_matter(dims):
    """Of a class-conditional denoiser too: its encoder is told of no condition."""
    model = decided(from_denoiser(denoiser(dims, conditions=2), 2, dims, noised=True))
    x, t = latents(dims), torch.full((3,), 100)
    one, other = (model(x, torch.full((3,), label), t) for label in (0, 1))
    assert (one - other).abs().min() > 1e-4
    with pytest.raises(ValueError, match="needs labels"):
        model(x, None, t)


@torch.no_grad()
def test_a_directory_gives_the_same_network_back(dims, tmp_path):
    model = decided(from_denoiser(denoiser(dims), 2, dims, noised=True))
    save_model(model, tmp_path)
    again = load_model(BackboneDiscriminator, tmp_path)
    x, labels, t = latents(dims), torch.tensor([0, 1, 0]), torch.tensor([10, 300, 900])
    assert torch.equal(again(x, labels, t), model(x, labels, t))
    config = again.config
    assert (config.noised, config.spatial_dims, config.num_conditions) == (True, dims, 2)
    assert config.latent_channels == 4
