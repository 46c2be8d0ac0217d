"""Features of patches: frozen, with gradients, and not loaded where they weigh nothing."""

import pytest
import torch
from vqgans import CPU, model, patches

from sparring.losses.semantic import perceptual_loss
from sparring.models import perceptual
from sparring.settings.vqgan import VqganLosses
from sparring.training.patch_features import patch_features

PLACES = torch.zeros(2, 3, 1, dtype=torch.long)


def test_a_weight_of_zero_loads_nothing():
    assert patch_features(VqganLosses(perceptual=0), model(), CPU) is None


def test_the_encoder_is_frozen_as_it_was():
    net, x = model(), patches().train(0, [0, 1])
    features = patch_features(VqganLosses(), net, CPU)
    before = features(x, PLACES)
    with torch.no_grad():
        for p in net.parameters():
            p.add_(1)
    assert all(torch.equal(a, b) for a, b in zip(before, features(x, PLACES), strict=True))
    assert len(before) == 3


@pytest.fixture
def vgg16_file(tmp_path):
    file = tmp_path / "vgg16.pth"
    torch.save(perceptual.Vgg16().state_dict(), file)
    return file


@pytest.mark.parametrize("kind", ["encoder", "vgg16"])
def test_the_loss_is_zero_for_equal_patches_and_pulls_others(kind, vgg16_file, monkeypatch):
    monkeypatch.setattr("sparring.models.perceptual.require_vgg16", lambda *_: None)
    losses = VqganLosses(perceptual_features=kind, vgg16_weights=vgg16_file)
    features = patch_features(losses, model(), CPU)
    x = patches(side=32).train(0, [0, 1])
    wanted = features(x, PLACES)
    assert perceptual_loss(features(x, PLACES), wanted).abs().max() < 1e-6
    other = (x + 0.3 * torch.randn_like(x)).requires_grad_()
    loss = perceptual_loss(features(other, PLACES), wanted).mean()
    loss.backward()
    assert loss > 0
    assert other.grad.abs().sum() > 0
