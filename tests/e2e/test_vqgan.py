"""A micro VQ-GAN on phantoms, both phases and its control, on the real program."""

import json
import subprocess
import sys

import nibabel
import numpy as np
import pandas as pd
import pytest
from workspace import LOCAL, REPOSITORY, Workspace, job

from sparring.artefacts.latents import latents_info, read_column, read_latents
from sparring.artefacts.models import load_model, read_tensors
from sparring.artefacts.volumes import Volumes
from sparring.models.patch_discriminator import PatchDiscriminator
from sparring.models.vqgan import VQGAN

EXPERIMENT = {
    "kind": "vqgan",
    "dataset": "phantoms",
    "model": {
        "channels": [4, 8, 8],
        "blocks": [0, 0, 1],
        "codebook": {"num_codes": 16, "code_dim": 4},
    },
    "steps": 8,
    "discriminator_iter_start": 4,
    "training": {
        "patch_size": 16,
        "eval_interval": 2,
        "val_patches": 4,
        "lr_warmup_steps": 0,
        "codebook": {"start_step": 1},
    },
    "adversarial": {"base_channels": 4, "num_layers": 2, "ramp_steps": 1},
    "inference": {"window": 16},
}
PHASES = ("reconstruction", "adversarial", "control")
MODEL = "vqgan/diffusion_pytorch_model.safetensors"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The finished experiment, with the latents of its adversarial model."""
    folder = tmp_path_factory.mktemp("volumes")
    run = Workspace(folder, folder)
    run.config |= {"experiments": ["vol"], "autoencoders": {}, "tracker": "tensorboard"}
    run.config["datasets"] = {"phantoms": {"kind": "phantoms", "num_volumes": 5, "size": 32}}
    run.experiments = {"vol": EXPERIMENT}
    done = run.snakemake(*LOCAL, "all", "results/vol/adversarial/latents/train.h5")
    assert done.returncode == 0, done.stdout + done.stderr
    return run


def test_every_phase_leaves_a_model_that_goes_on(made):
    weights = {p: read_tensors(made / f"results/vol/{p}/{MODEL}") for p in PHASES}
    for phase in PHASES:
        config = load_model(VQGAN, made / f"results/vol/{phase}/vqgan").config
        assert config.hu_window == [-1000, 1000]
        assert len(config.latents_std) == 4
        assert weights[phase]["codebook.initialised"]
    names = ("encoder.conv_out.weight", "decoder.conv_out.weight", "codebook.codes")
    for one, other in (("reconstruction", "adversarial"), ("adversarial", "control")):
        assert not any((weights[one][n] == weights[other][n]).all() for n in names)


def test_only_the_adversarial_arm_has_discriminators(made):
    for name, dims in (("image", 2), ("volume", 3)):
        place = f"adversarial/{name}_discriminator"
        assert (
            load_model(PatchDiscriminator, made / f"results/vol/{place}").config["spatial_dims"]
            == dims
        )
        assert not (made / f"results/vol/control/{name}_discriminator").exists()
    history = {p: pd.read_csv(made / f"results/vol/{p}/history.csv") for p in PHASES}
    assert {"train_disc_loss", "train_gen_loss"} <= set(history["adversarial"])
    assert not any("disc" in column for column in history["control"])
    # The second phase begins where the first ended.
    for phase in ("adversarial", "control"):
        first = history[phase].filter(like="val_").iloc[0]
        assert np.allclose(first, history["reconstruction"].filter(like="val_").iloc[-1])


def test_volumes_come_back_as_nifti_on_their_own_grid(made):
    volumes = Volumes(made / "results/datasets/phantoms/volumes.h5")
    for phase in PHASES:
        copies = Volumes(made / f"results/vol/{phase}/reconstructions.h5")
        assert set(copies.split) == {"test"}
        for row, name in enumerate(copies.sample_id):
            image = nibabel.load(made / f"results/vol/{phase}/reconstructions/{name}.nii.gz")
            assert image.get_data_dtype() == np.int16
            assert np.array_equal(image.affine, volumes.affine[volumes.sample_id.index(name)])
            assert np.array_equal(np.asarray(image.dataobj), copies.read(row))


def test_the_table_has_all_phases_and_baselines(made):
    table = pd.read_csv(made / "results/vol/volumes.csv").set_index("model")
    assert list(table.index) == [
        *PHASES, "constant", "trilinear_equal_factor", "trilinear_equal_bits", "trilinear_tuned",
    ]  # fmt: skip
    assert (table["group"] == "new patients").all()
    assert (table.loc[list(PHASES), "perplexity"] >= 1).all()
    assert table.loc["constant", "gradient_ratio"] == 0
    assert (made / "results/vol/volumes.png").stat().st_size > 1000
    evaluation = json.loads((made / "results/vol/control/evaluation.json").read_text())
    assert evaluation["warning"] is None


def test_latents_are_ready_for_a_denoiser(made):
    train = made / "results/vol/adversarial/latents/train.h5"
    latents, codes = read_latents(train).astype(np.float32), read_column(train, "codes")
    assert latents_info(train).shape == (4, 4, 4, 4)
    assert codes.shape == (len(latents), 4, 4, 4)
    assert codes.max() < 16
    assert np.allclose(latents.mean(axis=(0, 2, 3, 4)), 0, atol=0.1)
    assert np.allclose(latents.std(axis=(0, 2, 3, 4)), 1, atol=0.1)


def test_the_report_shows_what_the_run_left(made, tmp_path):
    command = [sys.executable, str(REPOSITORY / "workflow/scripts/write_report.py")]
    command += ["--configfile", str(made.settings / "config.yaml"), "--no-graph"]
    done = subprocess.run(
        [*command, "--output", str(tmp_path / "out.html")],
        cwd=made.directory,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "vol: Against the control, the adversarial phase moved the gradient ratio" in done.stdout
    page = (tmp_path / "out.html").read_text()
    assert all(f'id="{p}-vol"' in page for p in ("figures", "reconstructions", "codes", "training"))
    assert 'class="warning"' not in page  # every file could be read
    assert page.count("absolute error of phase") == len(PHASES)
    found = pd.read_csv(tmp_path / "out_volumes.csv").set_index("model")["psnr"]
    table = pd.read_csv(made / "results/vol/volumes.csv").set_index("model")["psnr"]
    assert found.to_dict() == pytest.approx(table.to_dict(), rel=1e-4)


def test_a_run_is_watched_and_planned_like_any_other(made):
    events = made / "logs/vol/adversarial/train_vqgan_adversarial.tensorboard"
    assert list(events.glob("events.out.tfevents.*"))
    assert made.plan() == set()
    more = made.varied(made / "settings")
    more.experiments["vol"] = EXPERIMENT | {"steps": 10}
    planned = more.plan()
    assert job("train_vqgan_reconstruction", experiment="vol") not in planned
    assert {w for r, w in planned if r == "train_vqgan_adversarial"} == {
        (("experiment", "vol"), ("phase", phase)) for phase in ("adversarial", "control")
    }
