"""Figures on held-out patches: no cheap reconstruction looks good in all of them."""

import pytest
import torch
from torch.nn.functional import avg_pool3d, pad
from vqgans import CPU, model, patches

from sparring.training.patch_validation import gradient_energy, measure_patches


class Echo(torch.nn.Module):
    """Gives back what went in, changed by a function; takes one code only."""

    num_codes = 4

    def __init__(self, change):
        super().__init__()
        self.change = change

    def encode(self, x):
        return x

    def quantise(self, x):
        from sparring.models.codebook import Quantised

        return Quantised(x, torch.zeros(len(x), 1, 1, 1, dtype=torch.long), torch.zeros(len(x)))

    def decode(self, x):
        return self.change(x)


def figures(change):
    return measure_patches(Echo(change), patches().val(), CPU)


def test_a_perfect_model_is_perfect():
    found = figures(lambda x: x)
    assert found["l1"] == 0
    assert found["psnr"] > 100
    assert found["gradient_energy_ratio"] == pytest.approx(1)
    assert found["perplexity"] == pytest.approx(1)
    assert found["codes_used"] == 1


def test_a_constant_volume_is_neither_close_nor_sharp():
    found = figures(lambda x: torch.full_like(x, float(x.mean())))
    assert found["gradient_energy_ratio"] == 0
    assert found["psnr"] < 16


def test_blur_lowers_the_ratio_and_noise_raises_it():
    blurred = figures(lambda x: avg_pool3d(pad(x, (1,) * 6, mode="replicate"), 3, 1))
    noisy = figures(lambda x: x + 0.2 * torch.randn(x.shape))
    assert blurred["gradient_energy_ratio"] < 1 < noisy["gradient_energy_ratio"]


def test_energy_counts_all_three_axes():
    for axis in (2, 3, 4):
        x = torch.zeros(1, 1, 4, 4, 4)
        x.select(axis, 1).fill_(1)
        assert gradient_energy(x) == pytest.approx(2 / 9)


def test_figures_do_not_depend_on_the_batch():
    net = model()
    net.codebook.initialise(torch.randn(12, 4, generator=torch.Generator().manual_seed(0)))
    apart = measure_patches(net, patches().val(), CPU)
    together = measure_patches(net, [torch.cat(list(patches().val()))], CPU)
    assert apart == pytest.approx(together, rel=1e-4)
