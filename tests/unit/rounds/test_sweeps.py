"""Sweeps: one file that stands for many experiments."""

import pytest
import yaml

from sparring.errors import UserError
from sparring.rounds import check_rounds, latents_file
from sparring.settings.reading import read_yaml


@pytest.fixture
def sweep(project):
    """Writes a sweep of stage 1 unless told otherwise."""

    def write(vary, name="sizes", base="base", **keys):
        content = {"kind": "sweep", "base": base, "vary": vary} | keys
        (project.experiments / f"{name}.yaml").write_text(yaml.safe_dump(content))

    return write


def names(project, *wanted):
    return project.load(*(wanted or ["sizes"])).requested


def refusal(project, *wanted) -> str:
    with pytest.raises(UserError) as caught:
        project.load(*(wanted or ["sizes"]))
    message = str(caught.value)
    assert "\n" not in message
    return message


PRESETS = ["unet_tiny", "unet32_d3"]


def test_members_are_the_base_with_every_combination_of_the_values(project, sweep):
    project.pretrain("base", diffusion={"epochs": 7, "batch_size": 16})
    sweep({"denoiser.preset": PRESETS, "diffusion.epochs": [3, 4]})
    rounds = project.load("sizes")
    members = [rounds.pretrain(name) for name in rounds.requested]
    found = [(m.denoiser.preset, m.diffusion.epochs) for m in members]
    assert sorted(found) == sorted((p, e) for p in PRESETS for e in (3, 4))
    assert {m.diffusion.batch_size for m in members} == {16}
    assert {m.dataset for m in members} == {"tiny"}


def test_the_base_and_the_sweep_are_no_experiments_of_the_run(project, sweep):
    sweep({"denoiser.preset": PRESETS})
    rounds = project.load("sizes")
    assert set(rounds.experiments) == set(rounds.requested)
    assert not {"base", "sizes"} & set(rounds.experiments)


def test_members_share_one_dataset_and_one_autoencoder(project, sweep):
    sweep({"denoiser.preset": PRESETS, "seed": [1, 2]})
    rounds = project.load("sizes")
    assert {latents_file(rounds, name, "train") for name in rounds.requested} == {
        project.results("latents/tiny-kl/train.h5")
    }


def test_zip_takes_values_together(project, sweep):
    sweep({"denoiser.preset": PRESETS, "seed": [1, 2]}, zip=True)
    rounds = project.load("sizes")
    found = [rounds.pretrain(name) for name in rounds.requested]
    assert [(m.denoiser.preset, m.seed) for m in found] == [("unet_tiny", 1), ("unet32_d3", 2)]


@pytest.mark.parametrize(
    ("key", "value", "label"),
    [
        ("denoiser.preset", "unet32_d3", "unet32_d3"),
        ("diffusion.learning_rate", 0.05, "learning_rate_0p05"),
        ("diffusion.learning_rate", "5e-2", "learning_rate_0p05"),
        ("diffusion.learning_rate", 1e-5, "learning_rate_1em5"),
        ("diffusion.learning_rate", 1.0, "learning_rate_1"),
        ("diffusion.learning_rate", 1, "learning_rate_1"),
        ("seed", -3, "seed_m3"),
        ("diffusion.augmented", False, "augmented_false"),
        ("gpus", None, "gpus_none"),
        ("diffusion.sample_grid.sampler", "dpmsolver++", "dpmsolver"),
    ],
)
def test_a_member_s_name_says_its_value(project, sweep, key, value, label):
    sweep({key: [value]})
    assert names(project) == [f"sizes__{label}"]


def test_lists_and_references_have_names_too(project, sweep):
    project.adversarial("exp")
    sweep({"adversarial.timesteps": [[0, 0.2], [0, 1.0]]}, base="exp")
    assert names(project) == ["sizes__timesteps_0_0p2", "sizes__timesteps_0_1"]
    sweep({"start_from": ["base", "exp@2", "exp@selected"]}, base="exp", name="starts")
    assert names(project, "starts") == ["starts__base", "starts__exp_2", "starts__exp_selected"]


def test_keys_that_end_alike_are_told_apart(project, sweep):
    project.adversarial("exp")
    sweep({"diffusion.epochs": [1], "discriminator.epochs": [2]}, base="exp")
    assert names(project) == ["sizes__diffusion_epochs_1__discriminator_epochs_2"]


