"""What judging needs is refused before anything runs."""

import json

from sparring.rounds import check_rounds, stage_settings


def test_weights_of_inception_that_are_not_there(project):
    project.adversarial(evaluation={"inception_weights": "nowhere.pth"})
    message = project.refusal()
    for part in (project.file("exp"), "evaluation.inception_weights", "nowhere.pth is missing"):
        assert part in message


def test_weights_of_inception_reach_the_stage_that_decodes_and_no_other(project):
    weights = project.folder / "inception.pth"
    weights.touch()
    project.adversarial(evaluation={"inception_weights": str(weights)})
    rounds = project.load()
    check_rounds(rounds)
    place = {"experiment": "exp", "model": "start"}
    assert stage_settings(rounds, "measure_layouts", place).files() == [weights]
    for rule in ("evaluate", "compare_models"):
        assert "inception" not in stage_settings(rounds, rule, place).to_json()


def test_roles_that_classes_cannot_have(project):
    folder = project.folder / "data"
    folder.mkdir()
    entry = {"id": 0, "name": "hedge", "rgb": [0, 0, 0], "role": "fence"}
    (folder / "classes.json").write_text(json.dumps([entry]))
    (folder / "manifest.csv").write_text("layout_path\n")
    project.config["datasets"]["mine"] = {
        "kind": "manifest", "manifest": str(folder / "manifest.csv")
    }  # fmt: skip
    project.config["autoencoders"]["mine"] = {"dataset": "mine", "block_out_channels": [8, 8, 8]}
    project.pretrain("base", dataset="mine", autoencoder="mine")
    project.adversarial()
    message = project.refusal()
    assert "classes.json: class 'hedge' has role 'fence', expected one of wall, door" in message


def test_more_features_than_held_out_layouts_allow(project):
    project.adversarial(evaluation={"feature_dim": 6})
    assert "evaluation.feature_dim is 6" in project.refusal()
