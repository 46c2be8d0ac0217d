"""Bugs that earlier code had, planted: the evaluation refuses them."""

from pathlib import Path

import numpy as np
import pytest

from sparring.errors import UserError
from sparring.evaluation.checks import (
    require_held_out,
    require_same_rounding,
    require_same_scale,
    rescaled,
    row_digests,
)
from sparring.evaluation.two_sample import Rows

TEST, TRAIN, SAMPLES = Path("test.h5"), Path("train.h5"), Path("samples.h5")


def latents(count=150, seed=0):
    raw = np.random.default_rng(seed).normal(size=(count, 4, 9, 9))
    return ((raw[:, :, 1:, 1:] + raw[:, :, :-1, :-1]) / 2**0.5).astype(np.float16)


def held_out_check(held_out, train, held_names=None, train_names=None):
    held_names = held_names or [f"h{n}" for n in range(len(held_out))]
    train_names = train_names or [f"t{n}" for n in range(len(train))]
    require_held_out(
        TEST, held_names, row_digests(held_out), TRAIN, train_names, row_digests(train)
    )


def test_disjoint_splits_pass():
    held_out_check(latents(seed=1), latents(seed=2))


def test_reals_of_the_train_split_are_refused_by_name():
    with pytest.raises(UserError) as refusal:
        held_out_check(latents(3, 1), latents(3, 2), ["a", "b", "c"], ["c", "d", "e"])
    for part in ("test.h5", "1 layouts", "'c'", "train.h5"):
        assert part in str(refusal.value)


def test_reals_of_the_train_split_are_refused_under_other_names():
    train = latents(seed=2)
    with pytest.raises(UserError, match="value for value") as refusal:
        held_out_check(np.concatenate([latents(90, 1), train[:10]]), train)
    assert "10 of 100" in str(refusal.value)


def test_one_layout_that_happens_to_be_alike_is_no_leak():
    train = latents(seed=2)
    held_out_check(np.concatenate([latents(149, 1), train[:1]]), train)


def test_what_several_training_originals_have_alike_is_no_leak():
    """Patches of nothing but air."""
    air = np.zeros((30, 4, 8, 8), dtype=np.float16)
    held_out = np.concatenate([latents(30, 1), air])
    held_out_check(held_out, np.concatenate([latents(30, 2), air]))
    with pytest.raises(UserError, match="30 of 60"):
        held_out_check(held_out, np.concatenate([latents(30, 2), air[:1]]))


@pytest.mark.parametrize("scale", [0.18, 5.5, np.array([0.2, 0.3, 0.1, 0.25]).reshape(4, 1, 1)])
def test_samples_at_another_scale_are_refused(scale):
    """Standardised reals beside raw samples, or the other way round."""
    reals = Rows(latents(seed=1), np.arange(150))
    with pytest.raises(UserError, match="another scale") as refusal:
        require_same_scale(SAMPLES, (latents(seed=2) * scale).astype(np.float16), reals, 0)
    assert "samples.h5" in str(refusal.value)


def test_bad_samples_of_another_width_are_judged_and_not_refused():
    """Noise that is twice as wide is a bad model, not a mistake of ours."""
    reals = Rows(latents(seed=1), np.arange(150))
    noise = 2 * np.random.default_rng(3).normal(size=(150, 4, 8, 8))
    require_same_scale(SAMPLES, noise.astype(np.float16), reals, 0)


def test_a_shrinkage_of_five_per_cent_is_left_to_the_judges():
    reals = Rows(latents(seed=1), np.arange(150))
    require_same_scale(SAMPLES, (0.95 * latents(seed=2)).astype(np.float16), reals, 0)


def test_rescaling_gives_the_reals_mean_and_width():
    found = rescaled(3 * latents(seed=2) + 1, latents(seed=1)).astype(np.float64)
    reals = latents(seed=1).astype(np.float64)
    np.testing.assert_allclose(found.mean((0, 2, 3)), reals.mean((0, 2, 3)), atol=1e-3)
    np.testing.assert_allclose(found.std((0, 2, 3)), reals.std((0, 2, 3)), atol=1e-3)


def test_samples_rounded_to_bfloat16_are_refused():
    reals, samples = latents(seed=1), latents(seed=2)
    coarse = (samples.view(np.uint16) & 0xFFF8).view(np.float16)
    require_same_rounding(SAMPLES, samples, reals)
    require_same_rounding(SAMPLES, coarse, (reals.view(np.uint16) & 0xFFF8).view(np.float16))
    with pytest.raises(UserError, match="rounded to bfloat16"):
        require_same_rounding(SAMPLES, coarse, reals)