def test_names_stay_when_values_are_added_or_keys_and_values_reordered(project, sweep):
    sweep({"denoiser.preset": PRESETS, "seed": [1, 2]})
    before = project.load("sizes")
    sweep({"seed": [3, 2.0, 1], "denoiser.preset": [*PRESETS[::-1], "unet48_d3"]})
    after = project.load("sizes")
    assert set(before.requested) < set(after.requested)
    assert all(before.experiments[n] == after.experiments[n] for n in before.requested)


def test_every_name_is_one_that_paths_and_rules_allow(project, sweep):
    project.adversarial("exp")
    values = ["a/model.dir", "./b c", "base@selected", "base"]
    keys = {"dataset": ["tiny"], "autoencoder": ["kl"], "adversarial.weight": [1e-9, 0.25]}
    sweep({"start_from": values} | keys, base="exp")
    found = names(project)
    assert len(found) == len(set(found)) == 8
    assert all(name.replace("_", "").isalnum() and name.isascii() for name in found)


def test_a_member_can_be_asked_for_alone(project, sweep):
    sweep({"denoiser.preset": PRESETS})
    assert set(project.load("sizes__unet32_d3").experiments) == {"sizes__unet32_d3"}
    assert names(project, "sizes__unet32_d3", "sizes") == ["sizes__unet32_d3", "sizes__unet_tiny"]


def test_an_experiment_starts_from_a_member(project, sweep):
    sweep({"denoiser.preset": PRESETS})
    project.adversarial("exp", start_from="sizes__unet32_d3")
    rounds = project.load("exp")
    assert set(rounds.experiments) == {"exp", "sizes__unet32_d3"}
    assert rounds.start_denoiser("exp") == project.results("sizes__unet32_d3/denoiser")
    assert rounds.data_of("exp") == ("tiny", "kl")


def test_a_sweep_of_rounds_goes_through_the_members_of_a_sweep_of_starts(project, sweep):
    sweep({"denoiser.preset": PRESETS})
    project.adversarial("exp")
    starts = [f"sizes__{preset}" for preset in PRESETS]
    sweep({"start_from": starts, "adversarial.weight": [0.05, 0.1]}, name="chain", base="exp")
    rounds = project.load("chain")
    assert len(rounds.requested) == 4
    assert set(rounds.experiments) == {*rounds.requested, *starts}
    for name in rounds.requested:
        start = rounds.adversarial(name).start_from
        assert rounds.start_denoiser(name) == project.results(f"{start}/denoiser")
    check_rounds(rounds)


@pytest.mark.parametrize(
    ("vary", "expected"),
    [
        ({"denoiser.presett": ["unet_tiny"]}, "unknown key 'denoiser.presett'; did you mean 'pre"),
        ({"deniser.preset": ["unet_tiny"]}, "unknown key 'deniser'; did you mean 'denoiser'"),
        ({"denoiser.preset": ["unet33"]}, 'denoiser.preset: found "unet33"'),
        ({"diffusion.epochs": [3, 0]}, "sizes__epochs_0: diffusion.epochs: found 0"),
        ({"seed.x": [1]}, "'seed.x' goes through 'seed', which is no group of keys but 5"),
        ({"kind": ["adversarial"]}, "'kind' is the base's; make a sweep for each kind"),
        ({"denoiser": [{"preset": "unet_tiny"}]}, "denoiser lists {'preset': 'unet_tiny'}"),
        ({"seed": [1, 1.0]}, "two members the name 'sizes__seed_1'"),
        ({"seed": []}, "vary.seed: found []"),
        ({}, "vary: found {}"),
        ({"seed": 3}, "vary.seed: found 3"),
        ({"seed": list(range(201))}, "vary makes 201 members, expected at most 200"),
        ({"seed": list(range(20)), "gpus": list(range(1, 12))}, "vary makes 220 members"),
    ],
)
def test_a_bad_sweep_is_refused_with_its_file_and_value(project, sweep, vary, expected):
    project.pretrain("base", seed=5)
    sweep(vary)
    message = refusal(project)
    assert message.startswith(project.file("sizes"))
    assert expected in message


