"""What the objective changes: which jobs there are, what they are told, and what is refused."""

import pytest
from test_round_jobs import all_settings, changed

from sparring.objectives.table import FEWEST_FAKES, held_out_fakes
from sparring.rounds import check_rounds, stage_settings
from sparring.rounds.listing import all_jobs

NO_KEYS = {"num_layers": 4}  # its default: as if discriminator were not given


def objective(project, name, **keys):
    """An experiment with this objective; ddo has no discriminator to set up."""
    if name == "ddo":
        keys = {"discriminator": NO_KEYS} | keys
    project.adversarial(adversarial={"objective": name}, **keys)
    return project.load()


def rules_of(rounds):
    """The rules of iteration 0, by arm."""
    found = {}
    for rule, wildcards in all_jobs(rounds):
        if wildcards.get("iteration") == "0":
            found.setdefault(rule, set()).add(wildcards.get("arm", ""))
    return found


CONTROLS, ALONE = {"control", "control_time"}, {""}
ALL = CONTROLS | {"adversarial"}
TIMED = {"sample_fake": ALONE, "measure_time": ALONE}
SPARRING = TIMED | {"encode_real": ALONE, "train_discriminator": ALONE}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("x0_bce", SPARRING | {"finetune_diffusion": ALL}),
        ("noised", SPARRING | {"finetune_diffusion": ALL}),
        ("ddo", TIMED | {"finetune_diffusion": ALL}),
        ("guidance", SPARRING | {"guide_denoiser": ALONE, "finetune_diffusion": CONTROLS}),
    ],
)
def test_the_objective_decides_which_jobs_there_are(project, name, expected):
    rounds = objective(project, name)
    check_rounds(rounds)
    assert rules_of(rounds) == expected


@pytest.mark.parametrize("name", ["noised", "guidance", "ddo"])
def test_the_control_is_the_same_under_every_objective(project, name):
    control = {"experiment": "exp", "arm": "control", "iteration": "0"}
    told = {
        stage_settings(objective(project, one), "finetune_diffusion", control).to_json()
        for one in ("x0_bce", name)
    }
    assert len(told) == 1


def told(rounds, rule, **wildcards):
    place = {"experiment": "exp", "iteration": "0"} | wildcards
    return stage_settings(rounds, rule, place)


def test_ddo_is_what_rounds_train_with_unless_told_otherwise(project):
    project.adversarial(discriminator=NO_KEYS, adversarial={"objective": "ddo"})
    asked = told(project.load(), "finetune_diffusion", arm="adversarial").to_json()
    project._write("exp", {"kind": "adversarial", "start_from": "base", "num_samples": 20})
    rounds = project.load()
    assert told(rounds, "finetune_diffusion", arm="adversarial").to_json() == asked
    assert not rounds.needs("exp").discriminator


@pytest.mark.parametrize(("name", "expected"), [("ddo", 1.0), ("x0_bce", 3.0)])
def test_fakes_that_are_trained_on_are_samples_of_the_model_s_own_density(project, name, expected):
    """Classifier-free guidance samples another; judged are samples drawn as asked for."""
    rounds = objective(project, name, sampling={"guidance_scale": 3.0, "num_steps": 9})
    sampling = told(rounds, "sample_fake").sampling
    assert (sampling.guidance_scale, sampling.num_steps) == (expected, 9)
    shard = told(rounds, "sample_fake_shard", shard="0", shards="2").sampling
    assert shard.guidance_scale == expected
    judged = stage_settings(rounds, "sample_evaluation", {"experiment": "exp", "model": "start"})
    assert judged.sampling.guidance_scale == 3.0


def test_reals_are_drawn_as_the_denoiser_trains_unless_told_otherwise(project):
    for keys, augmented, expected in (
        ({}, True, True), ({}, False, False), ({"reals": "originals"}, True, False)
    ):  # fmt: skip
        project.adversarial(discriminator=keys, diffusion={"augmented": augmented})
        assert told(project.load(), "encode_real").augmented is expected


