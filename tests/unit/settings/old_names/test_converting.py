"""Old files become experiments that validate, and every value of them is accounted for."""

import random

import pytest
import yaml
from old_files import KINDS, TEXTS, old

from sparring.errors import UserError
from sparring.settings.config import Config
from sparring.settings.experiment import ExperimentUnion
from sparring.settings.old_names.assembly import Asked
from sparring.settings.old_names.conversion import convert
from sparring.settings.old_names.report import account_text, config_text, experiment_text
from sparring.settings.old_names.table import FIELDS, FILE_NAME
from sparring.settings.reading import validate

STEPS = (
    "diffusion.sample_grid.num_steps", "sampling.num_steps", "diffusion.selection_steps",
)  # fmt: skip


def converted(data, flags=None, **asked):
    return convert(data, flags or {}, Asked(**asked), "old.yaml")


def refusal(data, flags=None, **asked) -> str:
    with pytest.raises(UserError) as caught:
        converted(data, flags, **asked)
    message = str(caught.value)
    assert message.startswith("old.yaml")
    assert "\n" not in message
    return message


def places(data, above=""):
    """Where the values of a file stand, found without the code under test."""
    if isinstance(data, dict) and data:
        return [p for k, v in data.items() for p in places(v, f"{above}.{k}" if above else str(k))]
    if isinstance(data, list) and any(isinstance(item, dict | list) for item in data):
        return [p for n, item in enumerate(data) for p in places(item, f"{above}[{n}]")]
    return [above]


def at(conversion, key):
    """The value of a dotted key in what was written."""
    if key == FILE_NAME:
        return conversion.name
    group, _, rest = key.partition(".NAME.")
    if rest:
        (entry,) = conversion.config[group].values()
        return entry[rest]
    value = conversion.experiment
    for part in key.split("."):
        value = value[part]
    return value


@pytest.mark.parametrize("name", TEXTS)
def test_the_kind_follows_from_losses_and_checkpoints(name):
    assert converted(old(name)).experiment["kind"] == KINDS[name]


@pytest.mark.parametrize("name", TEXTS)
def test_what_is_written_validates(name):
    conversion = converted(old(name))
    experiment = yaml.safe_load(experiment_text(conversion, "old.yaml", None))
    config = yaml.safe_load(config_text(conversion))
    assert validate(experiment, ExperimentUnion, "new").kind == KINDS[name]
    assert validate(config, Config, "config").experiments == [conversion.name]
    assert experiment["dataset"] in config["datasets"]
    assert config["autoencoders"][experiment["autoencoder"]]["dataset"] == experiment["dataset"]


@pytest.mark.parametrize("name", TEXTS)
def test_what_was_carried_stands_in_the_new_file_and_nothing_else_does(name):
    conversion = converted(old(name))
    carried = {key: v for a in conversion.accounts for key, v in a.sets.items()}
    assert carried
    for key, value in carried.items():
        assert at(conversion, key) == value, key
    own = {"kind", "dataset", "autoencoder"}
    carried |= dict.fromkeys(STEPS)  # cut to the schedule; a test of its own below
    carried |= dict.fromkeys(AS_BEFORE)
    for place in places({k: v for k, v in conversion.experiment.items() if k not in own}):
        top = place.partition(".")[0]
        known = place in carried or top in carried
        assert known or conversion.experiment[top] == {}, place


AS_BEFORE = {"adversarial.objective": "x0_bce", "diffusion.lr_schedule": "constant"}


@pytest.mark.parametrize("name", ["rounds", "stage3"])
def test_rounds_stay_the_old_recipe_where_defaults_are_others(name):
    """An old file says no objective; it knew one."""
    conversion = converted(old(name))
    for key, value in AS_BEFORE.items():
        assert at(conversion, key) == value
    data = old(name)
    data.setdefault("training", {})["lr_schedule"] = "cosine"
    assert at(converted(data), "diffusion.lr_schedule") == "cosine"


