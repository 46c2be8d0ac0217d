"""Accepted by the protocol's criterion and by nothing else."""

import numpy as np
import pytest

from sparring.evaluation.comparing import FIXED, Model, differences
from sparring.evaluation.statistics import Figure
from sparring.evaluation.verdict import decide

SE = 0.005


def figure(value, se=SE, seed=0):
    """A figure whose standard error is about `se`, paired with nothing."""
    noise = np.random.default_rng(seed).normal(size=400)
    return Figure.of(value, value + se / 2**0.5 * noise / noise.std(ddof=1))


def model(name, auc=0.7, *, linear=None, cnn=None, own=None, coverage=0.9, memorisation=0.5,
          frechet=1.0):  # fmt: skip
    seed = sum(name.encode())
    values = {
        FIXED[0]: auc if linear is None else linear,
        FIXED[1]: auc if cnn is None else cnn,
        "coverage": coverage,
        "memorisation": memorisation,
        "frechet": frechet,
        "auc_linear": auc if own is None else own,
        "auc_cnn": auc,
    }
    return Model(name, {k: figure(v, seed=seed + n) for n, (k, v) in enumerate(values.items())})


def null(auc=0.5):
    figures = {name: figure(auc, 0.006) for name in ("auc_linear", "auc_cnn")}
    return Model("reals", figures | {"coverage": figure(0.95)})


START, CONTROL, BETTER = model("start"), model("control/iteration_0"), 0.65


def verdict(*models, of=None):
    return decide(list(models), of or null(), differences(list(models), of or null()))


def test_better_by_both_judges_than_control_and_start_is_accepted():
    found = verdict(START, model("adversarial/iteration_0", BETTER), CONTROL)
    assert found.selected == "adversarial/iteration_0"
    assert "Iteration 0 seems to help" in found.sentence
    assert found.outcome == "indication"  # of one training seed


@pytest.mark.parametrize("family", ["linear", "cnn"])
def test_one_judge_alone_can_be_gamed(family):
    other = {"linear": "cnn", "cnn": "linear"}[family]
    gamed = model("adversarial/iteration_0", **{family: 0.55, other: 0.7})
    found = verdict(START, gamed, CONTROL)
    assert found.selected == "start"
    assert f"fixed_auc_{other}" in found.reasons["adversarial/iteration_0"]


def test_less_than_two_standard_errors_is_not_enough():
    close = model("adversarial/iteration_0", 0.7 - 1.5 * SE)
    assert verdict(START, close, CONTROL).selected == "start"


@pytest.mark.parametrize("spoilt", [{"coverage": 0.8}, {"memorisation": 0.6}])
def test_what_costs_coverage_or_memorises_is_refused(spoilt):
    bought = model("adversarial/iteration_0", BETTER, **spoilt)
    found = verdict(START, bought, CONTROL)
    assert found.selected == "start"
    assert f"{next(iter(spoilt))} worsens" in found.reasons["adversarial/iteration_0"]


def test_what_its_own_judges_tell_better_is_refused():
    """Judges that see all models look at what these have in common."""
    hidden = model("adversarial/iteration_0", BETTER, own=0.8)
    found = verdict(START, hidden, CONTROL)
    assert found.selected == "start"
    assert "auc_linear worsens against the control" in found.reasons["adversarial/iteration_0"]


def test_frechet_never_decides():
    """Fooled arms had the best Fréchet distance."""
    fooled = model("adversarial/iteration_0", 0.75, frechet=0.1)
    assert verdict(START, fooled, CONTROL).selected == "start"
    honest = model("adversarial/iteration_0", BETTER, frechet=3.0)
    assert verdict(START, honest, CONTROL).selected == "adversarial/iteration_0"


def test_better_than_a_control_that_got_worse_is_no_gain():
    worse = model("control/iteration_0", 0.8)
    assert verdict(START, model("adversarial/iteration_0", 0.7), worse).selected == "start"


def test_a_control_that_beats_the_start_is_kept_where_no_iteration_beats_it():
    good = model("control/iteration_0", 0.6)
    found = verdict(START, model("adversarial/iteration_0", 0.61), good)
    assert found.selected == "control/iteration_0"
    assert "plain further training" in found.sentence


def test_only_the_control_of_the_same_iteration_counts_and_the_best_of_the_accepted_wins():
    models = [START]
    for n, (ours, theirs) in enumerate([(0.66, 0.7), (0.62, 0.66), (0.64, 0.6)]):
        models += [
            model(f"adversarial/iteration_{n}", ours),
            model(f"control/iteration_{n}", theirs),
        ]
    found = verdict(*models)
    assert found.selected == "adversarial/iteration_1"
    assert found.reasons["adversarial/iteration_0"] == "accepted"
    assert "against the control" in found.reasons["adversarial/iteration_2"]


def test_without_a_control_nothing_is_claimed():
    found = verdict(START, model("adversarial/iteration_0", 0.5))
    assert found.selected == "start"
    assert "without a control" in found.sentence


@pytest.mark.parametrize("auc", [0.6, 0.4])
def test_where_the_null_fails_nothing_is_concluded(auc):
    found = verdict(START, model("adversarial/iteration_0", BETTER), CONTROL, of=null(auc))
    assert found.selected == "start"
    assert "Nothing can be concluded" in found.sentence
    assert "training against held-out reals" in found.sentence


def runs(place, values):
    names = [place, *(f"seed_{43 + n}/{place}" for n in range(len(values) - 1))]
    return [model(name, value) for name, value in zip(names, values, strict=True)]


def test_runs_that_differ_more_than_samples_do_are_no_claim():
    """The mean gain is as before, but three seeds disagree about it."""
    steady = runs("adversarial/iteration_0", [0.65, 0.648, 0.652])
    found = verdict(START, *steady, *runs("control/iteration_0", [0.7] * 3))
    assert found.selected == "adversarial/iteration_0"
    assert "Iteration 0 helped" in found.sentence
    assert "3 training seeds" in found.sentence
    assert found.outcome == "helped"
    scattered = runs("adversarial/iteration_0", [0.58, 0.65, 0.72])
    assert verdict(START, *scattered, *runs("control/iteration_0", [0.7] * 3)).selected == "start"


def test_arm_and_control_are_paired_by_seed():
    """What a seed gives to both arms cancels."""
    ours = runs("adversarial/iteration_0", [0.60, 0.65, 0.70])
    theirs = runs("control/iteration_0", [0.65, 0.70, 0.75])
    found = {(d.against, d.figure): d for d in differences([START, *ours, *theirs], null())}
    against_control = found["control", FIXED[0]].estimate
    assert against_control.value == pytest.approx(-0.05)
    assert against_control.below_zero
    assert found["start", FIXED[0]].estimate.se > 2 * against_control.se


def test_a_finetuned_model_is_handed_on_and_judged_against_its_start():
    good, bad = verdict(START, model("trained", BETTER)), verdict(START, model("trained", 0.8))
    assert good.selected == bad.selected == "trained"
    assert "Training seems to help" in good.sentence
    assert "not shown" in bad.sentence


def test_differences_name_their_parts():
    found = differences([START, model("adversarial/iteration_0", BETTER), CONTROL], null())
    row = next(d for d in found if d.against == "control" and d.figure == FIXED[1]).to_json()
    assert row["model"] == "adversarial/iteration_0"
    assert row["better"] == "lower"
    assert row["low"] < row["difference"] < row["high"] < 0
    assert {d.against for d in found if d.model == "start"} == {"null"}
    assert {d.against for d in found if d.model == "control/iteration_0"} == {"start", "null"}
