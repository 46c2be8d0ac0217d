"""Combinations within one experiment or entry, and overrides of single iterations."""

import pytest

from sparring.errors import UserError
from sparring.settings.config import Config
from sparring.settings.experiment import ExperimentUnion
from sparring.settings.reading import validate


def experiment(**keys):
    base = {"kind": "adversarial", "start_from": "base", "iterations": 3}
    return validate(base | keys, ExperimentUnion, "exp.yaml")


def pretrain(**keys):
    base = {"kind": "pretrain", "dataset": "d", "autoencoder": "a"}
    return validate(base | keys, ExperimentUnion, "exp.yaml")


def config(**keys):
    base = {"experiments": ["x"], "datasets": {}, "autoencoders": {}}
    return validate(base | keys, Config, "config.yaml")


def test_an_override_changes_its_iteration_and_no_other():
    override = {
        "iteration": 1,
        "num_samples": 10,
        "discriminator": {"epochs": 20},
        "diffusion": {"learning_rate": 3e-5},
    }
    e = experiment(
        num_samples=50, discriminator={"epochs": 7, "num_layers": 2}, overrides=[override]
    )
    assert [e.num_samples_at(n) for n in range(3)] == [50, 10, 50]
    assert [e.discriminator_at(n).epochs for n in range(3)] == [7, 20, 7]
    assert [e.diffusion_at(n).learning_rate for n in range(3)] == [5e-5, 3e-5, 5e-5]
    # What the override does not name stays the experiment's.
    assert e.discriminator_at(1).num_layers == 2
    assert e.discriminator_at(1).learning_rate == e.discriminator.learning_rate
    assert e.diffusion_at(1).epochs == e.diffusion.epochs


def test_an_override_of_zero_is_not_mistaken_for_none():
    e = experiment(overrides=[{"iteration": 2, "discriminator": {"epochs": 0}}])
    assert [e.discriminator_at(n).epochs for n in range(3)] == [50, 50, 0]


def test_an_override_beyond_the_last_iteration_is_refused():
    with pytest.raises(
        UserError, match=r"overrides: iteration 3 does not exist, the last of 3 is 2"
    ):
        experiment(overrides=[{"iteration": 3, "num_samples": 10}])


def test_an_iteration_overridden_twice_is_refused():
    with pytest.raises(UserError, match=r"exp\.yaml: overrides: iteration 1 is listed twice"):
        experiment(overrides=[{"iteration": 1, "num_samples": 10}, {"iteration": 1}])


def test_overrides_hold_the_ranges_of_what_they_override():
    with pytest.raises(UserError, match=r"overrides\.0\.discriminator\.epochs: found -1"):
        experiment(overrides=[{"iteration": 1, "discriminator": {"epochs": -1}}])


def test_keys_that_shape_the_network_cannot_be_overridden_per_iteration():
    with pytest.raises(UserError, match=r"unknown key 'overrides\.0\.discriminator\.num_layers'"):
        experiment(overrides=[{"iteration": 1, "discriminator": {"num_layers": 2}}])


def test_no_iterations_are_refused():
    with pytest.raises(UserError, match=r"iterations: found 0; input should be greater than"):
        experiment(iterations=0)


def test_zero_terminal_snr_needs_v_prediction():
    """At zero SNR the noise prediction says nothing about x0."""
    with pytest.raises(UserError, match=r"noise_schedule: zero_terminal_snr needs prediction: v"):
        pretrain(noise_schedule={"zero_terminal_snr": True})
    kept = pretrain(noise_schedule={"zero_terminal_snr": True, "prediction": "v"})
    assert kept.noise_schedule.zero_terminal_snr


def test_falling_betas_are_refused():
    with pytest.raises(UserError, match=r"beta_end 0\.01 is below beta_start 0\.02"):
        pretrain(noise_schedule={"beta_start": 0.02, "beta_end": 0.01})


@pytest.mark.parametrize("timesteps", [[0.2, 0.2], [0.5, 0.1], [0, 1.5], [-0.1, 0.5]])
def test_an_empty_or_outside_range_of_timesteps_is_refused(timesteps):
    with pytest.raises(UserError, match=r"adversarial: timesteps is \[.*expected 0 <= from < to"):
        experiment(adversarial={"timesteps": timesteps})


def test_split_fractions_must_sum_to_one():
    datasets = {"d": {"kind": "procedural", "split": {"train": 0.5}}}
    with pytest.raises(UserError, match=r"datasets\.d\.split: train \+ val \+ test is 0\.7, exp"):
        config(datasets=datasets)


def test_norm_groups_must_divide_the_autoencoder_s_widths():
    with pytest.raises(
        UserError, match=r"autoencoders\.a: block_out_channels 32 .* norm_num_groups 7"
    ):
        config(autoencoders={"a": {"dataset": "d", "norm_num_groups": 7}})


def test_an_autoencoder_that_is_neither_trained_nor_given_is_refused():
    with pytest.raises(UserError, match=r"autoencoders\.a: epochs is 0 without start_from"):
        config(autoencoders={"a": {"dataset": "d", "epochs": 0}})
    config(autoencoders={"a": {"dataset": "d", "epochs": 0, "start_from": "models/kl"}})


def test_a_configuration_without_experiments_is_refused():
    with pytest.raises(UserError, match=r"config\.yaml: experiments: found \[\]"):
        config(experiments=[])


@pytest.mark.parametrize("beta", [0, -1, "much", True, None, [0.1]])
def test_beta_is_auto_or_a_number_above_0(beta):
    for fine in ("auto", 0.1, 2, "1e-3"):
        assert experiment(adversarial={"beta": fine}).adversarial.beta in (fine, 1e-3)
    with pytest.raises(UserError, match=r"beta: found .* expected auto or a number above 0") as e:
        experiment(adversarial={"beta": beta})
    assert "more)" not in str(e.value)  # one refusal, not one per form


def test_a_single_sample_chooses_no_epoch():
    for count in (0, 2):
        assert experiment(diffusion={"selection_samples": count}).diffusion
    with pytest.raises(UserError, match=r"selection_samples is 1, .* or 0 to choose"):
        experiment(diffusion={"selection_samples": 1})


@pytest.mark.parametrize(
    ("control", "weight", "arm"), [(True, 0.1, "control"), (False, 0, "adversarial")]
)
def test_an_arm_without_any_loss_is_refused(control, weight, arm):
    experiment = {
        "kind": "adversarial",
        "start_from": "base",
        "control": control,
        "diffusion": {"noise_weight": 0},
        "adversarial": {"objective": "x0_bce", "weight": weight},
    }
    with pytest.raises(UserError, match=f"noise_weight is 0, so the {arm} arm has nothing"):
        validate(experiment, ExperimentUnion, "x.yaml")
