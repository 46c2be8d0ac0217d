"""The table of old names: reachable, unambiguous, and into keys that exist."""

from collections import Counter
from typing import get_args

import pytest

from sparring.models.presets import PRESETS
from sparring.settings.old_names import values
from sparring.settings.old_names.documentation import flag_meanings
from sparring.settings.old_names.kinds import ENTRIES, MODELS, Kind, refusal
from sparring.settings.old_names.leaves import usual_name
from sparring.settings.old_names.left_out import LEFT_OUT, reason_to_leave_out
from sparring.settings.old_names.table import FIELDS, find_field, known_names
from sparring.settings.old_names.values import NotCarried


@pytest.mark.parametrize("new", sorted({field.new for field in FIELDS}))
def test_every_new_key_exists(new):
    assert None in [refusal(new, kind, set(ENTRIES)) for kind in MODELS]


def test_every_spelling_is_listed_once_and_can_be_met():
    assert Counter(name for field in FIELDS for name in field.old).most_common(1)[0][1] == 1
    for name in known_names():
        is_flag = name.startswith("--")
        assert is_flag or usual_name(name)[0] == name  # no group in it is taken for another one
        assert find_field(name) is not None


def test_all_kinds_are_known():
    assert set(get_args(Kind)) == set(MODELS)


def test_the_flags_that_users_know_are_known():
    known = (
        "--num_samples --num_iterations --discriminator_epochs --diffusion_epochs --seed --device "
        "--generation_batch_size --generation_steps --start_iteration --resume"
    )
    assert set(known.split()) == set(flag_meanings())


def test_the_fields_that_users_know_are_known():
    carried = (
        "experiment.name diffusion.stage1_checkpoint diffusion.stage2_checkpoint dataset.manifest "
        "discriminator.checkpoint discriminator.weight autoencoder.checkpoint"
    )
    for name in carried.split():
        assert find_field(name) is not None, name
    for name in ("experiment.save_path", "discriminator.config", "dataset.outputs"):
        assert reason_to_leave_out(usual_name(name)[0]), name


@pytest.mark.parametrize("row", LEFT_OUT, ids=lambda row: row.old[0])
def test_a_reason_says_more_than_no(row):
    assert len(row.reason) > 20
    assert "|" not in row.reason  # it stands in a table


def test_spellings_do_not_depend_on_capitals_dashes_and_groups_of_the_same_meaning():
    for place in ("Training.Batch-Size", "train.batch_size", "trainer.batch_size", "batch_size"):
        found = find_field(usual_name(place)[0])
        assert found is not None
        assert found[0].new == "diffusion.batch_size", place


LAYOUT_PRESETS = [
    n for n, p in PRESETS.items() if p.dims == 2 and n not in ("unet_micro", "unet_tiny")
]


@pytest.mark.parametrize("name", LAYOUT_PRESETS)
def test_every_preset_is_found_by_width_depth_and_attention(name):
    width, depth, *attention = name.removeprefix("unet").split("_")
    parts = {"width": int(width), "depth": int(depth[1:]), "attention": bool(attention)}
    assert values.preset(parts) == name


def test_a_network_without_a_preset_is_not_replaced_by_another_one():
    with pytest.raises(NotCarried, match="unet256_d4"):
        values.preset({"width": 256, "depth": 4})


@pytest.mark.parametrize(
    "parts",
    [
        {"all": [0.7, 0.2, 0.1]},
        {"all": [0.8, 0.2]},
        {"all": 0.9},
        {"train": 0.8, "val": 0.2},
        {"train": 0.6, "val": 0.2, "test": 0.2},
        {"val": 0.05},
        {"test": 0.2},
        {"train": 0.7, "test": 0.1},
    ],
)
def test_a_split_keeps_what_was_said_of_train_and_test_and_sums_to_one(parts):
    shares = values.split(parts)
    assert sum(shares.values()) == pytest.approx(1)
    assert all(share > 0 for share in shares.values())
    listed = parts["all"] if isinstance(parts.get("all"), list) else [parts.get("all")]
    assert shares["train"] == pytest.approx(parts.get("train", listed[0] or shares["train"]))
    assert shares["test"] == pytest.approx(parts.get("test", shares["test"]))


@pytest.mark.parametrize(
    ("turn", "value"),
    [
        (values.device, "mps"),
        (values.sampler, "euler"),
        (values.noise_schedule, "sigmoid"),
        (values.prediction, "sample"),
        (values.lr_schedule, "CosineAnnealingWarmRestarts"),
        (values.gpus, "auto"),
        (values.side, [256, 128]),
        (values.split, {"train": 80}),
        (values.gradient_norm, 0),
        (values.discriminator_start, "/old/discriminator_best.pt"),
    ],
)
def test_values_that_no_key_takes_are_refused_with_a_reason(turn, value):
    with pytest.raises(NotCarried, match=r"\w{3}"):
        turn(value)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/old/unet64_d4/checkpoints/best.pt", "models/unet64_d4"),
        ("/old/exp/diffusion_unet64_checkpoint_best.pt", "models/diffusion_unet64_checkpoint_best"),
        ("best.pt", "models/mine"),
        ("/old/a/directory", "/old/a/directory"),
        ("directory", "./directory"),
    ],
)
def test_checkpoints_become_directories_with_telling_names(path, name):
    assert values.model_directory(path) == name
