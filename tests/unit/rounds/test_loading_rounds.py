"""Which model enters where, and which references are refused."""

import pytest

from sparring.errors import UserError
from sparring.rounds import latents_file


def refusal(project, *names) -> str:
    with pytest.raises(UserError) as caught:
        project.load(*names)
    return line(caught)


def line(caught) -> str:
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_iteration_0_starts_from_the_start_and_each_later_one_from_its_own_predecessor(project):
    project.adversarial(iterations=4)
    rounds = project.load()
    for arm in ("adversarial", "control"):
        assert rounds.incoming_denoiser("exp", arm, 0) == project.results("base/denoiser")
        for n in (1, 2, 3):
            expected = project.results(f"exp/{arm}/iteration_{n - 1}/denoiser")
            assert rounds.incoming_denoiser("exp", arm, n) == expected


def test_fakes_come_from_the_denoiser_that_enters_the_iteration(project):
    project.adversarial()
    rounds = project.load()
    for n in range(3):
        assert rounds.fakes_denoiser("exp", n) == rounds.incoming_denoiser("exp", "adversarial", n)


def test_fakes_from_counts_for_iteration_0_only(project):
    project.pretrain("other")
    project.adversarial(fakes_from="other")
    rounds = project.load()
    assert rounds.fakes_denoiser("exp", 0) == project.results("other/denoiser")
    assert rounds.incoming_denoiser("exp", "adversarial", 0) == project.results("base/denoiser")
    assert rounds.fakes_denoiser("exp", 1) == rounds.incoming_denoiser("exp", "adversarial", 1)


@pytest.mark.parametrize(
    ("start_from", "expected"),
    [
        ("first", "first/adversarial/iteration_2/denoiser"),  # the last of three
        ("first@0", "first/adversarial/iteration_0/denoiser"),
        ("first@1", "first/adversarial/iteration_1/denoiser"),
        ("first@selected", "first/selected/denoiser"),
        ("base", "base/denoiser"),
    ],
)
def test_a_reference_names_an_experiment_an_iteration_or_the_selected_model(
    project, start_from, expected
):
    project.adversarial("first")
    project.adversarial("exp", start_from=start_from)
    assert project.load().start_denoiser("exp") == project.results(expected)


@pytest.mark.parametrize("path", ["models/unet", "./models/my.unet@2"])
def test_a_reference_with_a_slash_is_a_model_directory(project, path):
    project.adversarial(start_from=path, dataset="tiny", autoencoder="kl")
    assert project.load().start_denoiser("exp").endswith(path.removeprefix("./"))


@pytest.mark.parametrize("text", ["base@", "base@x", "base@01", "base@-1", "ba se", "@1", ""])
def test_a_malformed_reference_lists_the_forms_there_are(project, text):
    project.adversarial(start_from=text)
    message = refusal(project)
    assert f"{project.file('exp')}: start_from is {text!r}" in message
    assert "name, name@2, name@selected" in message


@pytest.mark.parametrize("key", ["start_from", "fakes_from", "discriminator.start_from"])
def test_an_unknown_experiment_is_named_with_those_that_exist(project, key):
    if key == "discriminator.start_from":
        project.adversarial(discriminator={"start_from": "nowhere"})
    else:
        project.adversarial(**{key: "nowhere"})
    message = refusal(project)
    assert f"{project.file('exp')}: {key}: no experiment 'nowhere'" in message
    assert "there are base, exp" in message


def test_an_unknown_requested_experiment_is_named_with_the_configuration_s_file(project):
    message = refusal(project, "nowhere")
    assert "config/config.yaml: experiments: no experiment 'nowhere'" in message
    assert "there are base" in message


def test_a_name_that_is_a_folder_of_results_is_refused(project):
    project.pretrain("latents")
    assert "'latents' is a folder of results, not a free name" in refusal(project, "latents")


def test_experiments_that_start_from_each_other_are_refused_with_the_circle(project):
    project.adversarial("one", start_from="two")
    project.adversarial("two", start_from="one")
    message = refusal(project, "one")
    assert "experiments form a cycle: one -> two -> one" in message
    assert project.file("two") in message


@pytest.mark.parametrize("key", ["start_from", "fakes_from"])
def test_an_experiment_that_needs_itself_is_refused(project, key):
    project.adversarial("exp", **{key: "exp@0"})
    assert "experiments form a cycle: exp -> exp" in refusal(project)


def test_two_ways_to_the_same_experiment_are_no_cycle(project):
    project.adversarial("first")
    project.adversarial("exp", start_from="first", fakes_from="base")
    assert set(project.load().experiments) == {"exp", "first", "base"}


def test_an_iteration_beyond_the_last_is_refused(project):
    project.adversarial("first")
    project.adversarial("exp", start_from="first@3")
    rounds = project.load()
    with pytest.raises(UserError) as caught:
        rounds.start_denoiser("exp")
    message = line(caught)
    assert f"{project.file('exp')}: start_from is 'first@3'" in message
    assert "first has iterations 0 to 2" in message


@pytest.mark.parametrize("which", ["base@0", "base@selected"])
def test_a_pretrain_experiment_has_no_iterations_to_name(project, which):
    project.adversarial("exp", start_from=which)
    rounds = project.load()
    with pytest.raises(UserError) as caught:
        rounds.start_denoiser("exp")
    message = line(caught)
    assert f"start_from is {which!r}" in message
    assert "pretrain experiment without iterations; write 'base'" in message


