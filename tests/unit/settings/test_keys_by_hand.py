"""What a stage can be told by hand: every key is listed, and nothing has to be set."""

import json

import pytest
from stage_kinds import STAGE_KINDS

from sparring.settings.by_hand import defaults_by_hand, keys_by_hand
from sparring.settings.documentation import keys_of
from sparring.settings.experiment import AdversarialExperiment
from sparring.settings.reading import validate
from sparring.settings.stages import (
    FinetuneDiffusion,
    PackLayouts,
    TrainDiscriminator,
)


@pytest.mark.parametrize("kind", STAGE_KINDS, ids=lambda k: k.stage)
def test_nothing_has_to_be_set_by_hand(kind):
    settings = validate(defaults_by_hand(kind), kind, "test")
    assert kind.from_json(settings.to_json(), "test") == settings


@pytest.mark.parametrize("kind", STAGE_KINDS, ids=lambda k: k.stage)
def test_every_key_that_settings_hold_is_listed(kind):
    settings = validate(defaults_by_hand(kind), kind, "test")
    held = set(leaves(settings.model_dump(mode="json")))
    assert held <= {key.path for key in keys_of(kind)}


def leaves(values, above=""):
    for name, value in values.items():
        if isinstance(value, dict):
            yield from leaves(value, f"{above}{name}.")
        else:
            yield f"{above}{name}"


@pytest.mark.parametrize("kind", STAGE_KINDS, ids=lambda k: k.stage)
def test_a_listed_default_is_the_one_that_holds(kind):
    held = validate(defaults_by_hand(kind), kind, "test").model_dump(mode="json")
    for key in keys_by_hand(kind):
        value = held
        for part in key.path.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        if key.default not in ("required", "none") and value is not None:
            assert json.loads(key.default) == value, key.path


def test_alternatives_are_listed_with_the_keys_of_all():
    paths = {key.path for key in keys_of(PackLayouts)}
    assert {"dataset.manifest", "dataset.num_layouts"} <= paths


@pytest.mark.parametrize("kind", STAGE_KINDS, ids=lambda k: k.stage)
def test_keys_that_are_not_read_exist_and_are_not_listed(kind):
    assert set(kind.elsewhere) <= {key.path for key in keys_of(kind)}
    assert not set(kind.elsewhere) & {key.path for key in keys_by_hand(kind)}


def test_a_group_that_may_be_missing_is_listed_itself():
    keys = {key.path: key for key in keys_of(FinetuneDiffusion)}
    assert keys["adversarial"].default == "none"
    assert keys["adversarial.weight"].default == "0.1"


def test_what_experiments_give_every_stage_is_the_same_by_hand():
    fields = AdversarialExperiment.model_fields
    for kind in STAGE_KINDS:
        for name, value in defaults_by_hand(kind).items():
            if name in ("seed", "num_samples"):
                assert value == fields[name].default, (kind.stage, name)


def test_defaults_by_hand_are_no_part_of_what_is_recorded():
    """Else finished work of experiments would be planned again."""
    given = validate(defaults_by_hand(TrainDiscriminator), TrainDiscriminator, "test")
    assert json.loads(given.to_json()) == {
        "stage": "train_discriminator",
        "revision": 1,
        "seed": 42,
        "iteration": 0,
    }
