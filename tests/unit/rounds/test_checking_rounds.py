"""What cannot work is refused before anything is queued."""

import csv

import numpy as np
import pytest
from PIL import Image

from sparring.errors import UserError
from sparring.rounds import check_rounds


def refusal(project, *names) -> str:
    with pytest.raises(UserError) as caught:
        check_rounds(project.load(*names))
    message = str(caught.value)
    assert "\n" not in message
    return message


def write_manifest(folder, originals, augmented):
    """A dataset of plain 32-pixel images, all in one file."""
    folder.mkdir(exist_ok=True)
    Image.fromarray(np.zeros((32, 32, 3), np.uint8)).save(folder / "a.png")
    splits = ["val"] * 10 + ["test"] * 10 + ["train"] * (originals - 20)
    with open(folder / "manifest.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["sample_id", "layout_path", "is_augmented", "parent_id", "split"])
        for n, split in enumerate(splits):
            writer.writerow([f"s{n}", "a.png", 0, f"s{n}", split])
            for c in range(augmented):
                writer.writerow([f"s{n}_{c}", "a.png", 1, f"s{n}", split])
    return str(folder / "manifest.csv")


def test_a_project_without_faults_passes_without_warnings(project):
    project.adversarial()
    rounds = project.load()
    check_rounds(rounds)
    assert rounds.warnings == []


@pytest.mark.parametrize("key", ["dataset", "autoencoder"])
def test_an_unknown_dataset_or_autoencoder_is_named_with_those_that_exist(project, key):
    project.pretrain("base", **{key: "nothing"})
    message = refusal(project, "base")
    assert f"{project.file('base')}: {key} is 'nothing', but config/config.yaml has only" in message
    assert ("large, tiny" if key == "dataset" else "kl, wide") in message


def test_an_autoencoder_for_an_unknown_dataset_is_refused(project):
    project.config["autoencoders"]["kl"]["dataset"] = "nothing"
    message = refusal(project, "base")
    assert "autoencoders.kl.dataset is 'nothing', expected one of large, tiny" in message


def test_layouts_that_the_autoencoder_cannot_halve_evenly_are_refused(project):
    project.config["datasets"]["tiny"]["size"] = 40
    project.config["autoencoders"]["kl"]["block_out_channels"] = [8] * 5
    message = refusal(project, "base")
    assert "datasets.tiny has layouts of 40 pixels, not divisible by the factor 16" in message
    assert "set datasets.tiny.resize to a multiple of 16" in message


def test_a_preset_with_too_many_levels_for_the_latents_is_refused(project):
    project.pretrain("base", denoiser={"preset": "unet48_d4"})
    message = refusal(project, "base")
    assert "denoiser.preset unet48_d4" in message
    assert "multiple of 16, found 8; choose a preset with fewer levels" in message


# The project's autoencoder makes latents [4, 8, 8].
@pytest.mark.parametrize(("channels", "side"), [(16, 8), (4, 16)])
@pytest.mark.parametrize("key", ["start_from", "fakes_from"])
def test_a_denoiser_for_other_latents_is_refused(project, key, channels, side):
    model = project.model("unet", in_channels=channels, sample_size=side)
    keys = {"dataset": "tiny", "autoencoder": "kl", key: model}
    project.adversarial(**keys)
    message = refusal(project)
    assert (
        f"{project.file('exp')}: {key} is a denoiser for latents of {channels} channels" in message
    )
    assert f"side {side}, but the autoencoder makes 4 channels and side 8" in message


def test_a_fitting_denoiser_directory_is_taken(project):
    model = project.model("unet", in_channels=4, sample_size=8)
    project.adversarial(start_from=model, dataset="tiny", autoencoder="kl")
    check_rounds(project.load())


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (None, "cannot be read"),
        (b"{", "cannot be read"),
        (b"\xff\xfe", "cannot be read"),
        (b"[]", "holds a None, expected a diffusers model directory of a UNet2DModel"),
        (b'{"_class_name": "AutoencoderKL"}', "holds a AutoencoderKL, expected"),
    ],
)
def test_a_folder_that_holds_no_denoiser_is_refused(project, content, expected):
    directory = project.folder / "models"
    directory.mkdir()
    if content is not None:
        (directory / "config.json").write_bytes(content)
    project.adversarial(start_from=str(directory), dataset="tiny", autoencoder="kl")
    message = refusal(project)
    assert f"{project.file('exp')}: start_from is {str(directory)!r}" in message
    assert expected in message


def test_a_given_autoencoder_s_own_config_decides_the_latents(project):
    directory = project.model("vae", "AutoencoderKL", latent_channels=16, block_out_channels=[8, 8])
    project.config["autoencoders"]["given"] = {"dataset": "tiny", "start_from": directory}
    unet = project.model("unet", in_channels=4, sample_size=8)
    project.adversarial(start_from=unet, dataset="tiny", autoencoder="given")
    assert "makes 16 channels and side 16" in refusal(project)


