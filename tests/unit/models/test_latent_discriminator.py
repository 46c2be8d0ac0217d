"""The discriminator gives logits, and sees every latent by itself."""

import pytest
import torch

from sparring.artefacts.models import load_model, save_model
from sparring.models.discriminator import LatentDiscriminator


@pytest.fixture
def discriminator():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return LatentDiscriminator(4, 8, 2)


def test_about_three_million_parameters_at_the_reference_size():
    with torch.device("meta"):
        count = sum(p.numel() for p in LatentDiscriminator().parameters())
    assert 2.7e6 < count < 2.9e6


@pytest.mark.parametrize(("levels", "side"), [(1, 2), (2, 4), (3, 8), (2, 16)])
def test_one_logit_per_latent(levels, side):
    logits = LatentDiscriminator(4, 8, levels)(torch.zeros(3, 4, side, side))
    assert logits.shape == (3,)
    assert logits.dtype == torch.float32


@pytest.mark.parametrize(("levels", "sides"), [(1, (2, 2, 2)), (2, (4, 8, 4)), (3, (8, 8, 8))])
def test_one_logit_per_latent_of_a_volume(levels, sides):
    critic = LatentDiscriminator(4, 8, levels, spatial_dims=3)
    x = torch.randn(3, 4, *sides, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        logits = critic(x)
        torch.testing.assert_close(critic(x[1:2]), logits[1:2])
    assert logits.shape == (3,)
    assert len(set(logits.tolist())) == 3


def test_a_discriminator_of_volumes_comes_back_as_one(tmp_path):
    critic = LatentDiscriminator(4, 8, 2, num_conditions=2, spatial_dims=3).eval()
    save_model(critic, tmp_path)
    x, labels = torch.randn(2, 4, 4, 4, 4), torch.tensor([0, 1])
    with torch.no_grad():
        again = load_model(LatentDiscriminator, tmp_path)(x, labels)
        torch.testing.assert_close(again, critic(x, labels))


def test_outputs_are_unbounded(discriminator):
    """No sigmoid, tanh or clamp inside: a bolder head gives logits far beyond [-1, 1]."""
    x = torch.randn(64, 4, 8, 8, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        discriminator.head.bias.zero_()
        logits = discriminator(x)
        discriminator.head.weight.mul_(-1e4)
        bolder = discriminator(x)
    torch.testing.assert_close(bolder, -1e4 * logits, rtol=1e-3, atol=1e-2)
    assert bolder.abs().max() > 100


def test_logits_stay_fp32_under_autocast(discriminator):
    with torch.autocast("cpu", torch.bfloat16):
        assert discriminator(torch.zeros(2, 4, 8, 8)).dtype == torch.float32


@pytest.mark.parametrize("training", [True, False])
def test_a_latent_is_scored_alike_in_any_company(discriminator, training):
    """Statistics over a batch of one class would give the class away."""
    discriminator.train(training)
    x = torch.randn(6, 4, 8, 8, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        alone = torch.cat([discriminator(row[None]) for row in x])
        torch.testing.assert_close(discriminator(x * 1.0), alone)
        torch.testing.assert_close(discriminator(torch.cat([x[:1], 50 * x[1:]]))[0], alone[0])


def test_directory_gives_the_same_network_back(discriminator, tmp_path):
    save_model(discriminator, tmp_path)
    again = load_model(LatentDiscriminator, tmp_path)
    assert not again.training
    for name, tensor in discriminator.state_dict().items():
        assert torch.equal(again.state_dict()[name], tensor)
    assert again.config.latent_channels == 4
    assert torch.equal(
        LatentDiscriminator.from_pretrained(tmp_path).head.weight, discriminator.head.weight
    )