def test_jobs_of_the_reference_recipe_are_told_only_its_name(project):
    rounds = objective(project, "x0_bce")
    tuned = told(rounds, "finetune_diffusion", arm="adversarial").changed()
    assert tuned == {"seed": 42, "iteration": 0, "adversarial": {"objective": "x0_bce"}}
    trained = told(rounds, "train_discriminator").changed()
    assert trained == {"seed": 42, "iteration": 0, "discriminator": {"num_layers": 2}}


def test_the_discriminator_of_noised_latents_is_told_so(project):
    for name, noised in (("x0_bce", False), ("noised", True), ("guidance", True)):
        assert told(objective(project, name), "train_discriminator").noised is noised


def test_settings_come_out_of_a_job_as_they_went_in(project):
    """Also a range of timesteps that is the field's default and not the objective's."""
    for keys in ({}, {"timesteps": [0.0, 0.2]}, {"timesteps": [0.0, 1.0]}):
        project.adversarial(adversarial={"objective": "noised"} | keys)
        settings = told(project.load(), "finetune_diffusion", arm="adversarial")
        expected = tuple(keys.get("timesteps", (0.0, 1.0)))
        assert settings.adversarial.timesteps == expected
        assert type(settings).from_json(settings.to_json(), "job") == settings


TRAINED = {("train_discriminator", "exp", str(n)) for n in range(3)}
TUNED = {("finetune_diffusion", "exp", "adversarial", str(n)) for n in range(3)}


@pytest.mark.parametrize(
    ("keys", "jobs"),
    [
        ({"r1": 0.1}, TRAINED),
        ({"r2": 0.1}, TRAINED),
        ({"weight_decay": 0.1}, TRAINED),
        ({"spectral_norm": True}, TRAINED),
        ({"backbone": "denoiser"}, TRAINED),
        ({"relativistic": True}, TRAINED | TUNED),
        ({"online": True}, TUNED),
        ({"replay": 2}, set()),  # of input files
    ],
    ids=lambda keys: next(iter(keys), "") if isinstance(keys, dict) else "",
)
def test_a_cure_changes_the_jobs_that_it_concerns(project, keys, jobs):
    assert changed(project, discriminator=keys) == jobs


def test_what_an_online_discriminator_goes_on_with_reaches_fine_tuning(project):
    keys = {"online": True, "r1": 0.1, "learning_rate": 1e-3, "epochs": 3, "batch_size": 8}
    project.adversarial(discriminator=keys)
    settings = told(project.load(), "finetune_diffusion", arm="adversarial").discriminator
    expected = {"online": True, "r1": 0.1, "learning_rate": 1e-3}
    assert settings.changed() == expected


def test_replay_reads_the_fakes_of_earlier_iterations(project):
    for replay, expected in ((0, [[], [], []]), (1, [[], [0], [1]]), (5, [[], [0], [0, 1]])):
        project.adversarial(discriminator={"replay": replay})
        rounds = project.load()
        assert [list(rounds.replayed("exp", n)) for n in range(3)] == expected


def test_every_job_of_every_objective_has_settings(project):
    for name in ("x0_bce", "noised", "guidance", "ddo"):
        rounds = objective(project, name)
        for rule, wildcards in all_jobs(rounds):
            assert stage_settings(rounds, rule, wildcards).to_json().startswith("{")
    assert all_settings(objective(project, "ddo"))


