"""YAML into settings: what is refused says file, key, value found and the way out, in one line."""

import datetime

import pytest

from sparring.errors import UserError
from sparring.settings.config import Config
from sparring.settings.experiment import ExperimentUnion
from sparring.settings.reading import numbers, read_yaml, validate

PRETRAIN = {"kind": "pretrain", "dataset": "d", "autoencoder": "a"}
ADVERSARIAL = {"kind": "adversarial", "start_from": "base"}
CONFIG = {
    "experiments": ["demo"],
    "datasets": {"d": {"kind": "procedural"}},
    "autoencoders": {"a": {"dataset": "d"}},
}


def refusal(data, expected=ExperimentUnion) -> str:
    """The one line that refuses some settings."""
    with pytest.raises(UserError) as caught:
        validate(data, expected, "exp.yaml")
    message = str(caught.value)
    assert message.startswith("exp.yaml: ")
    assert "\n" not in message
    return message


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"sed": 3}, "unknown key 'sed'; did you mean 'seed'?"),
        ({"diffusion": {"epohcs": 3}}, "'diffusion.epohcs'; did you mean 'epochs'?"),
        ({"diffusion": {"sample_grid": {"steps": 3}}}, "did you mean 'num_steps'?"),
        ({"qqqqqq": 3}, "unknown key 'qqqqqq'; config/README.md lists all keys"),
    ],
)
def test_an_unknown_key_is_named_with_the_closest_one_that_exists(change, expected):
    assert expected in refusal(PRETRAIN | change)


def test_a_key_of_another_group_is_told_where_it_belongs():
    """Suggesting the misplaced key itself would help nobody."""
    assert refusal(PRETRAIN | {"learning_rate": 1e-3}).endswith(
        "did you mean 'diffusion.learning_rate'?"
    )
    message = refusal(ADVERSARIAL | {"learning_rate": 1e-3})
    assert "'diffusion.learning_rate'" in message
    assert "'discriminator.learning_rate'" in message


def test_a_key_of_another_kind_of_experiment_is_not_suggested():
    message = refusal(PRETRAIN | {"iterations": 3})
    assert "unknown key 'iterations'" in message
    assert "did you mean 'iterations'" not in message


def test_suggestions_reach_into_lists_and_named_entries():
    overrides = {"overrides": [{"iteration": 1, "discriminator": {"epoch": 3}}]}
    message = refusal(ADVERSARIAL | overrides)
    assert "'overrides.0.discriminator.epoch'; did you mean 'epochs'?" in message
    datasets = {"datasets": {"d": {"kind": "procedural", "num_layout": 100}}}
    message = refusal(CONFIG | datasets, Config)
    assert "'datasets.d.num_layout'; did you mean 'num_layouts'?" in message


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (
            {"diffusion": {"epochs": "ten"}},
            'diffusion.epochs: found "ten"; input should be a valid',
        ),
        (
            {"diffusion": {"epochs": 5.5}},
            "diffusion.epochs: found 5.5; input should be a valid int",
        ),
        (
            {"diffusion": {"augmented": 1}},
            "diffusion.augmented: found 1; input should be a valid bool",
        ),
        ({"diffusion": []}, "diffusion: found []; input should be an object"),
        ({"diffusion": None}, "diffusion: found null"),
        ({"dataset": 5}, "dataset: found 5; input should be a valid string"),
        ({"seed": datetime.date(2024, 1, 1)}, 'seed: found "2024-01-01"; input should be a valid'),
    ],
)
def test_a_wrong_type_is_named_with_the_value_found(change, expected):
    assert expected in refusal(PRETRAIN | change)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"diffusion": {"epochs": 0}}, "diffusion.epochs: found 0; input should be greater than"),
        ({"diffusion": {"learning_rate": 0}}, "diffusion.learning_rate: found 0"),
        ({"diffusion": {"ema_decay": 1}}, "diffusion.ema_decay: found 1; input should be less"),
        ({"diffusion": {"max_grad_norm": float("inf")}}, "diffusion.max_grad_norm: found Infinity"),
        ({"diffusion": {"weight_decay": float("nan")}}, "diffusion.weight_decay: found NaN"),
        ({"diffusion": {"learning_rate": "1e999"}}, "input should be a finite number"),
        ({"denoiser": {"preset": "unet1"}}, 'denoiser.preset: found "unet1"; input should be '),
    ],
)
def test_a_value_out_of_range_is_named_with_the_range(change, expected):
    assert expected in refusal(PRETRAIN | change)


