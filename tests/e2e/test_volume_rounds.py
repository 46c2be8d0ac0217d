"""Micro rounds on the latents of a micro VQ-GAN, on the real program."""

import json
import re
import subprocess
import sys
from copy import deepcopy

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from run_files import BASELINES
from test_vqgan import EXPERIMENT
from workspace import EXPERIMENTS, LOCAL, REPOSITORY, Workspace, job

from sparring.artefacts.latents import latents_info, read_column, read_latents
from sparring.artefacts.models import load_model
from sparring.artefacts.sample_pictures import read_pictures
from sparring.models.discriminator import LatentDiscriminator
from sparring.models.unet3d import UNet3DModel

ROUNDS = deepcopy(EXPERIMENTS["micro"]) | {
    "start_from": "vol_base",
    "iterations": 1,
    "num_samples": 16,
    "sampling": {"num_steps": 3, "batch_size": 8},
}
ROUNDS["discriminator"] |= {"num_layers": 2}
ROUNDS["diffusion"] |= {"epochs": 2, "batch_size": 16}
ROUNDS["evaluation"] |= {"num_samples": 16, "feature_dim": 2}


def workspace_in(folder):
    """Phantoms of 32 voxels in patches of 16, latents [4, 4, 4, 4]."""
    run = Workspace(folder, folder)
    run.config |= {"experiments": ["vol_rounds"], "autoencoders": {}}
    split = {"train": 0.5, "val": 0.1, "test": 0.4}
    run.config["datasets"] = {
        "phantoms": {"kind": "phantoms", "num_volumes": 10, "size": 32, "split": split}
    }
    run.experiments = {
        "vol": EXPERIMENT | {"steps": 4, "adversarial": None},
        "vol_base": {
            "kind": "pretrain",
            "dataset": "phantoms",
            "autoencoder": "vol",
            "denoiser": {"preset": "unet3d_tiny"},
            "diffusion": {"epochs": 1, "batch_size": 16, "sample_interval": 0},
        },
        "vol_rounds": deepcopy(ROUNDS),
    }
    return run


