"""Options of stage programs: settings by hand, outputs in one folder, what a digest is made of."""

import json
from pathlib import Path

import pytest

from sparring.errors import UserError
from sparring.settings.stages import (
    EncodeLayouts,
    FinetuneDiffusion,
    PackLayouts,
    TrainAutoencoder,
    TrainDiscriminator,
)
from sparring.stages.by_hand import content_by_hand, settings_by_hand
from sparring.stages.parser import StageParser


def parser():
    made = StageParser("A stage.", "python it.py")
    made.add_input("--real-latents")
    made.add_input("--discriminator", settings="adversarial")
    made.add_argument("--output", type=Path, required=True)
    made.add_argument("--history", type=Path, required=True)
    made.add_folder("--output-dir", output="model", history="history.csv")
    made.add_setting("--epochs", key="discriminator.epochs", type=int)
    made.add_setting("--manifest", key="dataset.manifest", also={"dataset.kind": "manifest"})
    return made


def read(*words, kind=TrainDiscriminator):
    made = parser()
    return made, made.read(kind, ["--output-dir", "out", *words])


def settings(*words, kind=TrainDiscriminator):
    return settings_by_hand(kind, *read(*words, kind=kind))


def refusal(*words, kind=TrainDiscriminator):
    with pytest.raises(UserError) as caught:
        settings(*words, kind=kind)
    return str(caught.value)


def test_settings_come_from_a_file_and_single_keys_win(tmp_path):
    file = tmp_path / "settings.yaml"
    file.write_text("seed: 7\ndiscriminator: {epochs: 3, batch_size: 8}\n")
    got = settings("--settings", str(file), "--set", "discriminator.epochs=4")
    assert (got.seed, got.iteration) == (7, 0)
    assert (got.discriminator.epochs, got.discriminator.batch_size) == (4, 8)
    assert got.discriminator.learning_rate == 2e-4


def test_settings_may_stand_on_the_command_line():
    assert settings("--settings", "{seed: 3, discriminator: {epochs: 9}}").discriminator.epochs == 9


def test_what_a_stage_wrote_is_taken_as_it_is():
    told = TrainDiscriminator(seed=5, iteration=2)
    assert settings("--settings", told.to_json()) == told
    assert "settings are for stage 'encode_layouts'" in refusal(
        "--settings", EncodeLayouts().to_json()
    )


def test_values_are_yaml():
    got = settings("--set", "adversarial.objective=x0_bce", "--discriminator", "d",
                   "--set", "adversarial.timesteps=[0, 0.5]",
                   "--set", "diffusion.learning_rate=1e-3", kind=FinetuneDiffusion)  # fmt: skip
    assert got.adversarial.timesteps == (0, 0.5)
    assert got.diffusion.learning_rate == 1e-3


def test_short_options_set_their_key_and_what_goes_with_it():
    assert settings("--epochs", "2").discriminator.epochs == 2
    assert settings("--manifest", "a/b.csv", kind=PackLayouts).dataset.manifest == Path("a/b.csv")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--set", "discriminator.epoch=3"], "unknown key 'discriminator.epoch'; did you mean"),
        (["--set", "discriminator.epochs=x"], '--set: discriminator.epochs: found "x"'),
        (["--set", "epochs"], "--set: found 'epochs', expected KEY=VALUE"),
        (["--set", "seed={"], "--set seed: not valid YAML"),
        (["--epochs", "-1"], "--epochs: discriminator.epochs: found -1"),
        (["--settings", "missing.yaml"], "missing.yaml: cannot be read"),
        (["--settings", "{a: 1}"], "--settings: unknown key 'a'"),
        (["--set", "discriminator.warm_start=true"], "--set: discriminator.warm_start is not read"),
    ],
)
def test_faults_name_the_option_and_the_key(words, expected):
    assert expected in refusal(*words)
    assert "\n" not in refusal(*words)


def test_a_key_of_the_other_kind_of_dataset_is_named_without_that_kind():
    assert "unknown key 'dataset.manifest'" in refusal(
        "--set", "dataset.manifest=a", kind=PackLayouts
    )


@pytest.mark.parametrize(
    ("kind", "found"),
    [
        (TrainDiscriminator, lambda s: s.seed),
        (TrainAutoencoder, lambda s: s.autoencoder.seed),
        (PackLayouts, lambda s: s.dataset.seed),
    ],
)
def test_the_seed_reaches_the_key_that_the_stage_draws_by(kind, found):
    assert found(settings("--seed", "17", kind=kind)) == 17


def test_a_seed_for_a_stage_that_draws_nothing_is_refused():
    assert "encode_layouts draws no random numbers" in refusal("--seed", "1", kind=EncodeLayouts)


