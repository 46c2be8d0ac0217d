"""What a pipeline is exported from: the model an experiment hands on, and all it came from."""

from sparring.rounds import final_denoiser, lineage

EVALUATED = {"evaluation": {"feature_dim": 4}}
DATA = ["datasets/tiny", "autoencoders/kl", "latents/tiny-kl"]


def places(project, name):
    return [place.removeprefix(project.results("")) for place in lineage(project.load(name), name)]


def test_rounds_hand_on_the_selected_model_and_stage_1_its_own(project):
    project.adversarial()
    rounds = project.load()
    assert final_denoiser(rounds, "exp") == project.results("exp/selected/denoiser")
    assert final_denoiser(rounds, "base") == project.results("base/denoiser")


def test_a_chain_is_followed_to_where_it_began(project):
    project.adversarial("first")
    project.adversarial("second", start_from="first@1")
    project.adversarial("third", start_from="second@selected")
    assert places(project, "base") == ["base", *DATA]
    assert places(project, "third") == [
        "third/selected",
        "third",
        "second/selected",
        "second",
        "first/adversarial/iteration_1",
        "first",
        "base",
        *DATA,
    ]


def test_a_start_from_a_directory_ends_the_chain(project):
    directory = project.model("mine", in_channels=4, sample_size=8)
    project.adversarial(start_from=directory, dataset="tiny", autoencoder="kl")
    assert places(project, "exp") == ["exp/selected", "exp", *DATA]


def test_a_semantic_stage_hands_on_what_it_trained(project):
    """Rounds that began there quote its records, and those of the stage before."""
    project.pretrain()
    project._write("semantic", {"kind": "finetune", "start_from": "base", **EVALUATED})
    project.adversarial(start_from="semantic")
    assert final_denoiser(project.load("semantic"), "semantic") == project.results(
        "semantic/denoiser"
    )
    assert places(project, "semantic") == ["semantic", "base", *DATA]
    assert places(project, "exp") == ["exp/selected", "exp", "semantic", "base", *DATA]
