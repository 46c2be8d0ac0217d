"""Arithmetic and memory of networks, against what can be counted by hand."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from sparring.errors import UserError
from sparring.models.costs import (
    Allocations,
    costs,
    count_flop,
    sampling_peak,
    training_peak,
)
from sparring.models.denoiser import build_denoiser
from sparring.models.presets import PRESETS
from sparring.settings.parts import DenoiserSettings

FLOAT = 4  # bytes

# GFLOP of one forward at 16x32x32; attention's two products are not in these figures.
WITHOUT_ATTENTION_PRODUCTS = {
    "unet64_d4_attn": 5.03,
    "unet64_d4": 4.33,
    "unet128_d3": 9.65,
    "unet48_d4": 1.88,
    "unet48_d3": 1.74,
    "unet32_d3_attn": 1.14,
    "unet32_d3": 0.82,
}


class Network(nn.Module):
    """Layers in a row behind the denoiser's interface."""

    def __init__(self, *layers):
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def forward(self, x_t, timesteps):
        return SimpleNamespace(sample=self.layers(x_t))


class Attention(nn.Module):
    def forward(self, x):
        tokens = x.flatten(2).transpose(1, 2).unsqueeze(1)
        return F.scaled_dot_product_attention(tokens, tokens, tokens)


def attention_products(name, side=32):
    """Operations of attention's two products, 4 N^2 C per layer, of a preset with attention."""
    preset = PRESETS[name]
    per_level = [4 * (side >> n) ** 4 * width for n, width in enumerate(preset.widths)]
    down_and_up = 2 * preset.layers_per_block + 1
    levels = sum(per_level) * down_and_up if preset.attention else 0
    return levels + per_level[-1] * preset.mid_attention


def test_a_convolution_costs_two_operations_per_multiply_add():
    flop = count_flop(lambda: Network(nn.Conv2d(3, 5, 3, padding=1)), (3, 8, 8))
    assert flop == 2 * (3 * 5 * 9) * (8 * 8)


def test_attention_costs_its_two_products():
    assert count_flop(lambda: Network(Attention()), (6, 4, 4)) == 4 * 16**2 * 6


@pytest.mark.parametrize("name", sorted(WITHOUT_ATTENTION_PRODUCTS))
def test_the_presets_cost_what_the_ablation_table_says_and_attention(name):
    flop = count_flop(lambda: build_denoiser(DenoiserSettings(preset=name), 16, 32), (16, 32, 32))
    published = (flop - attention_products(name)) / 1e9
    assert published == pytest.approx(WITHOUT_ATTENTION_PRODUCTS[name], abs=0.0051)


def test_allocations_count_what_is_alive_and_views_once():
    with Allocations() as allocations:
        first = torch.empty(1000)
        second = first.view(10, 100).t()
        assert allocations.live == 1000 * FLOAT
        third = second + 1
        assert allocations.live == 2000 * FLOAT
        del third
        assert allocations.live == 1000 * FLOAT
        del first
        assert allocations.live == 1000 * FLOAT  # its view is still there
        del second
        assert allocations.live == 0
    assert allocations.peak == 2000 * FLOAT


def test_training_holds_every_activation_that_backward_needs():
    """Each SiLU keeps its input: one more layer is one more tensor, at once."""
    shape = (7, 4, 16, 16)
    size = 7 * 4 * 16 * 16 * FLOAT

    def peak(layers):
        silus = [nn.SiLU() for _ in range(layers)]
        return training_peak(lambda: Network(nn.Conv2d(4, 4, 1), *silus), shape, bf16=False)

    assert peak(9) - peak(5) == 4 * size


def test_sampling_keeps_no_activations():
    def peak(layers):
        silus = [nn.SiLU() for _ in range(layers)]
        return sampling_peak(lambda: Network(*silus), (7, 4, 16, 16), bf16=False)

    assert peak(9) == peak(5)


def test_weights_count_five_times_in_training_and_once_in_sampling():
    """Weights, gradients, two moments and the average; the step on one pixel weighs nothing."""
    weights = (256 * 256 + 256) * FLOAT

    def network():
        return Network(nn.Conv2d(256, 256, 1))

    few = 256 * 1024  # bytes that a single pixel's forward and backward may take
    assert 0 <= sampling_peak(network, (1, 256, 1, 1), bf16=False) - weights < few
    assert 0 <= training_peak(network, (1, 256, 1, 1), bf16=False) - 5 * weights < few + weights


@pytest.mark.parametrize("bf16", [False, True])
@pytest.mark.parametrize("peak", [training_peak, sampling_peak])
def test_memory_grows_by_the_same_amount_with_every_latent(peak, bf16):
    def network():
        return Network(nn.Conv2d(4, 32, 3, padding=1), nn.SiLU(), nn.Conv2d(32, 4, 3, padding=1))

    small, middle, large = (peak(network, (size, 4, 16, 16), bf16) for size in (8, 16, 24))
    assert middle > small
    assert large - middle == pytest.approx(middle - small, rel=0.01)


def test_autocast_halves_activations_but_adds_copies_of_the_weights():
    def wide():
        return Network(nn.Conv2d(512, 512, 1))

    def deep():
        return Network(*(nn.Conv2d(4, 4, 3, padding=1) for _ in range(20)))

    one_pixel, many = (1, 512, 1, 1), (32, 4, 16, 16)
    assert training_peak(wide, one_pixel, True) > training_peak(wide, one_pixel, False)
    assert training_peak(deep, many, True) < 0.7 * training_peak(deep, many, False)


def test_costs_of_a_preset():
    found = costs(DenoiserSettings(preset="unet_tiny"), 16, 4, 1)
    weights = PRESETS["unet_tiny"].parameters * FLOAT
    assert found.parameters * FLOAT == weights
    assert found.training.fp32 > 5 * weights
    assert found.training.fp32 > found.sampling.fp32 > weights


def test_a_side_that_cannot_be_halved_often_enough_is_refused():
    with pytest.raises(UserError, match="multiple of 16"):
        costs(DenoiserSettings(preset="unet48_d4"), 16, 8, 1)
