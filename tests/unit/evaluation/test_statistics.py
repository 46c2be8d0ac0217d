"""Resamples that all models share, standard errors that are right, and intervals over runs."""

import json

import numpy as np
import pytest

from sparring.evaluation.statistics import Draws, Figure, estimate_of


def draws(count=50, seed=0, resamples=200, groups=None):
    return Draws.of(np.arange(count) if groups is None else groups, resamples, seed, "rows")


def test_no_resample_is_of_one_group_alone():
    """It has no distances between groups; of few groups it would come up often."""
    assert ((draws(2).counts > 0).sum(1) == 2).all()
    found = draws(groups=np.repeat(["a", "b", "c"], 5), resamples=300)
    assert ((found.counts > 0).sum(1) >= 2).all()
    assert (draws(1).counts == 1).all()


def test_models_are_resampled_together():
    """The same seed and groups, the same draws, whatever the rows hold."""
    assert (draws(seed=1).weights == draws(seed=1).weights).all()
    assert (draws(seed=1).weights != draws(seed=2).weights).any()
    groups = np.arange(50)
    assert (Draws.of(groups, 9, 0, "a").weights != Draws.of(groups, 9, 0, "b").weights).any()


def test_copies_are_drawn_together_and_as_many_groups_as_there_are():
    names = np.repeat(["a", "b", "c"], [1, 4, 2])
    drawn = draws(groups=names)
    assert (drawn.counts.sum(1) == 3).all()
    for name in "abc":
        own = drawn.weights[:, names == name]
        assert (own == own[:, :1]).all()


def test_standard_error_of_a_mean():
    values = np.random.default_rng(0).normal(size=400)
    figure = Figure.mean_of(values, draws(400))
    assert figure.value == pytest.approx(values.mean())
    assert figure.standard_error == pytest.approx(values.std() / 20, rel=0.2)


def test_repeats_add_their_own_chance_and_do_not_average_the_rows_away():
    """Five judges on the same rows: the rows' variance stays, the judges' is divided by five."""
    rows = np.random.default_rng(1).normal(scale=0.1, size=(5, 2000))
    values = np.array([0.4, 0.5, 0.6, 0.5, 0.5])
    figure = Figure(values, values[:, None] + rows)
    expected = np.sqrt(0.1**2 + values.var(ddof=1) / 5)
    assert figure.standard_error == pytest.approx(expected, rel=0.05)


def test_what_models_share_cancels_in_their_paired_difference():
    draw = np.random.default_rng(2)
    shared, own = draw.normal(size=300), 0.05 * draw.normal(size=(2, 300))
    a, b = (Figure.mean_of(shared + noise, draws(300)) for noise in own)
    assert a.minus(b).standard_error < 0.15 * a.standard_error
    with pytest.raises(ValueError, match="cannot be paired"):
        a.minus(Figure.mean_of(shared, draws(300, resamples=20)))


def test_an_interval_of_one_run_is_two_standard_errors():
    figure = Figure.mean_of(np.random.default_rng(3).normal(size=100), draws(100))
    found = estimate_of([figure])
    assert found.high - found.value == pytest.approx(2 * figure.standard_error)


def test_few_runs_that_differ_give_a_wide_interval():
    """Between three runs Student's t counts; a difference that all runs share stays narrow."""
    rows = draws(100)
    noise = np.random.default_rng(4).normal(scale=0.01, size=100)
    apart = [Figure.mean_of(noise + shift, rows) for shift in (-0.5, 0.0, 0.6)]
    alike = [Figure.mean_of(noise + 1e-5 * n, rows) for n in range(3)]
    wide, narrow = estimate_of(apart), estimate_of(alike)
    assert (wide.high - wide.value) / wide.se > 4  # t with two degrees of freedom: 4.30
    assert (narrow.high - narrow.value) / narrow.se == pytest.approx(2, abs=0.01)
    assert not wide.above_zero
    assert not wide.below_zero


def test_intervals_over_runs_cover_the_truth():
    """Runs differ by 0.02, rows by 0.01: about 95 of 100 intervals of three runs hold 0."""
    draw, hits = np.random.default_rng(5), 0
    for trial in range(100):
        rows = draws(100, trial, 60)
        shared = draw.normal(scale=0.1, size=100)
        runs = [Figure.mean_of(shared + draw.normal(scale=0.02), rows) for _ in range(3)]
        found = estimate_of(runs)
        hits += found.low <= 0 <= found.high
    assert hits >= 88


def test_json_keeps_what_a_paired_difference_needs():
    values = np.random.default_rng(6).normal(size=(2, 60))
    a, b = (Figure.mean_of(v, draws(60)) for v in values)
    read = [Figure.from_json(json.loads(json.dumps(f.to_json()))) for f in (a, b)]
    assert read[0].minus(read[1]).value == pytest.approx(a.minus(b).value, abs=1e-5)
    assert read[0].standard_error == pytest.approx(a.standard_error, rel=1e-4)
