"""Repeats over training seeds: copies of an experiment that its verdict reads."""

import pytest

from sparring.errors import UserError
from sparring.rounds import ARMS, JobStatus, check_rounds, stage_settings
from sparring.rounds.cleaning import _was_read
from sparring.rounds.listing import all_jobs


def of_rule(rounds, rule):
    return [w for name, w in all_jobs(rounds) if name == rule]


def test_every_further_seed_is_an_experiment_of_its_own(project):
    project.adversarial(seeds=[42, 43, 44])
    rounds = project.load()
    check_rounds(rounds)
    assert rounds.requested == ["exp"]
    assert rounds.repeats == {"exp": ["exp__seed_43", "exp__seed_44"]}
    assert [rounds.experiments[n].seed for n in ("exp", *rounds.repeats["exp"])] == [42, 43, 44]
    assert rounds.judged_names == ["exp"]
    assert "exp.yaml" in rounds.file("exp__seed_43")


def test_the_first_seed_plans_what_the_experiment_alone_would(project):
    """So that seeds can be added to finished work."""
    project.adversarial(seed=7, iterations=1)
    alone = project.load()
    before = {(r, *w.values()): stage_settings(alone, r, w).to_json() for r, w in all_jobs(alone)}
    project.adversarial(seeds=[7, 8], iterations=1)
    both = project.load()
    after = {(r, *w.values()): stage_settings(both, r, w).to_json() for r, w in all_jobs(both)}
    assert before.items() <= after.items()
    assert all("exp__seed_8" in key for key in after.keys() - before.keys())


def test_repeats_share_the_start_and_are_not_summarised_alone(project):
    project.adversarial(seeds=[42, 43], iterations=1)
    rounds = project.load()
    for rule in ("compare_models", "summarise", "select_best", "compare_samples"):
        assert of_rule(rounds, rule) == [{"experiment": "exp"}]
    judged = [(w["experiment"], w["model"]) for w in of_rule(rounds, "evaluate")]
    assert judged.count(("exp", "start")) == 1
    assert ("exp__seed_43", "start") not in judged
    assert ("exp__seed_43", "adversarial/iteration_0") in judged
    assert rounds.start_denoiser("exp__seed_43") == rounds.start_denoiser("exp")


TRAINED = [f"{arm}/iteration_0" for arm in ARMS]


def test_what_is_compared_has_names_that_tell_the_seeds_apart(project):
    project.adversarial(seeds=[42, 43], iterations=1)
    assert project.load().compared("exp") == {
        **{
            model: ("exp", model)
            for model in ("start", "start_better_solver", "start_matched", *TRAINED)
        },
        **{f"seed_43/{model}": ("exp__seed_43", model) for model in TRAINED},
    }


@pytest.mark.parametrize(("keys", "message"), [
    ({"seed": 1, "seeds": [1, 2]}, "seed and seeds are both given"),
    ({"seeds": [1, 2, 1]}, "expected every seed once"),
    ({"seeds": [-1]}, "no negative numbers"),
])  # fmt: skip
def test_seeds_that_mean_nothing_are_refused(project, keys, message):
    project.adversarial(**keys)
    with pytest.raises(UserError, match=message):
        project.load()


def test_a_member_of_a_sweep_may_have_seeds(project):
    project.adversarial("exp", seeds=[42, 43], iterations=1)
    project._write("sweep", {"kind": "sweep", "base": "exp",
                             "vary": {"adversarial.weight": [0.1, 0.2]}})  # fmt: skip
    rounds = project.load("sweep")
    check_rounds(rounds)
    assert rounds.repeats["sweep__weight_0p2"] == ["sweep__weight_0p2__seed_43"]


def test_warnings_are_said_once(project):
    project.adversarial(seeds=[42, 43, 44], diffusion={"condition_dropout": 0})
    rounds = project.load()
    check_rounds(rounds)
    assert len(rounds.warnings) == len(set(rounds.warnings))


@pytest.mark.parametrize("state", ["waiting", "done"])
def test_samples_of_a_repeat_are_kept_until_all_are_compared(project, state):
    project.adversarial(seeds=[42, 43], iterations=1)
    rounds = project.load()
    jobs = [
        JobStatus(rule, w, "", state if rule == "compare_models" else "done", "")
        for rule, w in all_jobs(rounds)
    ]
    sampled = [job for job in jobs if job.rule == "sample_evaluation"]
    assert {job.wildcards["experiment"] for job in sampled} == {"exp", "exp__seed_43"}
    assert {_was_read(rounds, job, jobs) for job in sampled} == {state == "done"}
