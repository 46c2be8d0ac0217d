"""The word beside the sentence: never more than the evaluation says."""

import pytest

from sparring.evaluation.comparing import LATENT
from sparring.report.figures import Comparisons, Difference, Estimate, Evaluation, Model, figure_of
from sparring.report.verdicts import verdict_of

NONE = Evaluation((), (), "")


def of(kind, comparisons, evaluation=NONE, history=()):
    return verdict_of(kind, [], evaluation, comparisons, list(history))


@pytest.mark.parametrize(
    ("selected", "outcome"),
    [("start", "kept"), ("control/iteration_1", "kept"), ("adversarial/iteration_1", "helped")],
)
def test_only_an_adversarial_model_that_is_handed_on_has_helped(selected, outcome):
    found = of("adversarial", Comparisons("A sentence", selected))
    assert (found.outcome, found.sentence) == (outcome, "A sentence.")


def test_the_evaluations_own_word_goes_before():
    found = of("adversarial", Comparisons("Nothing can be said.", "start", outcome="undecided"))
    assert found.outcome == "undecided"


@pytest.mark.parametrize(("highs", "outcome"), [((-1, -1), "helped"), ((-1, 1), "undecided")])
def test_a_stage_without_rounds_helped_only_if_all_deciding_figures_say_so(highs, outcome):
    rows = tuple(
        Difference("trained", "start", name, Estimate(-2, -3, high), "lower")
        for name, high in zip(LATENT, highs, strict=True)
    )
    assert of("finetune", Comparisons("So.", "trained", differences=rows)).outcome == outcome
    assert of("finetune", Comparisons("So.", "trained")).outcome == "undecided"


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [(0.5, 0.9, "better in Fréchet"), (3, 4, "worse in Fréchet"), (1.5, 2.5, "not told apart")],
)
def test_without_comparisons_intervals_must_lie_apart(low, high, words):
    models = (
        Model("start", "start", None, "", {"frechet": Estimate(2, 1, 2.8)}),
        Model("trained", "trained", None, "", {"frechet": Estimate(low, low, high)}),
    )
    found = of("finetune", None, Evaluation((figure_of("frechet", True),), models, ""))
    assert found.outcome == "undecided"
    assert words in found.sentence
    assert "no control" in found.sentence


def test_a_first_training_says_how_far_the_loss_fell():
    history = [{"epoch": n, "val_noise_loss": loss} for n, loss in enumerate([1.0, 0.4, 0.5])]
    found = of("pretrain", None, None, history)
    assert found.outcome == "trained"
    assert "for 2 epochs" in found.sentence
    assert "from 1 to 0.4, at epoch 1" in found.sentence