ODD_LOSSES = [
    {"type": "SemanticLoss", "weight": 1, "params": {"weight": 2, "x": [1, {"y": 2}]}},
    {"mse": {"weight": 1, "loss_weight": 2}, "gan": 0.1, "losses": []},
    [{"type": "MSELoss"}, {"type": "MSELoss", "weight": 2}, {"weight": 3}, "DiscriminatorLoss"],
    [{"type": "CompositeLoss", "losses": [{"type": "MSELoss"}, {"type": "L1Loss"}]}],
    {"losses": ["MSELoss", "MSELoss"], "components": [{"type": "GANLoss"}]},
]


def random_file(source):
    """A file with known fields of right and wrong values, unknown ones, and odd structures."""
    data = old(source.choice(list(TEXTS)))
    if source.random() < 0.5:
        data.setdefault("training", {})["loss"] = source.choice(ODD_LOSSES)
    spellings = [name for field in FIELDS for name in field.old if not name.startswith("--")]
    odd = [None, True, 0, 3, 0.5, "text", [], {}, [1, 2], [{"a": 1}, [2, {"b": None}]], {"x": {}}]
    for _ in range(source.randrange(1, 8)):
        place = source.choice([*spellings, "made.up.field", "another", "training.made_up"])
        *groups, last = place.split(".")
        into = data
        for group in groups:
            if not isinstance(into.get(group), dict):
                into[group] = {}
            into = into[group]
        into[last] = source.choice(odd)
    return data


def test_no_value_of_a_file_vanishes():
    """Whatever is in it: each value is carried, or left out with a reason."""
    source, done = random.Random(0), 0
    for _ in range(400):
        data = random_file(source)
        try:
            conversion = converted(data)
        except UserError:
            continue
        done += 1
        assert {a.leaf.old for a in conversion.accounts} == set(places(data))
        text = account_text(conversion)
        for account in conversion.accounts:
            assert account.carried or account.remark
            assert f"  {account.leaf.old}: " in text
    assert done > 100  # the others hold values that no key takes


def test_an_unknown_field_is_named_with_the_closest_known_one():
    conversion = converted(old("stage1") | {"training": {"batch_sise": 8, "qqqq": 1}})
    remarks = {a.leaf.old: a.remark for a in conversion.accounts if not a.carried}
    assert remarks["training.batch_sise"] == "not known; did you mean training.batch_size?"
    assert "not known" in remarks["training.qqqq"]


def test_flags_count_before_the_file_and_the_file_is_told_so():
    flags = {"--diffusion_epochs": 5, "--seed": 3, "--num_iterations": 4, "--resume": True}
    conversion = converted(old("rounds") | {"training": {"epochs": 9}}, flags)
    experiment = conversion.experiment
    assert experiment["diffusion"]["epochs"] == 5
    assert (experiment["seed"], experiment["iterations"]) == (3, 4)
    remarks = {a.leaf.old: a.remark for a in conversion.accounts if not a.carried}
    assert "--diffusion_epochs says 5" in remarks["training.epochs"]
    assert "run the same command again" in remarks["--resume"]


def test_what_is_said_of_one_stage_counts_before_what_is_said_of_all():
    conversion = converted(old("stage3"))
    assert conversion.experiment["diffusion"]["epochs"] == 10
    remarks = {a.leaf.old: a.remark for a in conversion.accounts if not a.carried}
    assert "adversarial.diffusion_finetune.epochs says 10" in remarks["train.epochs"]


def test_stage_2_goes_before_stage_1():
    conversion = converted(old("stage3"))
    assert conversion.experiment["start_from"] == "/old/stage2_directory"
    (entry,) = conversion.config["autoencoders"].values()
    assert (entry["start_from"], entry["epochs"]) == ("/old/ae_directory", 0)


