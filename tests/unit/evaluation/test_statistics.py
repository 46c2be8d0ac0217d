"""Groups that all models share, standard errors that are right, and intervals over runs."""

import json

import numpy as np
import pytest

from sparring.errors import UserError
from sparring.evaluation.statistics import (
    Estimate,
    Figure,
    Parts,
    estimate_of,
    gap_of_means,
    holm,
    mean_figure,
)


def rows(count, scale=1.0, seed=0):
    return np.random.default_rng(seed).normal(scale=scale, size=count)


def mean_of(values, groups=None):
    """A mean; without groups every row is left out on its own."""
    groups = np.arange(len(values)) if groups is None else groups
    return mean_figure(values, Parts(groups, groups))


class TestGroups:
    def test_copies_share_one_and_groups_are_of_equal_size(self):
        names = np.repeat([f"original {n}" for n in range(25)], 3)
        parts = Parts.of(np.arange(40), names, 0)
        assert parts.count == 10
        assert all(len(set(parts.reals[names == name])) == 1 for name in names)
        assert set(np.bincount(parts.reals)) == {6, 9}
        assert set(np.bincount(parts.samples)) == {4}

    def test_they_follow_from_names_and_seed_so_that_models_leave_out_the_same(self):
        names, again = (Parts.of(np.arange(50), np.arange(50), 1) for _ in range(2))
        assert (names.samples == again.samples).all()
        assert (names.samples != names.reals).any()
        assert (names.reals != Parts.of(np.arange(50), np.arange(50), 2).reals).any()

    def test_none_holds_half_of_a_few_originals_whatever_the_other_side_has(self):
        """A judge's fold of five is two, which no group may take away."""
        parts = Parts.of(np.arange(50), np.arange(5), 0)
        assert (parts.count, sorted(parts.reals)) == (10, [0, 1, 2, 3, 4])

    def test_too_few_originals_are_refused(self):
        with pytest.raises(UserError, match=r"3 originals .* at least 4; hold out more"):
            Parts.of(np.arange(50), np.repeat(np.arange(3), 9), 0)


class TestStandardErrors:
    def test_of_a_mean_they_are_the_textbook_s(self):
        values = rows(400)
        figure = mean_of(values)
        assert figure.value == pytest.approx(values.mean())
        assert estimate_of([figure]).se == pytest.approx(values.std(ddof=1) / 20)

    def test_ten_groups_give_them_too_on_average(self):
        groups = np.arange(100) % 10
        found = [estimate_of([mean_of(rows(100, seed=n), groups)]).se ** 2 for n in range(300)]
        assert np.mean(found) == pytest.approx(1 / 100, rel=0.1)

    def test_seeds_add_their_own_chance_and_do_not_average_the_rows_away(self):
        """Five judges of the same rows: the rows' variance stays, theirs is divided by five."""
        shared, values = mean_of(rows(100)), np.array([0.4, 0.5, 0.6, 0.5, 0.5])
        figure = Figure(values, (np.repeat(shared.deviations[0], 5, axis=0),))
        expected = estimate_of([shared]).se ** 2 + values.var(ddof=1) / 5
        assert estimate_of([figure]).se ** 2 == pytest.approx(expected)

    def test_what_every_judge_overfits_by_itself_counts_once(self):
        """Five judges that each see the data in their own way: the mean's error is theirs / 5, and
        both the jackknife and the differences between them measure just that."""
        found = []
        for world in range(300):
            own = [mean_of(rows(100, seed=5 * world + n)) for n in range(5)]
            deviations = np.concatenate([figure.deviations[0] for figure in own])
            figure = Figure(np.array([f.value for f in own]), (deviations,))
            found.append(estimate_of([figure]).se ** 2)
        assert 0.95 < np.mean(found) * 100 * 5 < 1.35  # 2 if it counted twice; never too little

    def test_what_models_share_cancels_in_their_paired_difference(self):
        shared = rows(300)
        a, b = (mean_of(shared + rows(300, 0.05, seed)) for seed in (1, 2))
        assert estimate_of([a.minus(b)]).se < 0.15 * estimate_of([a]).se

    def test_parts_that_are_not_shared_count_on_their_own(self):
        """A model's noises, and the training reals in their place."""
        a, b = (mean_of(rows(count, seed=count)) for count in (50, 80))
        expected = np.hypot(*(estimate_of([figure]).se for figure in (a, b)))
        assert estimate_of([a.minus(b)]).se == pytest.approx(expected)
        with pytest.raises(ValueError, match="1 and 2 seeds cannot be paired"):
            a.minus(Figure(np.zeros(2), (np.zeros((2, 50)),)))

    def test_a_gap_near_zero_is_as_uncertain_as_its_sign(self):
        """Leaving out a group moves it across 0, where an absolute value would fold it."""
        x, y = rows(100)[:, None], rows(100, seed=1)[:, None]
        y += x.mean() - y.mean()
        parts = Parts(np.arange(100), np.arange(100))
        found = estimate_of([gap_of_means(x + 1e-6, y, parts, 1.0)])
        assert found.value == pytest.approx(1e-6, rel=1e-3)
        assert found.se == pytest.approx(np.hypot(x.std(), y.std()) / 10, rel=0.2)


