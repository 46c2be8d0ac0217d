"""One model's figures beside the real-against-real ones, and the choice among models."""

import numpy as np
import pytest

from sparring.errors import UserError
from sparring.evaluation.judging import DISTANCES, judge, select
from sparring.evaluation.report import evaluation_table, plot_evaluations, table_text
from sparring.settings.parts import EvaluationSettings

SETTINGS = EvaluationSettings(feature_dim=8, bootstrap=30)


def latents(count=200, seed=0):
    return np.random.default_rng(seed).normal(size=(count, 4, 8, 8)).astype(np.float32)


def judged(samples, held_out=None, reference=None, groups=None):
    held_out = latents(seed=1) if held_out is None else held_out
    groups = np.arange(len(held_out)) if groups is None else groups
    reference = latents(seed=2) if reference is None else reference
    return judge(samples, held_out, groups, reference, SETTINGS)


def test_real_against_real_is_near_zero():
    """Kernel: zero within its interval. Fréchet: no more than about its known upward bias."""
    figures = judged(latents(seed=3))
    bias = 8 * 11 / 4 * (1 / 200 + 1 / 200)
    for whose in ("samples", "reals"):
        kernel = figures[whose]["kernel"]
        assert kernel["low"] < 0 < kernel["high"]
        assert 0 < figures[whose]["frechet"]["value"] < 2.5 * bias


@pytest.mark.parametrize("change", [
    lambda x: x + 0.3,
    lambda x: 1.3 * x,
    lambda x: np.repeat(np.repeat(x[:, :, ::2, ::2], 2, -1), 2, -2),
], ids=["shifted", "other scale", "blocky"])  # fmt: skip
def test_worse_samples_have_larger_distances(change):
    same, worse = judged(latents(seed=3)), judged(change(latents(seed=3)))
    for name in DISTANCES:
        assert worse["samples"][name]["low"] > same["samples"][name]["high"]
        assert worse["samples"][name]["low"] > worse["reals"][name]["high"]
        assert worse["reals"][name] == same["reals"][name]


def test_worse_is_ranked_by_how_much():
    values = [judged(latents(seed=3) + shift)["samples"] for shift in (0.0, 0.2, 0.4, 0.8)]
    for name in DISTANCES:
        ordered = [v[name]["value"] for v in values]
        assert ordered == sorted(ordered)


def test_samples_and_reference_are_compared_in_equal_number():
    """Both distances depend on how many rows they see."""
    for samples, reference in ((120, 90), (90, 120)):
        figures = judged(latents(samples, 3), reference=latents(reference, 2))
        assert figures["num_samples"] == 90
        assert figures["num_held_out"] == 200


def test_scale_of_the_latents_means_nothing():
    """Features are standardised by the reference: all latents times 10 gives the same figures."""
    plain = judged(latents(seed=3) + 0.2)
    scaled = judged(10 * (latents(seed=3) + 0.2), 10 * latents(seed=1), 10 * latents(seed=2))
    for name in DISTANCES:
        assert scaled["samples"][name]["value"] == pytest.approx(
            plain["samples"][name]["value"], rel=1e-3
        )


def test_copies_in_the_held_out_set_do_not_narrow_the_interval():
    held_out = latents(40, 1)
    copies, groups = np.repeat(held_out, 6, axis=0), np.repeat(np.arange(40), 6)

    def width(figures):
        return figures["samples"]["kernel"]["high"] - figures["samples"]["kernel"]["low"]

    samples = latents(seed=3) + 0.3
    assert width(judged(samples, copies, groups=groups)) > 0.75 * width(judged(samples, held_out))


def test_too_few_held_out_layouts_are_refused():
    with pytest.raises(UserError) as refusal:
        judged(latents(seed=3), latents(15, 1))
    parts = ("evaluation.feature_dim", "8 features", "at least 16", "found 15", "at most 7")
    for part in parts:
        assert part in str(refusal.value)


def model(arm, iteration, frechet, kernel, half=0.1):
    name = arm if iteration is None else f"{arm}/iteration_{iteration}"
    samples = {
        key: {"value": value, "low": value - half, "high": value + half}
        for key, value in (("frechet", frechet), ("kernel", kernel))
    }
    reals = {key: {"value": 0.1, "low": 0.0, "high": 0.2} for key in samples}
    return {"model": name, "arm": arm, "iteration": iteration, "samples": samples,
            "reals": reals, "num_samples": 100, "num_held_out": 50}  # fmt: skip


START = model("start", None, 2.0, 2.0)


def test_better_than_start_and_control_is_accepted():
    best = model("adversarial", 0, 1.0, 1.0)
    chosen, reason = select([START, best, model("control", 0, 1.5, 1.5)])
    assert chosen is best
    assert "iteration 0" in reason


@pytest.mark.parametrize("rival", ["start", "control"])
@pytest.mark.parametrize("spoilt", ["frechet", "kernel"])
@pytest.mark.parametrize("value", [1.15, 0.9], ids=["intervals touch", "worse"])
def test_one_distance_to_one_rival_is_enough_to_refuse(rival, spoilt, value):
    """A judge that is fooled in one distance must not decide alone."""
    start, control = model("start", None, 2.0, 2.0), model("control", 0, 2.0, 2.0)
    beaten = {"start": start, "control": control}[rival]
    beaten["samples"][spoilt] = {"value": value, "low": value - 0.1, "high": value + 0.1}
    chosen, reason = select([start, model("adversarial", 0, 1.0, 1.0), control])
    assert chosen is start
    assert "start is kept" in reason


def test_smallest_kernel_distance_wins_among_the_accepted():
    models = [START]
    for iteration, (frechet, kernel) in enumerate([(0.9, 1.2), (1.2, 0.8), (0.5, 1.0)]):
        models.append(model("adversarial", iteration, frechet, kernel))
        models.append(model("control", iteration, 1.7, 1.7))
    assert select(models)[0]["iteration"] == 1


def test_only_the_control_of_the_same_iteration_counts():
    models = [START, model("adversarial", 0, 1.0, 1.0), model("control", 0, 1.6, 1.6),
              model("adversarial", 1, 1.9, 1.9), model("control", 1, 0.5, 0.5)]  # fmt: skip
    chosen, _ = select(models)
    assert chosen["iteration"] == 0


def test_the_control_is_never_handed_on():
    chosen, _ = select([START, model("control", 0, 0.1, 0.1)])
    assert chosen["arm"] == "start"


def test_without_a_control_the_start_must_still_be_beaten():
    better = model("adversarial", 0, 1.0, 1.0)
    assert select([START, better])[0] is better
    assert select([START, model("adversarial", 0, 1.95, 1.0)])[0]["arm"] == "start"


def test_table_names_every_model_and_the_reals(tmp_path):
    models = [START, model("adversarial", 0, 1.0, 1.1), model("control", 0, 1.5, 1.6)]
    table = evaluation_table(models)
    names = ["reals", "start", "adversarial/iteration_0", "control/iteration_0"]
    assert table["model"].tolist() == names
    assert table["frechet"].tolist() == [0.1, 2.0, 1.0, 1.5]
    assert table["kernel_high"].tolist() == pytest.approx([0.2, 2.1, 1.2, 1.7])
    assert table["iteration"].isna().tolist() == [True, True, False, False]
    for name in names:
        assert name in table_text(table)
    for suffix in ("a", "b"):
        plot_evaluations(table, tmp_path / suffix)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert (tmp_path / "a").read_bytes().startswith(b"\x89PNG")
