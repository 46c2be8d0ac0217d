"""Composite losses in all their spellings become the same weights."""

import pytest
from old_files import old

from sparring.settings.old_names.assembly import Asked
from sparring.settings.old_names.conversion import convert

NOISE = {"type": "MSELoss", "key": "pred_noise", "weight": 0.5}
AGAINST = {"type": "DiscriminatorLoss", "key": "latent", "weight": 0.3}
SEMANTIC = {"type": "SemanticLoss", "segmentation_weight": 0.2, "perceptual_weight": 0.4}
TERMS = [NOISE, AGAINST, SEMANTIC]


def experiment(loss, place="training"):
    data = old("semantic")
    del data["training"]["loss"]
    if place:
        data[place]["loss"] = loss
    else:
        data["loss"] = loss
    return convert(data, {}, Asked(), "old.yaml").experiment


@pytest.mark.parametrize(
    "loss",
    [
        TERMS,
        {"type": "CompositeLoss", "losses": TERMS},
        {"type": "CompositeLoss", "components": TERMS},
        {"terms": TERMS},
        {"mse": {"weight": 0.5}, "discriminator": 0.3, "semantic": {
            "params": {"seg_weight": 0.2, "perc_weight": 0.4}}},
        [NOISE, AGAINST, {"type": "CrossEntropyLoss", "weight": 0.2},
         {"type": "VGGPerceptualLoss", "weight": 0.4}],
        [NOISE, AGAINST, {"type": "SemanticLoss", "weight": 2, "segmentation_weight": 0.1,
                          "perceptual_weight": 0.2}],
    ],
)  # fmt: skip
@pytest.mark.parametrize("place", ["training", None])
def test_every_form_of_a_composite_loss_says_the_same(loss, place):
    made = experiment(loss, place)
    assert made["kind"] == "adversarial"
    assert made["diffusion"]["noise_weight"] == 0.5
    assert made["adversarial"]["weight"] == 0.3
    assert made["semantic"] == {"segmentation_weight": 0.2, "perceptual_weight": 0.4}


def test_of_the_two_semantic_losses_the_one_that_is_not_listed_has_no_weight():
    made = experiment([NOISE, {"type": "CrossEntropyLoss", "weight": 0.2}])
    assert made["semantic"] == {"segmentation_weight": 0.2, "perceptual_weight": 0.0}


def test_a_list_of_names_takes_the_default_weights():
    made = experiment(["MSELoss", "DiscriminatorLoss", "SemanticLoss"])
    assert made["kind"] == "adversarial"
    assert made["semantic"] == {}
    assert made["adversarial"] == {"objective": "x0_bce"}


def test_the_loss_counts_before_a_weight_elsewhere():
    data = old("rounds")
    assert data["discriminator"]["weight"] != 0.1
    conversion = convert(data, {}, Asked(), "old.yaml")
    assert conversion.experiment["adversarial"]["weight"] == 0.1
    remarks = {a.leaf.old: a.remark for a in conversion.accounts if not a.carried}
    assert "training.loss.components[1].weight says 0.1" in remarks["discriminator.weight"]


@pytest.mark.parametrize("term", ["SSIMLoss", "MSELoss on pictures"])
def test_other_losses_are_left_out_with_a_reason(term):
    data = old("stage1")
    name, _, on = term.partition(" on ")
    data["training"]["loss"] = [{"type": name, "key": "decoded_rgb" if on else "x", "weight": 1}]
    conversion = convert(data, {}, Asked(), "old.yaml")
    assert conversion.kind == "pretrain"
    said = [a for a in conversion.accounts if a.leaf.old.startswith("training.loss")]
    assert len(said) == 3
    assert all("is no loss here" in a.remark for a in said)


def test_an_empty_composite_is_still_a_composite():
    data = old("stage1")
    data["training"]["loss"] = {"type": "CompositeLoss", "losses": []}
    accounts = convert(data, {}, Asked(), "old.yaml").accounts
    carried = {a.leaf.old: a.carried for a in accounts}
    assert carried["training.loss.type"]
    assert not carried["training.loss.losses"]