@pytest.mark.parametrize("kind", ["tune", None, 3])
def test_a_wrong_kind_lists_the_kinds_there_are(kind):
    message = refusal(PRETRAIN | {"kind": kind})
    assert "kind: found" in message
    assert "'pretrain'" in message
    assert "'adversarial'" in message


def test_a_missing_kind_lists_the_kinds_there_are():
    assert "kind: found null; expected one of 'adversarial', 'finetune', 'pretrain'" in refusal(
        {"dataset": "d"}
    )
    message = refusal(CONFIG | {"datasets": {"d": {"size": 64}}}, Config)
    kinds = "'manifest', 'nifti', 'phantoms', 'procedural'"
    assert f"datasets.d.kind: found null; expected one of {kinds}" in message


def test_a_missing_key_is_named():
    assert "'autoencoder' is missing" in refusal({"kind": "pretrain", "dataset": "d"})


def test_several_problems_are_one_line_that_counts_them():
    message = refusal(PRETRAIN | {"diffusion": {"epochs": 0, "batch_size": 0, "ema_decay": 2}})
    assert "diffusion.epochs" in message
    assert message.endswith("(and 2 more)")


@pytest.mark.parametrize("text", ["1e-4", "1E-4", "1.0e-4", "+1e-4", ".1e-3", "1.e-4"])
def test_an_exponent_is_a_number_however_it_is_spelt(tmp_path, text):
    """YAML 1.1 reads 1e-4 as text."""
    path = tmp_path / "exp.yaml"
    path.write_text(
        f"kind: pretrain\ndataset: d\nautoencoder: a\ndiffusion: {{learning_rate: {text}}}\n"
    )
    experiment = validate(read_yaml(path), ExperimentUnion, str(path))
    assert experiment.diffusion.learning_rate == pytest.approx(1e-4, rel=1e-12)


@pytest.mark.parametrize("text", ["e4", "1e", "run1e4", "1e4x", "1-4", ""])
def test_text_that_only_resembles_a_number_stays_text(text):
    assert numbers({"a": [text]}) == {"a": [text]}


def test_integer_keys_are_refused_with_the_key():
    assert "key 5 is not text; put it in quotes" in refusal(PRETRAIN | {5: 1})
    assert "'diffusion.5'" in refusal(PRETRAIN | {"diffusion": {5: 1}})


def test_overrides_written_as_a_mapping_by_iteration_are_refused():
    message = refusal(ADVERSARIAL | {"overrides": {1: {"discriminator": {"epochs": 1}}}})
    assert 'overrides: found {"1"' in message


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"a: [1", "not valid YAML"),
        (b"a: !!python/object/apply:os.getcwd []", "not valid YAML"),
        (b"- a\n- b\n", "found list, expected keys and values"),
        (b"", "found NoneType, expected keys and values"),
        ("name: Küche".encode("latin-1"), "not UTF-8 text"),
    ],
)
def test_a_file_that_is_no_mapping_is_named(tmp_path, content, expected):
    path = tmp_path / "exp.yaml"
    path.write_bytes(content)
    with pytest.raises(UserError) as caught:
        read_yaml(path)
    assert str(path) in str(caught.value)
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r"none\.yaml: cannot be read \(No such file"):
        read_yaml(tmp_path / "none.yaml")


@pytest.mark.parametrize("key", ["experiments", "datasets", "autoencoders"])
def test_names_that_cannot_be_folders_of_the_workflow_are_refused(key):
    """Names become wildcards: a hyphen would only fail later, as a missing input."""
    entry = CONFIG[key]
    bad = ["a-b"] if isinstance(entry, list) else {"a-b": next(iter(entry.values()))}
    message = refusal(CONFIG | {key: bad}, Config)
    assert f"{key}: name 'a-b' may hold only letters, digits and _" in message


def test_a_key_that_stands_twice_is_refused(tmp_path):
    path = tmp_path / "twice.yaml"
    path.write_text("seed: 1\nkind: pretrain\nseed: 2\n")
    with pytest.raises(UserError, match=r"twice\.yaml.*'seed' is given twice"):
        read_yaml(path)