class TestRuns:
    def test_their_variance_comes_on_top_of_the_data_s(self):
        data = rows(100)
        found = estimate_of([mean_of(data + shift) for shift in (-0.5, 0.0, 0.6)])
        expected = data.var(ddof=1) / 100 + np.var([-0.5, 0, 0.6], ddof=1) / 3
        assert found.se**2 == pytest.approx(expected)

    @pytest.mark.parametrize(("shared", "left"), [(True, 1), (False, 1 / 8)])
    def test_only_what_runs_do_not_share_is_averaged_away(self, shared, left):
        runs = [mean_of(rows(200, seed=0 if shared else n)) for n in range(8)]
        runs = [Figure(np.zeros(1), run.deviations) for run in runs]  # no variance between runs
        one = np.mean([estimate_of([run]).se ** 2 for run in runs])
        assert estimate_of(runs).se ** 2 == pytest.approx(left * one, rel=0.3)

    def test_intervals_over_three_cover_the_truth(self):
        """Runs differ by 0.02, rows by 0.01: about 95 of 100 intervals hold 0."""
        draw, hits = np.random.default_rng(5), 0
        for _ in range(100):
            shared = draw.normal(scale=0.1, size=100)
            runs = [mean_of(shared + draw.normal(scale=0.02), np.arange(100) % 10)
                    for _ in range(3)]  # fmt: skip
            low, high = estimate_of(runs).interval
            hits += low <= 0 <= high
        assert hits >= 88


class TestFreedom:
    def test_two_seeds_and_no_variance_of_data_leave_one_degree(self):
        found = estimate_of([Figure(np.array([1.0, 3.0]), (np.zeros((2, 10)),))])
        assert (found.se, found.freedom) == (1, 1)
        assert found.interval[1] - 2 == pytest.approx(12.706, abs=1e-3)

    def test_they_are_the_parts_own_weighed_by_their_shares(self):
        """Equal variances with 9 and 1 degrees: 2 / (1/9 + 1)."""
        deviations = np.tile(np.resize([1.0, -1.0], 10) / 3, (2, 1))  # variance 9 / 9
        found = estimate_of([Figure(np.array([-1.0, 1.0]), (deviations,))])
        assert found.freedom == pytest.approx(1.8)

    def test_three_runs_that_are_most_of_the_variance_cover_the_truth(self):
        """As a share of 2,000; with Satterthwaite's degrees it is .93."""
        draw = np.random.default_rng(4)
        shared, own = draw.normal(size=(2000, 40)), draw.normal(size=(2000, 3), scale=0.85)
        hits = 0
        for data, effects in zip(shared, own, strict=True):
            low, high = estimate_of([mean_of(data + effect) for effect in effects]).interval
            hits += low <= 0 <= high
        assert hits >= 0.94 * 2000

    def test_of_many_an_interval_is_1_96_standard_errors(self):
        found = estimate_of([mean_of(rows(3000))])
        assert found.interval[1] - found.value == pytest.approx(1.96 * found.se, rel=1e-3)

    def test_p_is_one_in_forty_where_an_interval_ends(self):
        found = Estimate(-0.3, 0.1, 7.0)
        low, high = found.interval
        assert found.p_below(high) == pytest.approx(0.025)
        assert found.p_above(low) == pytest.approx(0.025)
        assert found.p_below() == pytest.approx(1 - found.p_above())


def test_equal_models_differ_by_nothing_and_claim_nothing():
    figure = mean_of(rows(50))
    found = estimate_of([figure.minus(figure)])
    assert (found.value, found.se, found.interval) == (0, 0, (0, 0))
    assert found.p_below() == found.p_above() == 1


def test_holm_s_worked_example():
    """.005 x 4, .01 x 3, .03 x 2, and .04 no less than what stands before it."""
    found = holm({"a": 0.01, "b": 0.04, "c": 0.03, "d": 0.005})
    assert found == pytest.approx({"a": 0.03, "b": 0.06, "c": 0.06, "d": 0.02})


def test_json_keeps_what_a_paired_difference_needs():
    shared = rows(60)
    figures = [mean_of(shared + rows(60, 0.1, seed)) for seed in (1, 2)]
    written = [json.loads(json.dumps(figure.to_json())) for figure in figures]
    a, b = map(Figure.from_json, written)
    read, kept = (estimate_of([x.minus(y)]) for x, y in ((a, b), figures))
    assert (read.value, read.se) == pytest.approx((kept.value, kept.se), rel=1e-3)
    assert written[0]["low"] < written[0]["value"] < written[0]["high"]
