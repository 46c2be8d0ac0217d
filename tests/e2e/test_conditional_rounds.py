"""A condition in the dataset makes all that follows class-conditional, on the real program."""

import json
import subprocess
import sys

import numpy as np
import pytest
from workspace import LOCAL, REPOSITORY, job

from sparring.artefacts.latents import latents_info, read_conditions

NAMES = ["balcony", "no balcony"]


@pytest.fixture(scope="module")
def told(shared_run, tmp_path_factory):
    """The micro run's layouts again, told apart; its autoencoder serves, and is not trained again.

    Fakes come from two shards, predictions are decoded, the model is exported.
    """
    run = shared_run.copied(tmp_path_factory.mktemp("told") / "copy")
    run.config["datasets"]["told"] = run.config["datasets"]["tiny"] | {"condition": "balcony"}
    run.experiments["told_base"] = run.experiments["base"] | {"dataset": "told"}
    micro = run.experiments["micro"]
    run.experiments["told"] = micro | {
        "start_from": "told_base", "iterations": 1, "control": False, "semantic": {},
        "sampling": micro["sampling"] | {"guidance_scale": 2.0, "shards": 2},
    }  # fmt: skip
    run.config["experiments"] = ["told"]
    planned = run.plan()
    assert not {rule for rule, _ in planned} & {"train_autoencoder"}
    assert job("encode_layouts", dataset="told", autoencoder="tiny") in planned
    target = "results/told/pipeline/model_index.json"
    done = run.snakemake(*LOCAL, "all", target)
    assert done.returncode == 0, done.stdout + done.stderr
    return run


def test_networks_know_the_conditions(told):
    place = told / "results/told/adversarial/iteration_0"
    configs = [
        json.loads((place / name / "config.json").read_text())
        for name in ("denoiser", "discriminator")
    ]
    assert configs[0]["num_class_embeds"] == len(NAMES) + 1
    assert configs[1]["num_conditions"] == len(NAMES)


def test_reals_and_fakes_have_conditions_as_often_as_the_training_data(told):
    latents, place = told / "results/latents/told-tiny", "results/told/adversarial/iteration_0"
    files = [latents / "train.h5", *(told / place / f"{n}_latents.h5" for n in ("real", "fake"))]
    shares = []
    for path in files:
        info = latents_info(path)
        assert info.conditions == NAMES
        numbers = read_conditions(info)
        assert set(numbers) == {0, 1}
        shares.append(np.mean(numbers == 0))
    assert abs(shares[1] - shares[0]) < 0.25
    assert abs(shares[2] - shares[0]) < 0.25


def test_every_model_is_judged_on_samples_of_the_same_conditions(told):
    models = ("start", "adversarial/iteration_0")
    files = [told / f"results/told/{model}/evaluation_latents.h5" for model in models]
    first, second = (read_conditions(latents_info(path)) for path in files)
    assert np.array_equal(first, second)


def test_nothing_is_left_to_do_and_other_guidance_samples_again(told):
    assert told.plan() == set()
    sampling = told.experiments["told"]["sampling"]
    told.experiments["told"]["sampling"] = sampling | {"guidance_scale": 3.0}
    planned = told.plan()
    told.experiments["told"]["sampling"] = sampling
    assert job("sample_evaluation", experiment="told", model="start") in planned
    assert not {rule for rule, _ in planned} & {"pretrain_diffusion", "encode_layouts"}


def test_one_condition_is_sampled_by_hand(told):
    command = [sys.executable, str(REPOSITORY / "workflow/scripts/sample.py"), "--device", "cpu"]
    command += ["--denoiser", "results/told_base/denoiser", "--num-steps", "2"]
    command += ["--autoencoder", "results/autoencoders/tiny", "--num-samples", "4"]
    command += ["--output", "by_hand", "--condition", NAMES[0]]

    def run(*more):
        return subprocess.run([*command, *more], cwd=told.directory, capture_output=True, text=True)

    refused = run()
    assert refused.returncode == 2
    assert "--conditions is missing" in refused.stderr
    done = run("--conditions", "results/latents/told-tiny/train.h5")
    assert done.returncode == 0, done.stderr
    assert list(read_conditions(latents_info(told / "by_hand/latents.h5"))) == [0] * 4


def test_the_exported_pipeline_brings_the_names(told):
    pipeline = told / "results/told/pipeline"
    index = json.loads((pipeline / "model_index.json").read_text())
    assert list(index["id2label"].values()) == NAMES
    assert (pipeline / "pipeline.py").is_file()
    assert "Conditions: balcony, no balcony" in (pipeline / "README.md").read_text()
