"""The word beside the sentence: never more than the evaluation says."""

import pytest

from sparring.report.figures import Comparisons, Estimate, Evaluation, Model, figure_of
from sparring.report.verdicts import verdict_of

NONE = Evaluation((), (), "")


def of(kind, comparisons, evaluation=NONE, history=()):
    return verdict_of(kind, [], evaluation, comparisons, list(history))


@pytest.mark.parametrize("kind", ["adversarial", "finetune"])
@pytest.mark.parametrize("outcome", ["helped", "indication", "kept", "undecided"])
def test_the_word_and_the_sentence_are_the_evaluations(kind, outcome):
    found = of(kind, Comparisons("A sentence", "adversarial/iteration_1", outcome))
    assert (found.outcome, found.sentence) == (outcome, "A sentence.")


def test_a_word_that_is_not_known_claims_nothing():
    assert of("adversarial", Comparisons("So.", "start", "triumph")).outcome == "undecided"


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
