"""Of models that are equally far from the reals, the procedure seldom claims a difference.

A small version of bench/calibration.py: models of one kind, so that none is better.
"""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

from sparring.evaluation.judges import LinearJudge

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


def found(bench, trials, seeds, cut=0.0, figures=("auc_linear", "kernel")):
    """The differences of every trial, by figure."""
    judges = bench.Judges(seeds, (8, 8, 8))  # features are most of the time
    kind = bench.Kind(bench.left, bench.left, 0.6, 0.6, reals=80, samples=80)
    sizes = dict.fromkeys(figures, kind.second_size)
    pairs = [bench.pair(kind, sizes, bench.World(n, 80, 80), cut, judges) for n in range(trials)]
    return {name: [pair[name] for pair in pairs] for name in figures}


def test_equal_models_are_seldom_told_apart(bench):
    for name, estimates in found(bench, TRIALS, seeds=2).items():
        assert sum(map(bench.excludes_zero, estimates)) <= MOST, name


def test_a_defect_that_is_gone_is_seen(bench):
    """By a rule that claims nothing but chance in one of 16,000 such checks."""
    for name, estimates in found(bench, 10, seeds=2, cut=1.0).items():
        assert sum(map(bench.excludes_zero, estimates)) >= 5, name


def test_an_error_of_the_judged_rows_alone_would_fail_this_check(bench, monkeypatch):
    """Of judges that are not trained anew without a group, whatever group their rows are in."""

    class Once(LinearJudge):
        def __call__(self, reals, samples, seed):
            scores = super().__call__(reals, samples, seed)
            return tuple(np.repeat(side[:, :1], side.shape[1], axis=1) for side in scores)

    monkeypatch.setattr(bench, "LinearJudge", Once)
    (estimates,) = found(bench, TRIALS, seeds=1, figures=("auc_linear",)).values()
    assert sum(abs(e.value) > 1.96 * e.se for e in estimates) > MOST
