"""Accepted by the protocol's criterion and by nothing else."""

import numpy as np
import pytest

from sparring.evaluation.comparing import BETTER, DECIDING, DECODED, Model, differences
from sparring.evaluation.statistics import Figure, estimate_of
from sparring.evaluation.verdict import MARGINS, decide

SE = 0.005
FREE = ("start_matched", "start_better_solver")


def figure(value, se=SE, seed=0):
    """A figure whose standard error is `se`, paired with nothing."""
    noise = np.random.default_rng(seed).normal(size=400)
    return Figure.of(value, value + se * (noise - noise.mean()) / noise.std() / 399**0.5)


def model(name, auc=0.7, se=SE, **others):
    """The deciding figures follow `auc` where nothing else is said; decoded ones only if said."""
    values = {"auc_linear": auc, "kernel": auc - 0.5, "coverage": 0.9, "memorisation": 0.5,
              "frechet": 1.0, "auc_cnn": auc} | others  # fmt: skip
    seed = sum(name.encode())
    return Model(name, {k: figure(v, se, seed + n) for n, (k, v) in enumerate(values.items())})


def decoded(name, auc=0.7, **others):
    return model(name, auc, **(dict(zip(DECODED, (auc, auc - 0.5), strict=True)) | others))


def ours(auc=0.65, n=0, **others):
    return model(f"adversarial/iteration_{n}", auc, **others)


def null(auc=0.5):
    return Model("reals", {"auc_linear": figure(auc, 0.006), "coverage": figure(0.95)})


START, CONTROL = model("start"), model("control/iteration_0")
FIRST = "adversarial/iteration_0"


def verdict(*models, of=None):
    return decide(list(models), of or null(), differences(list(models), of or null()))


def test_better_in_all_deciding_figures_than_control_and_start_is_accepted():
    found = verdict(START, ours(), CONTROL)
    assert (found.selected, found.reasons[FIRST]) == (FIRST, "accepted")
    assert found.p[FIRST] < 0.001


def test_one_run_speaks_of_its_models_only():
    found = verdict(START, ours(), CONTROL)
    assert found.outcome == "indication"
    assert "In this run iteration 0 is better" in found.sentence
    assert "One training run speaks of these models only" in found.sentence
    assert "not of the method" in verdict(START, ours(0.7), CONTROL).sentence


@pytest.mark.parametrize("name", DECIDING)
def test_one_figure_alone_can_be_gamed(name):
    level = START.figures["auc_linear" if "auc" in name else "kernel"].value
    models = decoded("start"), decoded(FIRST, 0.6, **{name: level}), decoded("control/iteration_0")
    found = verdict(*models)
    assert found.selected == "start"
    assert found.reasons[FIRST].count("against") == 2  # that figure against control and start


def test_a_decoded_auc_at_its_ceiling_ranks_nothing_and_has_no_say():
    for ceiling, selected in ((0.99, FIRST), (0.97, "start")):
        others = (decoded(name, decoded_auc_linear=ceiling) for name in (START.name, CONTROL.name))
        worse = decoded(FIRST, 0.6, decoded_auc_linear=ceiling + 0.005)
        assert verdict(*others, worse).selected == selected


def test_less_than_two_standard_errors_is_not_enough():
    assert verdict(START, ours(0.7 - 1.5 * SE), CONTROL).selected == "start"


def test_several_iterations_are_several_chances_to_be_wrong():
    """With p about .015 one is accepted, but not where six hypotheses might have been claimed."""
    close = 0.7 - 2.2 * 2**0.5 * SE
    assert verdict(START, ours(close), CONTROL).selected == FIRST
    rounds = [ours(close, n) for n in range(3)]
    found = verdict(START, *rounds, *(model(f"control/iteration_{n}") for n in range(3)))
    assert found.selected == "start"
    assert "as several models are compared" in found.reasons[FIRST]


@pytest.mark.parametrize("guard", MARGINS)
def test_what_may_cost_more_than_a_margin_is_refused(guard):
    kept = [model(name, **{guard: 0.7}) for name in (START.name, CONTROL.name)]
    for cost, selected in ((0.02, FIRST), (0.1, "start")):
        sign = -1 if BETTER[guard] == "higher" else 1
        found = verdict(*kept, ours(**{guard: 0.7 + sign * cost}))
        assert found.selected == selected
    assert f"{guard} " in found.reasons[FIRST]
    assert "may be worse by more than 0.05" in found.reasons[FIRST]


def test_a_cost_that_nobody_knows_is_refused_too():
    unsure = ours()
    unsure.figures["coverage"] = figure(0.9, 0.05)
    assert "coverage" in verdict(START, unsure, CONTROL).reasons[FIRST]


def test_neither_guards_nor_frechet_ever_raise_acceptance():
    """Fooled arms had the best Fréchet distance."""
    fooled = ours(0.7, frechet=0.1, coverage=0.99, memorisation=0.4, auc_cnn=0.5)
    assert verdict(START, fooled, CONTROL).selected == "start"
    assert verdict(START, ours(frechet=3.0), CONTROL).selected == FIRST


def test_better_than_a_control_that_got_worse_is_no_gain():
    worse = model("control/iteration_0", 0.8)
    assert verdict(START, ours(0.7), worse).selected == "start"


def test_what_plain_training_does_in_the_same_time_is_no_gain():
    quick = model("control_time/iteration_0", 0.65)
    found = verdict(START, ours(), CONTROL, quick)
    assert "its control of equal time" in found.reasons[FIRST]
    assert found.selected == quick.name
    assert "the control of equal time's iteration 0 is kept" in found.sentence
    assert verdict(START, ours(0.6), CONTROL, quick).selected == FIRST