def test_an_autoencoder_directory_that_holds_another_model_is_refused(project):
    directory = project.model("unet", in_channels=4, sample_size=8)
    project.config["autoencoders"]["kl"]["start_from"] = directory
    message = refusal(project, "base")
    assert "autoencoders.kl.start_from" in message
    assert "holds a UNet2DModel, expected" in message


@pytest.mark.parametrize("key", ["start_from", "fakes_from"])
def test_a_denoiser_trained_with_another_autoencoder_is_refused(project, key):
    project.pretrain("other", autoencoder="wide")
    project.adversarial(**{"autoencoder": "kl", key: "other"})
    message = refusal(project)
    assert f"autoencoder is 'kl', but {key} 'other' was trained on latents of 'wide'" in message


def test_a_dataset_of_another_size_than_the_start_s_is_refused(project):
    """The sampler would make fakes of the old size, found only when reals and fakes meet."""
    project.adversarial(dataset="large")
    message = refusal(project)
    assert f"{project.file('exp')}: dataset large gives latents of side 16" in message
    assert "start_from 'base' was trained on side 8" in message


def test_a_discriminator_with_too_many_layers_is_refused(project):
    project.adversarial(discriminator={"num_layers": 4})
    message = refusal(project)
    assert "discriminator.num_layers is 4, which halves latents of side 8 to nothing" in message
    assert "set at most 3" in message
    project.adversarial(discriminator={"num_layers": 3})
    check_rounds(project.load())


def test_no_epochs_without_a_discriminator_to_take_are_refused(project):
    project.adversarial(discriminator={"epochs": 0})
    message = refusal(project)
    assert "discriminator.epochs is 0 in iteration 0, where none is given" in message
    assert "set discriminator.start_from (iteration 0) or warm_start" in message


def test_an_override_to_no_epochs_is_checked_in_its_own_iteration(project):
    overrides = [{"iteration": 2, "discriminator": {"epochs": 0}}]
    project.adversarial(overrides=overrides)
    assert "discriminator.epochs is 0 in iteration 2" in refusal(project)
    project.adversarial(overrides=overrides, discriminator={"warm_start": True})
    check_rounds(project.load())


def test_no_epochs_with_a_given_discriminator_are_taken(project):
    project.adversarial("first")
    given = {"epochs": 0, "start_from": "first", "warm_start": True}
    project.adversarial("exp", discriminator=given)
    check_rounds(project.load())


@pytest.mark.parametrize(
    ("key", "value"), [("latent_channels", 16), ("base_channels", 8), ("num_layers", 3)]
)
def test_a_given_discriminator_of_another_architecture_is_refused(project, key, value):
    fitting = {"latent_channels": 4, "base_channels": 64, "num_layers": 2}
    directory = project.model("judge", "LatentDiscriminator", **(fitting | {key: value}))
    project.adversarial(discriminator={"start_from": directory})
    message = refusal(project)
    assert f"discriminator.start_from {directory!r} has {key} {value}" in message
    assert f"expected {fitting[key]}" in message


def test_another_experiment_s_discriminator_of_another_architecture_is_refused(project):
    project.adversarial("first", discriminator={"base_channels": 8})
    project.adversarial("exp", discriminator={"start_from": "first"})
    message = refusal(project)
    assert "discriminator.start_from 'first' has base_channels 8, expected 64" in message


def test_a_discriminator_of_another_autoencoder_s_latents_is_refused(project):
    """Even where the shapes agree: it judges another space."""
    project.config["autoencoders"]["twin"] = project.config["autoencoders"]["kl"]
    project.pretrain("other", autoencoder="twin")
    project.adversarial("first", start_from="other")
    project.adversarial("exp", discriminator={"start_from": "first"})
    message = refusal(project)
    assert "autoencoder is 'kl', but discriminator.start_from 'first' was trained on" in message


def test_too_few_reals_say_what_to_set(project):
    project.adversarial(num_samples=81)  # 100 layouts, a tenth each for val and test
    message = refusal(project)
    assert "num_samples is 81, but dataset tiny has 80 training layouts" in message
    assert "set num_samples: 80 or allow_fewer_reals: true" in message
    for way_out in ({"num_samples": 80}, {"num_samples": 81, "allow_fewer_reals": True}):
        project.adversarial(**way_out)
        check_rounds(project.load())


def test_an_override_counts_when_reals_are_counted(project):
    project.adversarial(overrides=[{"iteration": 1, "num_samples": 81}])
    assert "num_samples is 81" in refusal(project)