def test_checkpoints_of_weights_are_to_be_imported_first():
    conversion = converted(old("rounds"))
    text = account_text(conversion)
    directory = conversion.experiment["start_from"]
    assert "/" in directory  # a model directory, which the workflow refuses until it is there
    assert f"--output {directory}" in text
    assert "--schedule linear --num-timesteps 1000" in text
    assert "after saving its state_dict" in text  # a .ckpt can be opened only where it was made


@pytest.mark.parametrize("name", ["stage1", "rounds"])
@pytest.mark.parametrize("timesteps", [15, 49, 50, 60])
def test_no_sampler_takes_more_steps_than_the_old_schedule_has(name, timesteps):
    """The workflow refuses it; the defaults are 50 for a grid and for the fakes."""
    data = old(name)
    data["diffusion"]["scheduler"]["num_steps"] = timesteps
    conversion = converted(data)
    grid, fakes, selection = STEPS
    assert conversion.has(grid) == (timesteps < 50)
    assert conversion.has(selection) == (name == "rounds" and timesteps < 50)
    assert conversion.has(fakes) == (timesteps < 50 and name == "rounds")
    for key in filter(conversion.has, STEPS):
        assert at(conversion, key) == timesteps
        assert f"{key} is all the timesteps" in account_text(conversion)
    data["training"]["sample_steps"] = timesteps - 1
    assert at(converted(data), grid) == timesteps - 1


def test_an_experiment_to_start_from_brings_its_own_data():
    conversion = converted(old("rounds"), start_from="stage1_mine")
    assert conversion.experiment["start_from"] == "stage1_mine"
    assert not {"dataset", "autoencoder"} & conversion.experiment.keys()
    assert conversion.config == {"datasets": {}, "autoencoders": {}}
    assert "import" not in account_text(conversion)


def test_entries_that_are_there_already_are_used():
    conversion = converted(old("stage1"), dataset="mine", autoencoder="mine_kl")
    assert conversion.experiment["dataset"] == "mine"
    assert conversion.experiment["autoencoder"] == "mine_kl"
    assert conversion.config == {"datasets": {}, "autoencoders": {}}
    assert "dataset.manifest" in {a.leaf.old for a in conversion.accounts if not a.carried}


def test_training_on_from_a_checkpoint_without_other_losses_is_its_own_control():
    data = old("semantic")
    data["training"]["loss"] = "MSELoss"
    experiment = converted(data).experiment
    assert experiment["kind"] == "finetune"
    assert set(experiment["semantic"].values()) == {0.0}


@pytest.mark.parametrize(
    ("data", "asked", "expected"),
    [
        ({}, {}, "holds nothing"),
        ({"training": {"epochs": 3}}, {}, "dataset.manifest is missing"),
        (old("stage1") | {"training": {"batch_size": 0}}, {}, "it comes from training.batch_size"),
        (old("stage1") | {"experiment": {"seed": "x"}}, {}, "it comes from experiment.seed"),
        (old("stage1") | {"dataset": {"manifest": "m.csv", "image_size": 4}}, {}, "image_size"),
        (old("stage1"), {"kind": "adversarial"}, "--start-from"),
        (old("stage1"), {"name": "latents"}, "folder of results"),
        (old("stage1"), {"name": "a-b"}, "letters, digits and _"),
    ],
)
def test_what_would_not_validate_is_refused_in_one_line(data, asked, expected):
    assert expected in refusal(data, **asked)


def test_of_two_spellings_of_a_part_one_counts_and_the_other_is_named():
    data = old("stage1")
    data["diffusion"]["unet"] = {"base_width": 32, "base_channels": 64, "depth": 4}
    conversion = converted(data)
    assert conversion.experiment["denoiser"] == {"preset": "unet64_d4"}
    remarks = {a.leaf.old: a.remark for a in conversion.accounts if not a.carried}
    assert "diffusion.unet.base_channels says 64" in remarks["diffusion.unet.base_width"]
