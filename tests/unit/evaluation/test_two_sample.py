"""The two-sample test: blind to nothing it promises to see, and honest where there is nothing."""

import numpy as np
import pytest

from sparring.errors import UserError
from sparring.evaluation.judges import JUDGES, Cells, CnnJudge, LinearJudge
from sparring.evaluation.statistics import Parts, estimate_of
from sparring.evaluation.two_sample import Rows, auc, folds, judge_seeds, own_auc

FAST = {"linear": LinearJudge(splits=1), "cnn": CnnJudge(epochs=4, min_steps=30)}


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


def figure(judge, reals, samples, seed=0, count=2):
    parts = Parts.of(samples.groups, reals.groups, seed)
    return own_auc(judge, reals, samples, parts, judge_seeds(seed, count))


def is_told(figure):
    return estimate_of([figure]).p_above(0.5) < 0.01


class TestAuc:
    def test_it_is_the_share_of_pairs_in_the_right_order_ties_half(self):
        draw = np.random.default_rng(0)
        reals, samples = draw.normal(size=30).round(1), draw.normal(size=20).round(1)
        pairs = (reals[:, None] > samples) + 0.5 * (reals[:, None] == samples)
        assert auc(reals, samples) == pytest.approx(pairs.mean())

    def test_one_class_alone_is_refused(self):
        """Earlier code had a validation split of fakes only, and reported its accuracy."""
        for reals, samples in (([], [1.0]), ([1.0], [])):
            with pytest.raises(UserError, match="needs both classes"):
                auc(np.array(reals), np.array(samples))


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


def sides(*counts, seed=0):
    """Reals and samples with folds and five groups; of every other sample there is a copy."""
    found = []
    for n, count in enumerate(counts):
        rows = latents(count, seed + n, groups=np.arange(count) // (1 + n))
        found.append(Cells(rows.latents, folds(rows.groups, 7)[None], rows.groups % 5))
    return found


class TestJudges:
    @pytest.mark.parametrize("family", JUDGES)
    def test_no_row_is_scored_by_what_has_seen_its_fold(self, family):
        """Other rows beside it change nothing in its score, other rows in the other fold do."""
        reals, samples = sides(40, 60)
        other = sides(40, 60, seed=5)

        def gap(fold):
            """Between the scores of two samples of fold 0, where one fold of all else is new."""
            mixed = []
            for old, new in zip((reals, samples), other, strict=True):
                kept = (old.folds[0] != fold)[:, None, None, None]
                mixed.append(np.where(kept, old.latents, new.latents))
            two = np.flatnonzero(samples.folds[0] == 0)[-2:]
            mixed[1][two] = samples.latents[two]
            cells = [
                Cells(x, c.folds, c.part) for x, c in zip(mixed, (reals, samples), strict=True)
            ]
            ((_, scores),) = FAST[family](*cells, 0)
            first, second = scores[two, 0]
            return first - second

        assert gap(0) == pytest.approx(gap(-1), rel=1e-3)
        assert gap(1) != pytest.approx(gap(-1), rel=0.05)

    def test_the_linear_one_without_a_group_is_the_one_that_never_had_it(self):
        """Up to a constant: scores of a fold are compared with each other only."""
        cells = sides(50, 80)
        (scores,) = FAST["linear"](*cells, 0)
        for g in range(5):
            rest = [
                Cells(c.latents[left], c.folds[:, left], c.part[left])
                for c, left in ((c, c.part != g) for c in cells)
            ]
            (found,) = FAST["linear"](*rest, 0)
            for side, own in enumerate(rest):
                ours = scores[side][cells[side].part != g, 1 + g]
                for fold in (0, 1):
                    of_fold = own.folds[0] == fold
                    shift = ours[of_fold] - found[side][of_fold, 0]
                    np.testing.assert_allclose(shift, shift.mean(), atol=1e-4)


def test_halves_of_one_set_give_one_half_within_three_standard_errors():
    """Over 15 seeds; and their mean within 3 of its own, so that no bias hides in the spread."""
    scaled = []
    for seed in range(15):
        found = figure(LinearJudge(), latents(80, 2 * seed), latents(80, 2 * seed + 1), seed)
        scaled.append((found.value - 0.5) / estimate_of([found]).se)
    assert np.abs(scaled).max() < 3
    assert abs(np.mean(scaled)) < 3 / 15**0.5
    assert 0.4 < np.std(scaled) < 1.5  # the standard error is neither boast nor timidity


@pytest.mark.parametrize("family", JUDGES)
def test_halves_of_one_set_for_either_family(family):
    found = figure(FAST[family], latents(100, 50), latents(100, 51))
    assert abs(found.value - 0.5) < 3 * estimate_of([found]).se


def test_what_two_models_share_cancels_in_their_difference():
    reals, noise = latents(120, 3), latents(120, 4)
    a, b = (figure(LinearJudge(), reals, changed(noise, lambda x, c=c: x + c)) for c in (0.1, 0.12))
    one, other, paired = (estimate_of([f]).se for f in (a, b, a.minus(b)))
    assert paired < 0.5 * np.hypot(one, other)


def checkerboard(x):
    pattern = np.indices(x.shape[-2:]).sum(0) % 2 * 2.0 - 1
    return x + 0.25 * pattern


@pytest.mark.parametrize("family", JUDGES)
@pytest.mark.parametrize("change", [
    lambda x: x + 0.3, lambda x: 0.7 * x, checkerboard,
], ids=["shift", "shrinkage", "pattern"])  # fmt: skip
def test_a_large_change_is_seen_by_either_family(family, change):
    found = figure(FAST[family], latents(120, 3), changed(latents(120, 4), change))
    assert is_told(found)
    assert found.value > 0.75


def test_a_shrinkage_of_five_per_cent_is_seen_in_four_hundred_rows():
    samples = changed(latents(400, 4), lambda x: 0.95 * x)
    found = figure(LinearJudge(), latents(400, 3), samples)
    assert is_told(found)


@pytest.mark.parametrize(
    "change", [lambda x: x + 0.003, lambda x: 0.998 * x], ids=["shift", "shrinkage"]
)
def test_what_is_below_the_promised_size_is_not_claimed(change):
    """Thousandths of a standard deviation, 120 rows: undetectable, and said to be."""
    found = figure(LinearJudge(), latents(120, 5), changed(latents(120, 6), change))
    assert not is_told(found)


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
    found = figure(CnnJudge(), reals, fooled)
    assert is_told(found)
