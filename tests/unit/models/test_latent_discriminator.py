"""The discriminator gives logits, and sees every latent by itself."""

import pytest
import torch
from torch.nn import functional as F

from sparring.artefacts.models import load_model, save_model
from sparring.models.discriminator import LatentDiscriminator
from sparring.randomness import seeded_initialisation


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


@pytest.mark.parametrize("sides", [(2, 2), (4, 4), (2, 8), (4, 8), (16, 16)])
def test_a_level_is_the_strided_convolution_however_small_the_plane(discriminator, sides):
    """Values, gradients, and gradients of gradients, which penalties on the gradient need."""
    layer = discriminator.features[0].double()
    x = torch.randn(3, 4, *sides, generator=torch.Generator().manual_seed(3), dtype=torch.double)
    x.requires_grad_()
    found = []
    for conv in (layer, lambda x: F.conv2d(x, layer.weight, layer.bias, stride=2, padding=1)):
        y = conv(x)
        (slope,) = torch.autograd.grad(y.sin().sum(), x, create_graph=True)
        found.append((y, slope, *torch.autograd.grad(slope.square().sum(), (x, layer.weight))))
    torch.testing.assert_close(*found)


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


def noised(dims=2, **keys):
    with seeded_initialisation(0, "noised"):
        return LatentDiscriminator(4, 8, 1, spatial_dims=dims, noised=True, **keys)


def latents(dims):
    sides = (8, 8) if dims == 2 else (4, 4, 4)
    return torch.randn(3, 4, *sides, generator=torch.Generator().manual_seed(5))


@pytest.mark.parametrize("dims", [2, 3])
def test_one_of_noised_latents_begins_as_one_that_is_told_nothing(dims):
    """And learns what it is told: the levels change its logits once their weights are not zero."""
    critic, x = noised(dims), latents(dims)
    t = torch.tensor([0, 400, 999])
    with torch.no_grad():
        clean = LatentDiscriminator(4, 8, 1, spatial_dims=dims)
        clean.load_state_dict(critic.state_dict(), strict=False)
        torch.testing.assert_close(critic(x, None, t), clean(x))
        draw = torch.Generator().manual_seed(0)
        for p in critic.level.changes.parameters():
            torch.nn.init.normal_(p, std=0.3, generator=draw)
        logits = critic(x, None, t)
        assert (logits - clean(x)).abs().max() > 1e-3
        torch.testing.assert_close(critic(x[1:2], None, t[1:2]), logits[1:2])


def test_one_of_noised_latents_asks_for_their_levels():
    with pytest.raises(ValueError, match="needs their timesteps"):
        noised()(latents(2))


@pytest.mark.parametrize("dims", [2, 3])
def test_spectral_norms_are_one(dims):
    """The power iteration of a few dozen passes finds the largest singular value of each layer."""
    critic, x, t = noised(dims, spectral=True), latents(dims), torch.tensor([0, 400, 999])
    with torch.no_grad():
        for _ in range(60):
            critic(x, None, t)
        layers = [m for m in (*critic.features, critic.head) if hasattr(m, "parametrizations")]
        assert len(layers) == 2
        for layer in layers:
            largest = torch.linalg.matrix_norm(layer.weight.flatten(1), ord=2)
            assert float(largest) == pytest.approx(1.0, abs=0.02)


def test_spectral_norms_come_back_from_a_directory(tmp_path):
    critic, x, t = noised(spectral=True), latents(2), torch.tensor([0, 400, 999])
    critic(x, None, t)
    critic.eval()
    save_model(critic, tmp_path)
    again = load_model(LatentDiscriminator, tmp_path)
    with torch.no_grad():
        assert torch.equal(again(x, None, t), critic(x, None, t))
        assert torch.equal(again(x, None, t), critic(x, None, t))  # judging changes nothing
