"""The two-sample test: blind to nothing it promises to see, and honest where there is nothing."""

import numpy as np
import pytest

from sparring.errors import UserError
from sparring.evaluation.judges import JUDGES, CnnJudge, LinearJudge
from sparring.evaluation.statistics import Draws
from sparring.evaluation.two_sample import (
    Rows,
    Scores,
    auc_figure,
    folds,
    placements,
    train_panel,
    turns,
)

FAST = {"linear": LinearJudge(), "cnn": CnnJudge(epochs=4, min_steps=30)}


def latents(count=120, seed=0, side=8, groups=None):
    """Smooth random fields: neighbouring cells resemble each other, as in latents."""
    raw = np.random.default_rng(seed).normal(size=(count, 4, side + 2, side + 2))
    smooth = (raw[:, :, 1:] + raw[:, :, :-1])[:, :, :, 1:] + (raw[:, :, 1:] + raw[:, :, :-1])[
        :, :, :, :-1
    ]
    found = (smooth[:, :, :side, :side] / 2).astype(np.float16)
    return Rows(found, np.arange(count) if groups is None else groups)


def changed(rows, change):
    return Rows(change(rows.latents.astype(np.float32)).astype(np.float16), rows.groups)


def auc(judge, reals, samples, seed=0, count=2):
    panel = train_panel(judge, reals, samples, count, seed)
    draws = [Draws.of(rows.groups, 60, seed, w) for rows, w in ((reals, "held"), (samples, "s"))]
    return auc_figure(panel.scores(reals), panel.scores(samples), *draws)


class TestPlacements:
    def test_their_means_are_the_auc(self):
        draw = np.random.default_rng(0)
        reals, samples = draw.normal(size=30).round(1), draw.normal(size=20).round(1)
        pairs = (reals[:, None] > samples) + 0.5 * (reals[:, None] == samples)
        above, below = placements(reals, samples)
        np.testing.assert_allclose(above, pairs.mean(1))
        np.testing.assert_allclose(below, pairs.mean(0))

    def test_one_class_alone_is_refused(self):
        """Earlier code had a validation split of fakes only, and reported its accuracy."""
        for reals, samples in (([], [1.0]), ([1.0], [])):
            with pytest.raises(UserError, match="needs both classes"):
                placements(np.array(reals), np.array(samples))

    def test_a_fold_of_one_class_is_refused(self):
        scores = Scores([np.zeros(4)], [np.zeros(4, dtype=int)])
        other = Scores([np.zeros(4)], [np.ones(4, dtype=int)])
        draws = Draws.of(np.arange(4), 20, 0, "x")
        with pytest.raises(UserError, match="needs both classes"):
            auc_figure(scores, other, draws, draws)

    def test_too_few_reals_for_two_folds_are_refused(self):
        with pytest.raises(UserError, match="held-out reals, expected at least 2"):
            train_panel(FAST["linear"], latents(3), latents(20), 2, 0)


class TestFolds:
    def test_copies_stay_together_and_folds_are_of_equal_size(self):
        groups = np.repeat([f"original {n}" for n in range(20)], 3)
        found = folds(groups, 1)
        assert all(len(set(found[groups == g])) == 1 for g in groups)
        assert (found == 0).sum() == (found == 1).sum() == 30

    def test_samples_of_one_noise_are_in_one_fold_for_every_model(self):
        """They resemble each other: a judge that has seen one would know the other."""
        names = np.array([f"noise {n}" for n in range(30)])
        assert (folds(names, 1) == folds(names.copy(), 1)).all()
        assert (folds(names, 1) != folds(names, 2)).any()

    def test_no_judge_scores_what_it_has_seen(self):
        seen = []

        def judge(reals, samples, seed):
            known = {row.tobytes() for row in (*reals, *samples)}
            seen.append(known)

            def score(rows):
                assert not known & {row.tobytes() for row in rows}
                return np.zeros(len(rows))

            return score

        reals, samples = latents(20, 1), latents(30, 2)
        panel = train_panel(judge, reals, samples, 3, 0)
        panel.scores(reals), panel.scores(samples)
        assert len(seen) == 6
        assert all(len(known) == 25 for known in seen)