TARGETS = ("all", "results/vol_rounds/pipeline/model_index.json")
PLACE = "results/vol_rounds/adversarial/iteration_0"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The finished rounds, with their pipeline."""
    run = workspace_in(tmp_path_factory.mktemp("volume_rounds"))
    done = run.snakemake(*LOCAL, *TARGETS)
    assert done.returncode == 0, done.stdout + done.stderr
    return run


def test_fakes_are_latents_of_the_vqgan_like_the_reals(made):
    reals, fakes = (latents_info(made / f"{PLACE}/{w}_latents.h5") for w in ("real", "fake"))
    assert reals.shape == fakes.shape == (4, 4, 4, 4)
    assert reals.count == fakes.count == 16
    encoded = latents_info(made / "results/vol/reconstruction/latents/train.h5")
    assert {i.autoencoder_digest for i in (reals, fakes)} == {encoded.autoencoder_digest}
    train = read_latents(encoded.path)
    rows = {row.tobytes() for row in train}
    assert all(row.tobytes() in rows for row in read_latents(reals.path))
    patients = set(read_column(reals.path, "original_id"))
    held_out = read_column(made / "results/vol/reconstruction/latents/test.h5", "original_id")
    assert not patients & set(held_out)


def test_both_arms_leave_denoisers_of_volumes(made):
    weights = {}
    for arm in ("adversarial", "control"):
        place = made / f"results/vol_rounds/{arm}/iteration_0"
        model = load_model(UNet3DModel, place / "denoiser_latest")
        assert tuple(model.config.sample_size) == (4, 4, 4)
        weights[arm] = model.network.out[2].conv.weight
        history = pd.read_csv(place / "diffusion_history.csv")
        assert ("train_discriminator_loss" in history) == (arm == "adversarial")
        assert np.isfinite(history["val_noise_loss"].iloc[-1])
    assert not (weights["adversarial"] == weights["control"]).all()
    critic = load_model(LatentDiscriminator, made / f"{PLACE}/discriminator")
    assert critic.config.spatial_dims == 3


def test_samples_are_shown_as_three_planes_and_measured_as_volumes(made):
    shown = read_pictures(made / "results/vol_rounds/samples.h5")
    assert shown.names[1:] == ("start", "adversarial/iteration_0", "control/iteration_0")
    height, width = shown.pictures.shape[2:4]
    assert (height, width) == (16, 3 * 16 + 2 * 2)
    assert shown.pictures.shape[1] == 4
    with Image.open(made / "results/vol_rounds/samples.png") as picture:
        assert picture.width > 4 * 3 * 64
    table = pd.read_csv(made / "results/vol_rounds/evaluation.csv").set_index("model")
    assert list(table.index) == ["reals", "decoded_reals", "start", *BASELINES, *shown.names[2:]]
    shares = table.filter(regex="^tissue_(air|lung|fat|soft|bone)$")
    assert np.allclose(shares.sum(axis=1), 1)
    assert (table["gradient_ratio"] > 0).all()
    assert not any("palette" in column for column in table)
    # the null: training volumes are like held-out ones
    assert table.loc["reals", "hu_distance"] < table.loc["start", "hu_distance"]
    assert json.loads((made / "results/vol_rounds/selected.json").read_text())["selected"]


def test_the_pipeline_is_exported_with_its_code(made):
    folder = made / "results/vol_rounds/pipeline"
    index = json.loads((folder / "model_index.json").read_text())
    assert index["_class_name"] == ["pipeline", "VolumeLDMPipeline"]
    for code in ("pipeline.py", "unet/unet3d.py", "vqvae/vqgan.py", "vqvae/codebook.py"):
        assert not re.search(r"^\s*(from|import) (sparring|\.\.)", (folder / code).read_text())
    card = (folder / "README.md").read_text()
    assert "trust_remote_code=True" in card
    assert "- `phantoms`: `{" in card
    assert "| train_vqgan_reconstruction | vol/reconstruction |" in card
    assert "16 x 16 x 16 voxels" in card


def test_nothing_is_left_and_a_change_plans_what_follows_it(made):
    assert made.plan(*TARGETS) == set()
    other = made.varied(made / "settings")
    other.experiments["vol_rounds"]["discriminator"]["epochs"] = 3
    after = {"finetune_diffusion", "sample_evaluation", "evaluate", "measure_volumes"}
    planned = other.plan(*TARGETS)
    assert job("train_discriminator", experiment="vol_rounds", iteration=0) in planned
    assert {r for r, w in planned if ("model", "adversarial/iteration_0") in w} <= after
    assert not [p for p in planned if ("arm", "control") in p[1]]
    assert not {"encode_volumes", "pretrain_diffusion", "sample_fake", "encode_real"} & {
        rule for rule, _ in planned
    }
    other.experiments = deepcopy(made.experiments)
    other.experiments["vol_rounds"]["iterations"] = 2
    assert not [r for r, w in other.plan() if ("iteration", "0") in w]


def test_a_directory_of_a_vqgan_plans_an_encoding_of_its_own(made):
    other = made.varied(made / "other_settings")
    place = "results/vol/reconstruction/vqgan"
    other.experiments["vol_base"] |= {"autoencoder": place, "patch_size": 32}
    other.experiments["vol_rounds"] |= {"num_samples": 5}
    planned = other.plan()
    (encode,) = [dict(w) for r, w in planned if r == "encode_volumes_given"]
    assert encode["dataset"] == "phantoms"
    assert encode["autoencoder"].endswith("_patch32")
    assert not {"pack_volumes", "train_vqgan_reconstruction"} & {rule for rule, _ in planned}


def test_a_denoiser_on_the_latents_goes_by_hand_too(made):
    """Pictures of samples of volumes."""
    command = [sys.executable, str(REPOSITORY / "workflow/scripts/sample.py"), "--device", "cpu"]
    command += [
        "--denoiser",
        f"{PLACE}/denoiser",
        "--autoencoder",
        "results/vol/reconstruction/vqgan",
    ]
    command += ["--num-samples", "2", "--num-steps", "2", "--output", "by_hand"]
    done = subprocess.run(command, cwd=made.directory, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    with Image.open(made / "by_hand/pictures/00001.png") as picture:
        assert picture.size == (3 * 16 + 2 * 2, 16)
