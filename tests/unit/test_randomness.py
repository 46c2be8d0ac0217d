"""Every draw is keyed by what it is for, so no state needs saving."""

import numpy as np
import pytest
import torch

from sparring.randomness import (
    generator,
    key_seed,
    normals,
    numpy_generator,
    permutation,
    seeded_initialisation,
    timesteps,
)

CPU = torch.device("cpu")


def test_noise_of_a_sample_does_not_depend_on_its_batch():
    whole = normals((3, 4), range(10), 7, "noise", device=CPU)
    assert whole.shape == (10, 3, 4)
    parts = [normals((3, 4), part, 7, "noise", device=CPU) for part in ([0, 1, 2], range(3, 10))]
    assert torch.equal(torch.cat(parts), whole)
    backwards = normals((3, 4), reversed(range(10)), 7, "noise", device=CPU)
    assert torch.equal(backwards.flip(0), whole)


def test_timestep_of_a_sample_does_not_depend_on_its_batch():
    whole = timesteps(1000, range(10), 7, "t", device=CPU)
    parts = [timesteps(1000, part, 7, "t", device=CPU) for part in (range(4), range(4, 10))]
    assert torch.equal(torch.cat(parts), whole)


def test_draws_do_not_depend_on_what_was_drawn_before():
    first = normals((2,), [3], 1, "a", device=CPU)
    torch.randn(100)
    np.random.default_rng().normal(size=10)
    normals((5,), range(50), 1, "b", device=CPU)
    assert torch.equal(normals((2,), [3], 1, "a", device=CPU), first)
    assert torch.equal(permutation(9, 1, "a"), permutation(9, 1, "a"))
    assert numpy_generator(1, "a").random() == numpy_generator(1, "a").random()


def test_different_keys_draw_differently():
    keys = [(seed, purpose, epoch, n) for seed in (1, 2) for purpose in ("noise", "order")
            for epoch in range(10) for n in range(20)]  # fmt: skip
    assert len({key_seed(*key) for key in keys}) == len(keys)
    draws = torch.stack([torch.randn(4, generator=generator(*key)) for key in keys])
    assert len(draws.unique(dim=0)) == len(keys)


def test_digits_of_neighbouring_parts_are_kept_apart():
    """Epoch 1 sample 12 is not epoch 11 sample 2."""
    assert key_seed(0, "x", 1, 12) != key_seed(0, "x", 11, 2)
    assert key_seed(0, 1) != key_seed(1, 0)


def test_seeds_are_the_same_on_every_machine():
    """Python's own hash differs between processes; this is blake2b of "42/a/0" by hand."""
    import hashlib

    digest = hashlib.blake2b(b"42/a/0", digest_size=8).hexdigest()
    assert key_seed(42, "a", 0) == int(digest, 16) // 2
    assert key_seed(42, "a", 0) < 2**63


def test_noise_is_standard_normal():
    values = normals((100,), range(200), 5, "noise", device=CPU).flatten()
    assert values.mean().abs() < 4 / len(values) ** 0.5
    assert (values.std() - 1).abs() < 4 / (2 * len(values)) ** 0.5


def test_timesteps_are_uniform():
    """Chi-squared over ten equal bins; 9 degrees of freedom exceed 33 once in 10,000 times."""
    drawn = timesteps(1000, range(5000), 5, "t", device=CPU)
    assert drawn.dtype == torch.int64
    counts = torch.bincount(drawn // 100, minlength=10)
    assert len(counts) == 10
    assert ((counts - 500) ** 2 / 500).sum() < 33


def test_permutation_holds_every_row_once():
    order = permutation(100, 3, "epoch", 1)
    assert order.sort().values.tolist() == list(range(100))
    assert not torch.equal(order, permutation(100, 3, "epoch", 2))


@pytest.mark.parametrize("fails", [False, True])
def test_initialisation_is_keyed_and_leaves_the_global_state_alone(fails):
    torch.manual_seed(0)
    expected = torch.randn(3)
    torch.manual_seed(0)
    try:
        with seeded_initialisation(4, "model"):
            first = torch.nn.Linear(3, 3).weight.detach()
            if fails:
                raise KeyError
    except KeyError:
        pass
    assert torch.equal(torch.randn(3), expected)
    with seeded_initialisation(4, "model"):
        assert torch.equal(torch.nn.Linear(3, 3).weight, first)
    with seeded_initialisation(5, "model"):
        assert not torch.equal(torch.nn.Linear(3, 3).weight, first)
