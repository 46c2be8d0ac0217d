"""noised: the levels to which predictions and reals are noised alike."""

import pytest
import torch

from sparring.objectives.noised import levels
from sparring.objectives.table import NEEDS

T = 1000
ALMOST_ONE = 1 - 2.0**-24


def test_the_table_says_what_the_discriminator_sees():
    needs = NEEDS["noised"]
    assert needs.discriminator
    assert needs.discriminator_input == "noised"
    assert not needs.guided_sampling
    assert not needs.fakes_in_training


@pytest.mark.parametrize(("above", "lowest"), [(True, [0, 1, 500, 998, 999]), (False, [0] * 5)])
def test_levels_begin_at_the_prediction_s_own_and_end_below_t_max(above, lowest):
    t = torch.tensor([0, 1, 500, 998, 999])
    assert levels(t, T, torch.zeros(5), above).tolist() == lowest
    assert levels(t, T, torch.full((5,), ALMOST_ONE), above).tolist() == [999] * 5


@pytest.mark.parametrize("above", [True, False])
def test_every_level_is_as_likely(above):
    t = torch.full((10_000,), 990)
    uniform = (torch.arange(10_000) + 0.5) / 10_000
    s = levels(t, T, uniform, above)
    low = 990 if above else 0
    assert torch.bincount(s, minlength=T)[low:].tolist() == [10_000 // (T - low)] * (T - low)


def test_levels_are_timesteps():
    s = levels(torch.tensor([3]), T, torch.tensor([0.5]))
    assert s.dtype == torch.int64
    assert s.tolist() == [501]
