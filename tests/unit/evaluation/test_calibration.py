"""Of models that are equally far from the reals, the procedure seldom claims a difference.

A small version of bench/calibration.py: models of one kind, so that none is better.
"""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

from sparring.evaluation.judges import Cells, LinearJudge
from sparring.evaluation.statistics import Parts, estimate_of, jackknife
from sparring.evaluation.two_sample import auc, folds

TRIALS, MOST = 50, 8
"""A rule that is wrong in 5 % of cases passes with probability .999, one that is wrong in a third,
as judges trained on a pool of all models were, fails with .995."""


@pytest.fixture
def bench(monkeypatch):
    """The program, with samples of which 1 % is a model's own: then hardly anything but what judges
    learn from is chance."""
    path = Path(__file__).parents[3] / "bench/calibration.py"
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, path.stem, module)  # where dataclasses look their module up
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "SHARED", 0.99)
    return module


ROWS, SIZE, WIDTHS = 80, 0.6, (8, 8, 8)


def found(bench, figure, second, trials=TRIALS, cut=0.0):
    """The differences of every trial, between a model with a defect on the left and `second`."""
    kind = bench.Kind(bench.left, second, SIZE, SIZE, reals=ROWS, samples=ROWS)
    judges = bench.Judges(2, WIDTHS)  # features are most of the time
    worlds = (bench.World(n, ROWS, ROWS) for n in range(trials))
    return [bench.pair(kind, {figure: SIZE}, world, cut, judges)[figure] for world in worlds]


def rejected(bench, estimates):
    return sum(map(bench.excludes_zero, estimates))


def test_equal_models_are_seldom_told_apart(bench):
    assert rejected(bench, found(bench, "auc_linear", bench.right)) <= MOST
    assert rejected(bench, found(bench, "kernel", bench.left)) <= MOST


@pytest.mark.parametrize("figure", ["auc_linear", "kernel"])
def test_a_defect_that_is_gone_is_seen(bench, figure):
    """By a rule that claims nothing but chance in one of 16,000 such checks."""
    assert rejected(bench, found(bench, figure, bench.left, 10, cut=1.0)) >= 5


def pooled(bench, number):
    """The rule of before: a judge that learns from both models' samples, and the error of the rows
    that it judges."""
    world = bench.World(number, ROWS, ROWS)
    reals = world.held_out()
    samples = np.concatenate([make(world, "", SIZE) for make in (bench.left, bench.right)])
    parts, fold = Parts.of(reals.groups, reals.groups, number), folds(reals.groups, number)
    both = Cells(samples, np.tile(fold, 2)[None], np.tile(parts.samples, 2))
    judge = LinearJudge(WIDTHS, splits=1)
    ((of_reals, of_both),) = judge(Cells(reals.latents, fold[None], parts.reals), both, number)

    def figure(scores):
        def mean(left, right):
            pairs = ((right & (fold == f), left & (fold == f)) for f in (0, 1))
            return {"": np.mean([auc(of_reals[r, 0], scores[s]) for r, s in pairs])}

        return jackknife(mean, parts)[""]

    return estimate_of([figure(of_both[ROWS:, 0]).minus(figure(of_both[:ROWS, 0]))])


def test_judges_of_a_pool_of_models_would_fail_this_check(bench):
    assert rejected(bench, [pooled(bench, number) for number in range(TRIALS)]) > MOST
