"""What cannot work is refused before anything is queued: models that do not fit."""

import pytest

from sparring.rounds import check_rounds


def test_a_project_without_faults_passes_without_warnings(project):
    project.adversarial()
    rounds = project.load()
    check_rounds(rounds)
    assert rounds.warnings == []


@pytest.mark.parametrize("key", ["dataset", "autoencoder"])
def test_an_unknown_dataset_or_autoencoder_is_named_with_those_that_exist(project, key):
    project.pretrain("base", **{key: "nothing"})
    message = project.refusal("base")
    assert f"{project.file('base')}: {key} is 'nothing', but config/config.yaml has only" in message
    assert ("large, tiny" if key == "dataset" else "kl, wide") in message


def test_an_autoencoder_for_an_unknown_dataset_is_refused(project):
    project.config["autoencoders"]["kl"]["dataset"] = "nothing"
    message = project.refusal("base")
    assert "autoencoders.kl.dataset is 'nothing', expected one of large, tiny" in message


def test_layouts_that_the_autoencoder_cannot_halve_evenly_are_refused(project):
    project.config["datasets"]["tiny"]["size"] = 40
    project.config["autoencoders"]["kl"]["block_out_channels"] = [8] * 5
    message = project.refusal("base")
    assert "datasets.tiny has layouts of 40 pixels, not divisible by the factor 16" in message
    assert "set datasets.tiny.resize to a multiple of 16" in message


def test_a_preset_with_too_many_levels_for_the_latents_is_refused(project):
    project.pretrain("base", denoiser={"preset": "unet48_d4"})
    message = project.refusal("base")
    assert "denoiser.preset unet48_d4" in message
    assert "multiple of 16, found 8; choose a preset with fewer levels" in message


# The project's autoencoder makes latents [4, 8, 8].
@pytest.mark.parametrize(("channels", "side"), [(16, 8), (4, 16)])
@pytest.mark.parametrize("key", ["start_from", "fakes_from"])
def test_a_denoiser_for_other_latents_is_refused(project, key, channels, side):
    model = project.model("unet", in_channels=channels, sample_size=side)
    keys = {"dataset": "tiny", "autoencoder": "kl", key: model}
    project.adversarial(**keys)
    message = project.refusal()
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
    message = project.refusal()
    assert f"{project.file('exp')}: start_from is {str(directory)!r}" in message
    assert expected in message


def test_a_given_autoencoder_s_own_config_decides_the_latents(project):
    directory = project.model("vae", "AutoencoderKL", latent_channels=16, block_out_channels=[8, 8])
    project.config["autoencoders"]["given"] = {"dataset": "tiny", "start_from": directory}
    unet = project.model("unet", in_channels=4, sample_size=8)
    project.adversarial(start_from=unet, dataset="tiny", autoencoder="given")
    assert "makes 16 channels and side 16" in project.refusal()


def test_an_autoencoder_directory_that_holds_another_model_is_refused(project):
    directory = project.model("unet", in_channels=4, sample_size=8)
    project.config["autoencoders"]["kl"]["start_from"] = directory
    message = project.refusal("base")
    assert "autoencoders.kl.start_from" in message
    assert "holds a UNet2DModel, expected" in message


@pytest.mark.parametrize("key", ["start_from", "fakes_from"])
def test_a_denoiser_trained_with_another_autoencoder_is_refused(project, key):
    project.pretrain("other", autoencoder="wide")
    project.adversarial(**{"autoencoder": "kl", key: "other"})
    message = project.refusal()
    assert f"autoencoder is 'kl', but {key} 'other' was trained on latents of 'wide'" in message


def test_a_dataset_of_another_size_than_the_start_s_is_refused(project):
    """The sampler would make fakes of the old size, found only when reals and fakes meet."""
    project.adversarial(dataset="large")
    message = project.refusal()
    assert f"{project.file('exp')}: dataset large gives latents of side 16" in message
    assert "start_from 'base' was trained on side 8" in message


def test_a_discriminator_with_too_many_layers_is_refused(project):
    project.adversarial(discriminator={"num_layers": 4})
    message = project.refusal()
    assert "discriminator.num_layers is 4, which halves latents of side 8 to nothing" in message
    assert "set at most 3" in message
    project.adversarial(discriminator={"num_layers": 3})
    check_rounds(project.load())


def test_no_epochs_without_a_discriminator_to_take_are_refused(project):
    project.adversarial(discriminator={"epochs": 0})
    message = project.refusal()
    assert "discriminator.epochs is 0 in iteration 0, where none is given" in message
    assert "set discriminator.start_from (iteration 0) or warm_start" in message


def test_an_override_to_no_epochs_is_checked_in_its_own_iteration(project):
    overrides = [{"iteration": 2, "discriminator": {"epochs": 0}}]
    project.adversarial(overrides=overrides)
    assert "discriminator.epochs is 0 in iteration 2" in project.refusal()
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
    message = project.refusal()
    assert f"discriminator.start_from {directory!r} has {key} {value}" in message
    assert f"expected {fitting[key]}" in message


def test_another_experiment_s_discriminator_of_another_architecture_is_refused(project):
    project.adversarial("first", discriminator={"base_channels": 8})
    project.adversarial("exp", discriminator={"start_from": "first"})
    message = project.refusal()
    assert "discriminator.start_from 'first' has base_channels 8, expected 64" in message


def test_a_discriminator_of_another_autoencoder_s_latents_is_refused(project):
    """Even where the shapes agree: it judges another space."""
    project.config["autoencoders"]["twin"] = project.config["autoencoders"]["kl"]
    project.pretrain("other", autoencoder="twin")
    project.adversarial("first", start_from="other")
    project.adversarial("exp", discriminator={"start_from": "first"})
    message = project.refusal()
    assert "autoencoder is 'kl', but discriminator.start_from 'first' was trained on" in message


@pytest.mark.parametrize("name", ["diffusion_pytorch_model.safetensors", "scheduler_config.json"])
def test_a_start_directory_without_all_its_files_is_refused(project, name):
    directory = project.model("given", in_channels=4, sample_size=8)
    (project.folder / "models" / "given" / name).unlink()
    project.adversarial(start_from=directory, dataset="tiny", autoencoder="kl")
    assert f"start_from is {directory!r}, which has no {name}" in project.refusal()