@pytest.mark.parametrize(
    ("name", "keys", "parts"),
    [
        (
            "ddo",
            {"discriminator": {"epochs": 9}},
            ("discriminator is given, but objective ddo trains none", "leave discriminator out"),
        ),
        (
            "ddo",
            {
                "discriminator": NO_KEYS,
                "overrides": [{"iteration": 1, "discriminator": {"epochs": 2}}],
            },
            ("discriminator is given, but objective ddo trains none",),
        ),
        (
            "guidance",
            {"discriminator": {"online": True}},
            ("discriminator.online is true", "no denoiser is trained"),
        ),
        (
            "guidance",
            {"discriminator": {"relativistic": True}},
            ("discriminator.relativistic is true", "no ratio of densities"),
        ),
        (
            "guidance",
            {"discriminator": {"replay": 2}},
            ("discriminator.replay is 2", "come from other models; leave replay out"),
        ),
        (
            "ddo",
            {"num_samples": 7},
            ("num_samples is 7 in iteration 0", "holds some out to validate; set at least 8"),
        ),
        (
            "ddo",
            {"overrides": [{"iteration": 1, "num_samples": 4}]},
            ("overrides: num_samples is 4 in iteration 1", "set at least 8"),
        ),
        ("ddo", {"fakes_from": "base"}, ("fakes_from is 'base'", "the very denoiser that enters")),
        ("guidance", {"fakes_from": "base"}, ("fakes_from is 'base'", "leave fakes_from out")),
        ("guidance", {"semantic": {}}, ("semantic is given", "no denoiser is trained")),
        (
            "noised",
            {"discriminator": {"backbone": "denoiser", "spectral_norm": True}},
            ("discriminator.spectral_norm is true", "leave one of the two out"),
        ),
        (
            "guidance",
            {"discriminator": {"backbone": "denoiser", "spectral_norm": True}},
            ("discriminator.spectral_norm is true",),
        ),
    ],
)
def test_what_an_objective_does_not_read_is_refused(project, name, keys, parts):
    objective(project, name, **keys)
    message = project.refusal()
    for part in (project.file("exp"), *parts):
        assert part in message


def test_without_a_discriminator_there_may_be_more_fakes_than_reals(project):
    """None are drawn: ddo reads the training latents as they are."""
    rounds = objective(project, "ddo", num_samples=1000)
    check_rounds(rounds)
    assert rounds.warnings == []
    objective(project, "noised", num_samples=1000)
    assert "80 training layouts to draw reals from" in project.refusal()


def test_the_fewest_fakes_that_ddo_takes_split_into_two_halves(project):
    """Others do not split theirs here: a discriminator has a fraction of its own."""
    check_rounds(objective(project, "ddo", num_samples=FEWEST_FAKES))
    assert 2 <= held_out_fakes(FEWEST_FAKES) < FEWEST_FAKES
    check_rounds(objective(project, "noised", num_samples=FEWEST_FAKES - 1))


@pytest.mark.parametrize(
    ("name", "key", "value", "readers"),
    [
        ("ddo", "weight", 0.2, "x0_bce or noised"),
        ("ddo", "timesteps", [0, 0.5], "x0_bce or noised or guidance"),
        ("x0_bce", "beta", 0.1, "ddo"),
        ("x0_bce", "renoise", "any", "noised"),
        ("noised", "guidance_weight", 0.5, "guidance"),
        ("guidance", "weight", 0.2, "x0_bce or noised"),
        ("guidance", "adaptive", True, "x0_bce or noised"),
    ],
)
def test_keys_of_another_objective_are_refused(project, name, key, value, readers):
    from sparring.errors import UserError

    project.adversarial(adversarial={"objective": name, key: value})
    with pytest.raises(UserError) as caught:
        project.load()
    message = str(caught.value)
    assert f"{key} says nothing with objective: {name}" in message
    assert f"choose {readers}" in message


def test_a_guided_denoiser_is_not_trained(project):
    project.adversarial("first", adversarial={"objective": "guidance"})
    project.adversarial("exp", start_from="first")
    message = project.refusal()
    assert "start_from is 'first', whose denoiser discriminators guide" in message
    assert "start where first started" in message


def test_it_may_be_guided_further_without_a_control(project):
    guidance = {"adversarial": {"objective": "guidance"}}
    project.adversarial("first", **guidance)
    project.adversarial("exp", start_from="first", **guidance)
    assert "set control: false" in project.refusal()
    project.adversarial("exp", start_from="first", control=False, **guidance)
    check_rounds(project.load())


def test_a_discriminator_of_another_kind_of_latents_is_refused(project):
    """One of clean latents knows nothing of noised ones."""
    project.adversarial("first")
    given = {"start_from": "first"}
    project.adversarial("exp", adversarial={"objective": "noised"}, discriminator=given)
    message = project.refusal()
    assert "discriminator.start_from 'first' has noised False, expected True" in message


def test_the_discriminator_of_an_objective_without_one_is_refused(project):
    project.adversarial("first", adversarial={"objective": "ddo"}, discriminator=NO_KEYS)
    project.adversarial("exp", discriminator={"start_from": "first"})
    assert "the objective of first trains no discriminator" in project.refusal("exp", "first")