def test_two_hundred_members_are_allowed(project, sweep):
    sweep({"seed": list(range(200))})
    assert len(names(project)) == 200


def test_zip_of_lists_of_different_length_is_refused(project, sweep):
    sweep({"denoiser.preset": PRESETS, "seed": [1]}, zip=True)
    assert "denoiser.preset has 2, seed has 1; list as many for every key" in refusal(project)


def test_a_long_name_is_refused(project, sweep):
    project.adversarial("exp")
    sweep({"start_from": ["models/" + "x" * 200]}, base="exp")
    assert "characters, expected at most 200" in refusal(project)


def test_a_base_that_is_missing_wrong_or_a_sweep_is_named(project, sweep):
    sweep({"seed": [1]}, base="nowhere")
    assert f"{project.file('sizes')}: base: no experiment 'nowhere'" in refusal(project)
    sweep({"seed": [1]}, name="other")
    sweep({"seed": [1]}, base="other")
    assert "base is 'other', a sweep itself" in refusal(project)
    project.pretrain("base", sed=3)
    sweep({"seed": [1]})
    assert refusal(project).startswith(f"{project.file('base')}: unknown key 'sed'")


def test_an_unknown_key_of_the_sweep_itself_is_refused(project, sweep):
    sweep({"seed": [1]}, zipp=True)
    assert "sizes.yaml: unknown key 'zipp'; did you mean 'zip'?" in refusal(project)


def test_a_sweep_where_one_experiment_is_wanted_lists_its_members(project, sweep):
    sweep({"denoiser.preset": PRESETS})
    project.adversarial("exp", start_from="sizes")
    message = refusal(project, "exp")
    assert f"{project.file('exp')}: start_from: 'sizes' is a sweep" in message
    assert "sizes__unet_tiny, sizes__unet32_d3" in message


def test_a_member_that_the_sweep_has_not_lists_those_it_has(project, sweep):
    sweep({"seed": list(range(30))})
    project.adversarial("exp", start_from="sizes__seed_77")
    message = refusal(project, "exp")
    assert "start_from: sweep sizes has no member 'sizes__seed_77'; it has sizes__seed_0" in message
    assert message.endswith("and 20 more")


def test_a_file_with_a_member_s_name_is_refused(project, sweep):
    sweep({"seed": [1]})
    project.pretrain("sizes__seed_1")
    assert "could be its member; rename" in refusal(project)
    assert "could be its member; rename" in refusal(project, "sizes__seed_1")


def test_a_name_with_two_underscores_is_free_where_no_sweep_is(project):
    project.pretrain("a__b")
    assert names(project, "a__b") == ["a__b"]


def test_a_sweep_s_own_name_holds_no_separator(project, sweep):
    sweep({"seed": [1]}, name="my__sweep")
    assert "a sweep's name may not hold '__'" in refusal(project, "my__sweep")


def test_a_member_that_starts_from_itself_is_refused(project, sweep):
    project.adversarial("exp", start_from="arms__control_false")
    sweep({"control": [False]}, name="arms", base="exp")
    circle = "arms__control_false -> arms__control_false"
    assert f"experiments form a cycle: {circle}" in refusal(project, "arms")


def test_checks_name_the_sweep_s_file_and_the_member(project, sweep):
    project.adversarial("exp")
    sweep({"num_samples": [10, 10_000]}, base="exp")
    message = project.refusal("sizes")
    assert f"{project.file('sizes')}: sizes__num_samples_10000: num_samples is 10000" in message


def test_a_varied_number_may_be_spelt_as_yaml_does_not_read_it(project):
    """YAML 1.1 takes `1e-4` for text."""
    text = "kind: sweep\nbase: base\nvary: {diffusion.learning_rate: [1e-4, 2e-4]}\n"
    path = project.experiments / "sizes.yaml"
    path.write_text(text)
    assert read_yaml(path)["vary"]["diffusion.learning_rate"] == ["1e-4", "2e-4"]
    rounds = project.load("sizes")
    rates = [rounds.pretrain(n).diffusion.learning_rate for n in rounds.requested]
    assert rates == [1e-4, 2e-4]
    assert rounds.requested[0] == "sizes__learning_rate_0p0001"