def test_an_input_brings_in_the_settings_that_it_is_for_and_they_need_it():
    assert settings(kind=FinetuneDiffusion).adversarial is None
    assert settings("--discriminator", "d", kind=FinetuneDiffusion).adversarial.weight == 0.1
    told = refusal("--set", "adversarial.weight=0.3", kind=FinetuneDiffusion)
    assert "--discriminator is missing: adversarial is set" in told


def test_the_workflow_s_settings_are_not_completed_by_inputs():
    """An objective may need no discriminator, and the control arm has neither."""
    told = FinetuneDiffusion(seed=1, iteration=0)
    got = settings("--settings", told.to_json(), "--discriminator", "d", kind=FinetuneDiffusion)
    assert got == told


def test_underscores_in_options_are_dashes_and_values_stay():
    made = parser()
    words = ["--output_dir=a_b", "--real_latents", "c_d.h5", "--set", "discriminator.batch_size=8"]
    args = made.read(TrainDiscriminator, words)
    assert (args.output, args.real_latents) == (Path("a_b/model"), Path("c_d.h5"))
    assert settings_by_hand(TrainDiscriminator, made, args).discriminator.batch_size == 8


def test_a_folder_places_the_outputs_that_are_not_named():
    _, args = read("--history", "h.csv")
    assert (args.output, args.history) == (Path("out/model"), Path("h.csv"))


def test_an_output_without_a_place_is_a_usage_error(capsys):
    with pytest.raises(SystemExit) as caught:
        parser().read(TrainDiscriminator, ["--output", "m"])
    assert caught.value.code == 2
    assert "required: --history or --output-dir" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["--set", "seed=1"], ["--epochs", "3"], ["--device", "cpu"]])
def test_a_job_file_and_settings_by_hand_exclude_each_other(words, capsys):
    with pytest.raises(SystemExit):
        read("--job", "job.json", *words)
    assert f"{words[0]}: the file that --job names says it" in capsys.readouterr().err


def content(*words, kind=TrainDiscriminator):
    made, args = read(*words, kind=kind)
    return args, content_by_hand(settings_by_hand(kind, made, args), made, args)


def test_defaults_of_how_it_runs_are_the_configuration_s():
    args, told = content()
    assert (told["device"], told["precision"], told["checkpoint_minutes"]) == ("cuda", "auto", 5.0)
    assert told["record"] == "out/settings/train_discriminator.json"
    state = args.job.parent
    assert state.parent == Path("state/by_hand")
    assert told["log"] == f"{state}.log"


def test_options_say_where_and_how_it_runs():
    args, told = content("--state", "s", "--log", "l.log", "--record", "r/settings/x.json",
                         "--device", "cpu", "--lock-timeout-seconds", "9")  # fmt: skip
    assert args.job == Path("s/job.json")
    assert (told["log"], told["record"]) == ("l.log", "r/settings/x.json")
    assert (told["device"], told["lock_timeout_seconds"]) == ("cpu", 9.0)


def test_other_outputs_have_another_state_and_the_same_ones_the_same(tmp_path, monkeypatch):
    here = content()[0].job
    assert content()[0].job == here
    assert content("--history", "other.csv")[0].job != here
    monkeypatch.chdir(tmp_path)
    assert content()[0].job != here


def test_the_record_lies_in_an_output_directory_that_is_the_only_output():
    made = StageParser(None)
    made.add_argument("--output", type=Path)
    args = made.read(EncodeLayouts, ["--output", "a/model"])
    assert content_by_hand(EncodeLayouts(), made, args)["record"].startswith("a/model/settings/")


def test_the_digest_is_the_one_of_the_same_work_in_the_workflow(tmp_path):
    """So finished work and saved states are known again from either side."""
    latents = tmp_path / "real.h5"
    latents.write_text("latents")
    inputs = ["--real-latents", str(latents)]
    outputs = ["--output", "out/model", "--history", "out/history.csv"]
    told = TrainDiscriminator.from_json(
        '{"stage": "train_discriminator", "revision": 1, "seed": 42, "iteration": 0, '
        '"discriminator": {"epochs": 2}}',
        "test",
    )
    made = parser()
    args = made.read(TrainDiscriminator, [*inputs, *outputs, "--job", "x/job.json"])
    by_workflow = made.work_digest(told, args)
    made, args = read(*inputs, "--history", "out/history.csv", "--epochs", "2", "--state", "s",
                      "--device", "cpu", "--threads", "3")  # fmt: skip
    by_hand = settings_by_hand(TrainDiscriminator, made, args)
    assert by_hand == told
    assert made.work_digest(by_hand, args) == by_workflow
    args.output = Path("out/another")
    assert made.work_digest(by_hand, args) != by_workflow
    args.output = Path("out/model")
    latents.write_text("others")
    assert made.work_digest(by_hand, args) != by_workflow


def test_the_content_by_hand_has_what_a_job_file_must_have():
    from sparring.stages.job import _CONTENT

    assert set(content()[1]) == _CONTENT | {"tracker", "execution"}
    json.dumps(content()[1])