def test_a_control_that_beats_the_start_is_kept_where_no_iteration_beats_it():
    found = verdict(START, ours(0.61), model("control/iteration_0", 0.6))
    assert (found.outcome, found.selected) == ("kept", "control/iteration_0")
    assert "plain further training" in found.sentence


def test_only_the_control_of_the_same_iteration_counts_and_the_best_of_the_accepted_wins():
    models = [START]
    for n, (own, theirs) in enumerate([(0.64, 0.7), (0.60, 0.66), (0.62, 0.58)]):
        models += [ours(own, n), model(f"control/iteration_{n}", theirs)]
    found = verdict(*models)
    assert found.selected == "adversarial/iteration_1"
    assert found.reasons[FIRST] == "accepted"
    assert "against its control" in found.reasons["adversarial/iteration_2"]


def test_free_baselines_are_never_handed_on_but_named_where_they_are_not_beaten():
    matched, better = model(FREE[0], 0.55), model(FREE[1], 0.68)
    found = verdict(START, matched, better, ours(0.6), CONTROL)
    assert (found.selected, found.outcome) == (FIRST, "indication")
    assert found.sentence.endswith("not shown to be better than the start with matched moments.")
    assert not set(FREE) & set(found.reasons)
    assert verdict(START, matched, better, ours(0.7), CONTROL).selected == "start"
    assert "not shown to be better" not in verdict(START, better, ours(0.6), CONTROL).sentence


def test_without_a_control_nothing_is_claimed():
    found = verdict(START, model(FREE[0]), ours(0.5))
    assert (found.selected, found.outcome) == ("start", "undecided")
    assert "without a control" in found.sentence


@pytest.mark.parametrize("auc", [0.6, 0.4])
def test_where_the_null_fails_nothing_is_concluded(auc):
    found = verdict(START, ours(), CONTROL, of=null(auc))
    assert (found.selected, found.outcome) == ("start", "undecided")
    assert "Nothing can be concluded" in found.sentence
    assert "training against held-out reals" in found.sentence


def runs(place, values):
    names = [place, *(f"seed_{43 + n}/{place}" for n in range(len(values) - 1))]
    return [model(name, value) for name, value in zip(names, values, strict=True)]


@pytest.mark.parametrize(("count", "outcome"), [(2, "indication"), (3, "helped")])
def test_of_the_method_three_runs_speak(count, outcome):
    steady = runs(FIRST, [0.65, 0.648, 0.652][:count])
    found = verdict(START, *steady, *runs("control/iteration_0", [0.7] * count))
    assert (found.selected, found.outcome) == (FIRST, outcome)
    assert f"{count} training runs" in found.sentence
    assert ("not of the method" in found.sentence) == (outcome == "indication")


def test_runs_that_differ_more_than_samples_do_are_no_claim():
    """The mean gain is as large, but three runs disagree about it."""
    scattered = runs(FIRST, [0.58, 0.65, 0.72])
    found = verdict(START, *scattered, *runs("control/iteration_0", [0.7] * 3))
    assert (found.selected, found.outcome) == ("start", "kept")


def test_arm_and_control_are_paired_by_seed():
    """What a seed gives to both arms cancels."""
    arms = [*runs(FIRST, [0.60, 0.65, 0.70]), *runs("control/iteration_0", [0.65, 0.70, 0.75])]
    found = {(d.model, d.against, d.figure): d for d in differences([START, *arms], null())}
    against_control = found[FIRST, "control", "auc_linear"]
    assert against_control.estimate.value == pytest.approx(-0.05)
    assert against_control.p < 0.01
    assert found[FIRST, "start", "auc_linear"].estimate.se > 2 * against_control.estimate.se


def test_a_finetuned_model_is_handed_on_and_judged_against_its_start():
    good, bad = verdict(START, model("trained", 0.65)), verdict(START, model("trained", 0.8))
    assert good.selected == bad.selected == "trained"
    assert (good.outcome, bad.outcome) == ("indication", "undecided")
    assert "In this run training is better" in good.sentence
    assert "That training helped is not shown" in bad.sentence
    assert verdict(START, *runs("trained", [0.65] * 3)).outcome == "helped"


def test_no_other_model_changes_what_a_pair_differs_by():
    pair = [START, ours(), CONTROL]
    others = [ours(0.5 + n / 20, n + 1) for n in range(4)] + [model(name, 0.9) for name in FREE]
    alone, among = (
        [d.to_json() for d in differences(models, null())
         if d.model == FIRST and d.against in ("control", "start")]
        for models in (pair, pair + others)
    )  # fmt: skip
    assert alone == among
    gap = estimate_of([pair[1].figures["kernel"].minus(CONTROL.figures["kernel"])])
    assert next(d for d in alone if d["figure"] == "kernel")["difference"] == gap.value


def test_differences_name_their_parts():
    found = differences([START, ours(), CONTROL, model(FREE[0])], null())
    row = next(d for d in found if d.against == "control" and d.figure == "auc_cnn").to_json()
    assert (row["model"], row["better"], row["runs"]) == (FIRST, "lower", 1)
    assert row["low"] < row["difference"] < row["high"] < 0
    rivals = {name: {d.against for d in found if d.model == name} for name in
              ("start", "control/iteration_0", FREE[0])}  # fmt: skip
    assert rivals["start"] == {FREE[0], "null"}
    assert rivals["control/iteration_0"] == {"start", FREE[0], "null"}
    assert rivals[FREE[0]] == {"start", "null"}
