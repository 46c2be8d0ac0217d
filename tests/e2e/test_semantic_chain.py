"""Stage 1, semantic stage 2 and stage 3 from one call, on the real program."""

import json

import numpy as np
import pandas as pd
import pytest
from workspace import LOCAL, job

from sparring.artefacts.digests import model_digest
from sparring.artefacts.latents import latents_info


@pytest.fixture(scope="module")
def chain(shared_run, tmp_path_factory):
    """The finished micro run, gone on with: base -> semantic -> stage3."""
    run = shared_run.copied(tmp_path_factory.mktemp("chain"))
    micro = run.experiments["micro"]
    diffusion = micro["diffusion"] | {"epochs": 2, "sample_interval": 0}
    taught = {key: value for key, value in diffusion.items() if not key.startswith("selection")}
    run.experiments["semantic"] = {
        "kind": "finetune", "start_from": "base",
        "diffusion": taught | {"eval_interval": 1, "learning_rate": 1e-3},
        "sampling": micro["sampling"], "evaluation": micro["evaluation"],
    }  # fmt: skip
    run.experiments["stage3"] = micro | {
        "start_from": "semantic", "fakes_from": "base", "control": False, "semantic": {},
        "diffusion": diffusion,
    }  # fmt: skip
    run.config["experiments"] = ["semantic", "stage3"]
    done = run.snakemake(*LOCAL)
    assert done.returncode == 0, done.stdout + done.stderr
    return run


def test_the_stage_trains_on_every_term(chain):
    history = pd.read_csv(chain / "results/semantic/diffusion_history.csv")
    for term in ("noise_loss", "segmentation_loss", "perceptual_loss", "segmentation_accuracy"):
        assert (history[f"train_{term}"].iloc[1:] > 0).all(), term
        assert history[f"val_{term}"].nunique() == len(history), term
    assert history["val_noise_loss"].iloc[-1] < history["val_noise_loss"].iloc[0]


def test_rounds_go_on_from_the_semantic_model_with_fakes_of_stage_one(chain):
    first = chain / "results/stage3/adversarial/iteration_0"
    second = chain / "results/stage3/adversarial/iteration_1"
    sources = [
        latents_info(place / "fake_latents.h5").attributes["source_digest"]
        for place in (first, second)
    ]
    assert sources == [
        model_digest(chain / "results/base/denoiser"),
        model_digest(first / "denoiser"),
    ]
    start = latents_info(chain / "results/stage3/start/evaluation_latents.h5").attributes
    assert start["source_digest"] == model_digest(chain / "results/semantic/denoiser")


def test_stage_three_has_all_four_losses(chain):
    history = pd.read_csv(chain / "results/stage3/adversarial/iteration_0/diffusion_history.csv")
    terms = ("noise_loss", "segmentation_loss", "perceptual_loss", "discriminator_loss")
    for term in terms:
        assert np.isfinite(history[f"train_{term}"].iloc[1:]).all(), term


@pytest.mark.parametrize("name", ["semantic", "stage3"])
def test_decoded_samples_and_predictions_are_reported_before_and_after(chain, name):
    table = pd.read_csv(chain / f"results/{name}/evaluation.csv").set_index("model")
    after = "trained" if name == "semantic" else "adversarial/iteration_1"
    for model in ("start", after):
        for figure in ("palette_purity", "head_agreement", "segmentation_accuracy"):
            assert 0 <= table.loc[model, figure] <= 1
    assert 0 <= table.loc["decoded_reals", "palette_purity"] <= 1
    assert np.isnan(table.loc["reals", "palette_purity"])  # originals are never decoded
    assert np.isnan(table.loc["reals", "segmentation_accuracy"])
    for picture in ("samples.png", "evaluation.png"):
        assert (chain / f"results/{name}/{picture}").stat().st_size > 1000


def test_predictions_of_one_model_are_the_same_wherever_it_is_judged(chain):
    places = ("semantic/trained", "stage3/start")
    figures = [json.loads((chain / f"results/{p}/layouts.json").read_text()) for p in places]
    assert figures[0] == figures[1]


def test_nothing_is_left_to_do_and_an_edit_plans_what_follows(chain):
    assert chain.plan() == set()
    chain.experiments["semantic"]["semantic"] = {"segmentation_weight": 0.2}
    planned = chain.plan()
    assert job("finetune_semantic", experiment="semantic") in planned
    assert job("sample_fake", experiment="stage3", iteration=0) not in planned
    assert not {rule for rule, _ in planned} & {"pretrain_diffusion", "train_autoencoder"}