def test_dataset_and_autoencoder_are_inherited_through_any_number_of_experiments(project):
    project.adversarial("first")
    project.adversarial("exp", start_from="first")
    rounds = project.load()
    assert rounds.data_of("exp") == ("tiny", "kl")
    assert latents_file(rounds, "exp", "val") == project.results("latents/tiny-kl/val.h5")


def test_one_of_dataset_and_autoencoder_may_be_set_and_the_other_inherited(project):
    project.adversarial(dataset="large")
    assert project.load().data_of("exp") == ("large", "kl")


@pytest.mark.parametrize("given", [{}, {"dataset": "tiny"}, {"autoencoder": "kl"}])
def test_a_start_from_a_directory_needs_both_dataset_and_autoencoder(project, given):
    project.adversarial(start_from="models/unet", **given)
    rounds = project.load()
    with pytest.raises(UserError) as caught:
        rounds.data_of("exp")
    missing = "autoencoder" if "dataset" in given else "dataset"
    assert f"{project.file('exp')}: {missing!r} is missing" in line(caught)


def test_the_discriminator_is_fresh_in_every_iteration_by_default(project):
    project.adversarial()
    rounds = project.load()
    assert [rounds.incoming_discriminator("exp", n) for n in range(3)] == [None] * 3


def test_warm_start_hands_the_discriminator_on_between_iterations(project):
    project.adversarial(discriminator={"warm_start": True})
    rounds = project.load()
    assert rounds.incoming_discriminator("exp", 0) is None
    for n in (1, 2):
        expected = project.results(f"exp/adversarial/iteration_{n - 1}/discriminator")
        assert rounds.incoming_discriminator("exp", n) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("first", "results/first/adversarial/iteration_2/discriminator"),
        ("first@1", "results/first/adversarial/iteration_1/discriminator"),
        ("models/judge", "models/judge"),
    ],
)
def test_a_given_discriminator_enters_iteration_0_only(project, text, expected):
    project.adversarial("first")
    project.adversarial("exp", discriminator={"start_from": text})
    rounds = project.load()
    assert rounds.incoming_discriminator("exp", 0).endswith(expected)
    assert rounds.incoming_discriminator("exp", 1) is None


@pytest.mark.parametrize("text", ["base", "first@selected"])
def test_a_discriminator_comes_from_an_iteration_or_a_directory_only(project, text):
    project.adversarial("first")
    project.adversarial("exp", discriminator={"start_from": text})
    rounds = project.load()
    with pytest.raises(UserError) as caught:
        rounds.incoming_discriminator("exp", 0)
    message = line(caught)
    assert f"discriminator.start_from is {text!r}" in message
    assert "expected an adversarial experiment (name or name@2) or a model directory" in message


@pytest.mark.parametrize(
    ("keys", "arms"),
    [
        ({}, ["adversarial", "control", "control_time"]),
        ({"control_time": False}, ["adversarial", "control"]),
        ({"control": False}, ["adversarial"]),
        ({"control": False, "control_time": False}, ["adversarial"]),
    ],
)
def test_controls_can_be_left_out(project, keys, arms):
    project.adversarial(iterations=2, **keys)
    rounds = project.load()
    judged = [f"{arm}/iteration_{n}" for arm in arms for n in range(2)]
    assert rounds.candidates("exp") == ["start", *judged]
    assert rounds.models("exp") == ["start", *BASELINES, *judged]


def test_a_control_s_time_without_a_control_is_refused(project):
    project.adversarial(control=False, control_time=True)
    assert "control_time is true, but control is false" in refusal(project)


BASELINES = ("start_better_solver", "start_matched")


@pytest.mark.parametrize(
    ("keys", "baselines"),
    [
        ({}, BASELINES),
        ({"sampling": {"moments": "match"}}, BASELINES[:1]),
        ({"sampling": {"sampler": "dpmsolver++", "num_steps": 100}}, BASELINES[1:]),
        ({"sampling": {"sampler": "dpmsolver++", "num_steps": 50}}, BASELINES),
        (
            {
                "sampling": {"sampler": "unipc", "num_steps": 7, "moments": "match"},
                "evaluation": {"better_solver": {"sampler": "unipc", "num_steps": 7}},
            },
            (),
        ),
    ],
)
def test_the_start_is_sampled_besides_wherever_that_is_not_the_start_again(
    project, keys, baselines
):
    project.adversarial(**keys)
    rounds = project.load()
    assert tuple(rounds.baselines("exp")) == baselines
    assert rounds.models("exp")[: 1 + len(baselines)] == ["start", *baselines]
    for model in baselines:
        assert rounds.judged_denoiser("exp", model) == rounds.start_denoiser("exp")


def test_baselines_are_sampled_as_the_start_but_for_what_makes_them(project):
    project.adversarial(sampling={"guidance_scale": 2.0, "batch_size": 7})
    rounds = project.load()
    own, better, matched = rounds.started("exp").sampling, *rounds.baselines("exp").values()
    assert (better.sampler, better.num_steps) == ("dpmsolver++", 100)
    assert better.model_copy(update={"sampler": own.sampler, "num_steps": own.num_steps}) == own
    assert matched.moments == "match"
    assert matched.model_copy(update={"moments": "keep"}) == own


def test_an_experiment_s_device_overrides_the_configuration_s(project):
    project.adversarial(device="cuda")
    rounds = project.load()
    assert (rounds.device_of("exp"), rounds.device_of("base")) == ("cuda", "cpu")


def test_the_datasets_of_the_autoencoders_are_needed_too(project):
    """An autoencoder may have been trained on another dataset than the experiment's."""
    project.config["autoencoders"]["kl"]["dataset"] = "large"
    project.adversarial()
    assert project.load().datasets == ["large", "tiny"]