def test_every_model_has_an_equal_share_of_what_fixed_scorers_train_on():
    for models in (1, 2, 3, 7):
        rows = turns(models, 70)
        counts = {len(r) for r in rows}
        assert max(counts) - min(counts) <= 2
        assert sum(map(len, rows)) == 70 * min(models, 2)
        assert all((np.diff(r) > 0).all() for r in rows)


def test_halves_of_one_set_give_one_half_within_three_standard_errors():
    """Over 20 seeds; and their mean within 3 of its own, so that no bias hides in the spread."""
    scaled = []
    for seed in range(20):
        found = auc(LinearJudge(), latents(80, 2 * seed), latents(80, 2 * seed + 1), seed)
        scaled.append((found.value - 0.5) / found.standard_error)
    assert np.abs(scaled).max() < 3
    assert abs(np.mean(scaled)) < 3 / 20**0.5
    assert 0.6 < np.std(scaled) < 1.5  # the standard error is neither boast nor timidity


@pytest.mark.parametrize("family", JUDGES)
def test_halves_of_one_set_for_either_family(family):
    found = auc(FAST[family], latents(100, 50), latents(100, 51))
    assert abs(found.value - 0.5) < 3 * found.standard_error


def checkerboard(x):
    pattern = np.indices(x.shape[-2:]).sum(0) % 2 * 2.0 - 1
    return x + 0.25 * pattern


@pytest.mark.parametrize("family", JUDGES)
@pytest.mark.parametrize("change", [
    lambda x: x + 0.3, lambda x: 0.7 * x, checkerboard,
], ids=["shift", "shrinkage", "pattern"])  # fmt: skip
def test_a_large_change_is_seen_by_either_family(family, change):
    found = auc(FAST[family], latents(120, 3), changed(latents(120, 4), change))
    assert found.value - 0.5 > 3 * found.standard_error
    assert found.value > 0.75


def test_a_shrinkage_of_five_per_cent_is_seen_in_four_hundred_rows():
    samples = changed(latents(400, 4), lambda x: 0.95 * x)
    found = auc(LinearJudge(), latents(400, 3), samples)
    assert found.value - 0.5 > 3 * found.standard_error


@pytest.mark.parametrize(
    "change", [lambda x: x + 0.003, lambda x: 0.998 * x], ids=["shift", "shrinkage"]
)
def test_what_is_below_the_promised_size_is_not_claimed(change):
    """Thousandths of a standard deviation, 120 rows: undetectable, and said to be."""
    found = auc(LinearJudge(), latents(120, 5), changed(latents(120, 6), change))
    assert abs(found.value - 0.5) < 3 * found.standard_error


def test_a_pattern_that_fools_a_discriminator_does_not_fool_a_fresh_judge():
    """Samples that one judge takes for real: a step along its gradient, which no real has."""
    import torch

    reals, samples = latents(160, 7), changed(latents(160, 8), lambda x: x + 0.05)
    torch.manual_seed(0)
    weights = torch.zeros(4, 8, 8)
    x_real, x_fake = (torch.from_numpy(r.latents).float() for r in (reals, samples))
    for _ in range(50):  # a logistic discriminator of pixels, as weak as those that get fooled
        error = [torch.sigmoid((x * weights).sum((1, 2, 3))) for x in (x_real, x_fake)]
        weights -= 0.05 * ((x_fake * error[1][:, None, None, None]).mean(0)
                           - (x_real * (1 - error[0])[:, None, None, None]).mean(0))  # fmt: skip

    def share_real(x):
        return float(((x * weights).sum((1, 2, 3)) > 0).float().mean())

    fooling = x_fake + 1.2 * weights / weights.norm() * x_fake[0].numel() ** 0.5 * 0.25
    assert share_real(x_fake) < 0.5
    assert share_real(fooling) > 0.9  # its viability score has never been better
    fooled = Rows(fooling.numpy().astype(np.float16), samples.groups)
    found = auc(CnnJudge(), reals, fooled)
    assert found.value - 0.5 > 3 * found.standard_error
