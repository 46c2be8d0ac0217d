"""What judging needs is refused before anything runs."""

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


def test_more_features_than_held_out_layouts_allow(project):
    project.adversarial(evaluation={"feature_dim": 6})
    assert "evaluation.feature_dim is 6" in project.refusal()