def test_too_few_held_out_layouts_for_the_features_say_what_to_set(project):
    project.adversarial(evaluation={"feature_dim": 6})
    message = refusal(project)
    assert "evaluation.feature_dim is 6, but dataset tiny holds out only 10 test layouts" in message
    assert "set at most 5" in message
    project.adversarial(evaluation={"feature_dim": 5})
    check_rounds(project.load())


@pytest.mark.parametrize(
    ("keys", "warned"),
    [
        ({}, True),
        ({"discriminator": {"reals": "as_training"}}, False),
        ({"diffusion": {"augmented": False}}, False),
    ],
)
@pytest.mark.parametrize("augmented", ["manifest", "dihedral", "drop"])
def test_originals_as_reals_beside_copies_in_training_are_warned_of(
    project, keys, warned, augmented
):
    """Orientation would tell reals from fakes."""
    manifest = write_manifest(project.folder / "data", 60, augmented=1)
    project.config["datasets"]["tiny"] = {
        "kind": "manifest",
        "manifest": manifest,
        "augmented": augmented,
    }
    project.adversarial(**keys)
    rounds = project.load()
    check_rounds(rounds)
    assert len(rounds.warnings) == int(warned and augmented != "drop")
    if rounds.warnings:
        assert "exp: the denoiser trains on augmented copies" in rounds.warnings[0]
        assert (
            "discriminator.reals: as_training or diffusion.augmented: false" in rounds.warnings[0]
        )


def test_augmented_rows_serve_as_reals_only_when_asked(project):
    manifest = write_manifest(project.folder / "data", 60, augmented=1)
    project.config["datasets"]["tiny"] = {"kind": "manifest", "manifest": manifest}
    project.adversarial(num_samples=41)
    assert "has 40 training layouts to draw reals from" in refusal(project)
    project.adversarial(num_samples=81, discriminator={"reals": "as_training"})
    assert "has 80 training layouts to draw reals from" in refusal(project)


def test_a_faulty_manifest_is_refused_before_anything_is_queued(project):
    manifest = str(project.folder / "none.csv")
    project.config["datasets"]["tiny"] = {"kind": "manifest", "manifest": manifest}
    message = refusal(project, "base")
    assert f"{manifest}: manifest cannot be read" in message
    assert "set datasets.<name>.manifest" in message


def test_more_sampler_steps_than_timesteps_are_refused(project):
    project.pretrain("base", noise_schedule={"num_timesteps": 50}, diffusion={"sample_interval": 0})
    project.adversarial(sampling={"num_steps": 60}, diffusion={"sample_interval": 0})
    message = refusal(project)
    assert "sampling.num_steps is 60, but the noise schedule has only 50 timesteps" in message
    assert "set at most 50" in message


def test_more_grid_steps_than_timesteps_are_refused_unless_no_grid_is_drawn(project):
    project.pretrain("base", noise_schedule={"num_timesteps": 50})
    assert "diffusion.sample_grid.num_steps is 1000" in refusal(project, "base")
    project.pretrain("base", noise_schedule={"num_timesteps": 50}, diffusion={"sample_interval": 0})
    check_rounds(project.load("base"))


@pytest.mark.parametrize("name", ["diffusion_pytorch_model.safetensors", "scheduler_config.json"])
def test_a_start_directory_without_all_its_files_is_refused(project, name):
    directory = project.model("given", in_channels=4, sample_size=8)
    (project.folder / "models" / "given" / name).unlink()
    project.adversarial(start_from=directory, dataset="tiny", autoencoder="kl")
    assert f"start_from is {directory!r}, which has no {name}" in refusal(project)


def test_one_hot_input_without_named_classes_is_refused(project):
    manifest = write_manifest(project.folder / "data", 200, 0)
    project.config["datasets"]["plain"] = {"kind": "manifest", "manifest": manifest}
    project.config["autoencoders"]["plain"] = {"dataset": "plain", "input": "classes"}
    project.pretrain("base", dataset="plain", autoencoder="plain")
    message = refusal(project, "base")
    assert "autoencoders.plain.input is 'classes', but dataset plain names no classes" in message
    assert "classes.json" in message
    assert "input: rgb" in message


def test_held_out_copies_do_not_count_as_layouts(project):
    """Ten test originals in eight poses are ten layouts: not enough for 32 features."""
    manifest = write_manifest(project.folder / "data", 200, 0)
    dataset = {"kind": "manifest", "manifest": manifest, "augmented": "dihedral"}
    project.config["datasets"]["turned"] = dataset
    project.config["autoencoders"]["turned"] = {"dataset": "turned", "input": "rgb"}
    project.pretrain("base", dataset="turned", autoencoder="turned")
    project.adversarial(evaluation={"feature_dim": 32})
    assert "holds out only 10 test layouts; set at most 5" in refusal(project)
