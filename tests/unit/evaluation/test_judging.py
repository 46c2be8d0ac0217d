"""One model's figures beside the null's, and the table of all."""

from io import StringIO

import numpy as np
import pandas as pd
import pytest

from sparring.errors import UserError
from sparring.evaluation.judging import Judged, figures_json, judge
from sparring.evaluation.neighbours import Projected, Projection
from sparring.evaluation.report import evaluation_table, plot_evaluations, table_text
from sparring.evaluation.statistics import estimate_of
from sparring.evaluation.two_sample import Rows
from sparring.settings.parts import EvaluationSettings

SETTINGS = EvaluationSettings(feature_dim=8, judge_seeds=2)


def latents(count=120, seed=0):
    return np.random.default_rng(seed).normal(size=(count, 4, 8, 8)).astype(np.float32)


def judged(samples, held_out=None, reference=None):
    held_out = latents(seed=1) if held_out is None else held_out
    reference = latents(seed=2) if reference is None else reference
    project, first = Projection(samples.shape[1:], 0), 0
    at = []
    for rows in (samples, reference, held_out):
        at.append(Projected(project(rows), np.arange(first, first + len(rows))))
        first += len(rows)
    rows = Rows(samples, np.arange(len(samples)))
    held = Rows(held_out, np.arange(len(held_out)))
    return judge(Judged(rows, held, reference, *at), SETTINGS)


@pytest.fixture(scope="module")
def same():
    return judged(latents(seed=3))


@pytest.fixture(scope="module")
def shifted():
    return judged(latents(seed=3) + 0.4)


def test_equal_distributions_are_told_so(same):
    for name in ("auc_linear", "auc_cnn"):
        assert abs(same[name].value - 0.5) < 3 * estimate_of([same[name]]).se
    assert abs(same["kernel"].value) < 3 * estimate_of([same["kernel"]]).se
    assert abs(same["memorisation"].value - 0.5) < 0.15
    bias = 8 * 11 / 4 * (2 / 120)
    assert 0 < same["frechet"].value < 2.5 * bias


def test_worse_samples_have_worse_figures(same, shifted):
    for name in ("auc_linear", "auc_cnn", "frechet", "kernel"):
        assert estimate_of([shifted[name].minus(same[name])]).p_above() < 0.005
    for name in ("precision", "coverage", "density"):
        assert shifted[name].value < same[name].value


def test_moments_of_the_latents_are_root_mean_squares_over_channels(same):
    samples = latents(seed=3).astype(float)
    mean, variance = samples.mean((0, 2, 3)), samples.var((0, 2, 3))
    assert same["latent_mean"].value == pytest.approx(np.square(mean).mean() ** 0.5, rel=1e-4)
    assert same["latent_std"].value == pytest.approx(variance.mean() ** 0.5, rel=1e-4)


def test_scale_of_the_latents_means_nothing_to_distances(shifted):
    """Features are standardised by the reference: all latents times 10 gives the same figures."""
    scaled = judged(10 * (latents(seed=3) + 0.4), 10 * latents(seed=1), 10 * latents(seed=2))
    for name in ("frechet", "kernel", "coverage"):
        assert scaled[name].value == pytest.approx(shifted[name].value, rel=1e-2)


def test_too_few_held_out_layouts_are_refused():
    with pytest.raises(UserError) as refusal:
        judged(latents(seed=3), latents(15, 1))
    parts = ("evaluation.feature_dim", "8 features", "at least 16", "found 15", "at most 7")
    for part in parts:
        assert part in str(refusal.value)


def entry(figures):
    return {"num_samples": 120, "num_held_out": 120, "figures": figures_json(figures)}


def test_table_names_every_model_and_the_null(same, shifted, tmp_path):
    names = ["reals", "start", "adversarial/iteration_0", "control/iteration_0",
             "seed_43/adversarial/iteration_0", "seed_43/control/iteration_0"]  # fmt: skip
    models = {name: entry(shifted) for name in names[1:]} | {"reals": entry(same)}
    table = evaluation_table(models, 42)
    assert table["model"].tolist() == names
    assert table["arm"].tolist() == ["reals", "start", *["adversarial", "control"] * 2]
    assert table["seed"].tolist()[1:] == [42, 42, 42, 43, 43]
    assert table["iteration"].isna().tolist() == [True, True, False, False, False, False]
    assert table["frechet_above_null"].tolist()[:2] == [
        0, pytest.approx(shifted["frechet"].value - same["frechet"].value),
    ]  # fmt: skip
    assert table["coverage_to_null"][1] < table["coverage_to_null"][0] == 1
    for figure in ("auc_linear", "frechet", "coverage", "memorisation"):
        inside = (table[f"{figure}_low"] <= table[figure]) & (
            table[figure] <= table[f"{figure}_high"]
        )
        assert inside.all()
    for name in names:
        assert name in table_text(table)
    shown = pd.read_csv(StringIO(table_text(table)), sep=r"\s+")
    assert shown["coverage"].tolist() == pytest.approx(table["coverage_to_null"], abs=5e-4)
    for suffix in ("a", "b"):
        plot_evaluations(table, tmp_path / suffix)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert (tmp_path / "a").read_bytes().startswith(b"\x89PNG")
