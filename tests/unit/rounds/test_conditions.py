"""Models and data that know different conditions are refused before anything runs."""

import pytest

from sparring.rounds import check_rounds


@pytest.fixture
def conditional(project):
    """A stage 1 on layouts that are told apart, and rounds that go on from it."""
    project.config["datasets"]["told"] = project.config["datasets"]["tiny"] | {
        "condition": "balcony"
    }
    project.pretrain(dataset="told")
    project.adversarial(sampling={"guidance_scale": 2.0})
    return project


def test_an_experiment_inherits_the_conditions_of_its_start(conditional):
    check_rounds(conditional.load())


@pytest.mark.parametrize("key", ["start_from", "fakes_from"])
def test_an_unconditional_experiment_cannot_serve(conditional, key):
    conditional.pretrain("plain")
    conditional.adversarial(**{"dataset": "told", "start_from": "base", key: "plain"})
    message = conditional.refusal()
    assert f"exp.yaml: {key} 'plain' was trained with no conditions, but dataset told" in message
    assert "the conditions balcony, no balcony" in message


@pytest.mark.parametrize(("embeddings", "found"), [(None, "no"), (5, "4")])
def test_nor_can_a_directory_of_other_conditions(conditional, embeddings, found):
    directory = conditional.model("mine", in_channels=4, sample_size=8, num_class_embeds=embeddings)
    conditional.adversarial(start_from=directory, dataset="told", autoencoder="kl")
    message = conditional.refusal()
    assert f"a denoiser of {found} conditions, but dataset told has 2" in message


def test_one_more_embedding_than_conditions_is_right(conditional):
    """The last stands for none of them."""
    directory = conditional.model("mine", in_channels=4, sample_size=8, num_class_embeds=3)
    conditional.adversarial(start_from=directory, dataset="told", autoencoder="kl")
    check_rounds(conditional.load())


@pytest.mark.parametrize(("known", "refused"), [(0, False), (2, False), (4, True)])
def test_a_given_discriminator_knows_the_same_conditions_or_none(conditional, known, refused):
    directory = conditional.model(
        "critic", "LatentDiscriminator", latent_channels=4, base_channels=64, num_layers=2,
        num_conditions=known,
    )  # fmt: skip
    conditional.adversarial(discriminator={"start_from": directory})
    if not refused:
        check_rounds(conditional.load())
        return
    assert "a discriminator of 4 conditions, but dataset told has 2" in conditional.refusal()


def test_guidance_of_an_unconditional_denoiser_is_refused(project):
    project.pretrain()
    project.adversarial(sampling={"guidance_scale": 3.0})
    message = project.refusal()
    assert "sampling.guidance_scale is 3, but dataset tiny names no condition" in message
    assert "set the dataset's condition" in message


def test_guidance_without_dropout_is_warned_of(conditional):
    conditional.adversarial(sampling={"guidance_scale": 2.0}, diffusion={"condition_dropout": 0.0})
    rounds = conditional.load()
    check_rounds(rounds)
    assert any("condition_dropout is 0" in warning for warning in rounds.warnings)
