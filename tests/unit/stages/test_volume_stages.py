"""Stages on volumes: what they write, say and refuse."""

import json
import logging

import nibabel
import numpy as np
import pytest
import torch
from volume_files import ct, write_manifest, write_nifti

from sparring.artefacts.volumes import Volumes
from sparring.errors import UserError
from sparring.settings.volume_stages import PackVolumes, ReconstructVolume
from sparring.settings.volumes import PhantomDataset, VolumeDataset, WindowSettings
from sparring.stages import volumes as module
from sparring.stages.job import Job
from sparring.stages.volumes import pack_volumes, reconstruct_volume

CONTENT = {"device": "cpu", "precision": "fp32"}


class Toy(torch.nn.Module):
    """Halves what it gets."""

    factor = (4, 4, 4)

    def forward(self, x):
        return x / 2


@pytest.fixture
def model(tmp_path, monkeypatch):
    """A model directory whose model is a toy."""
    monkeypatch.setattr(module, "_vqgan", lambda _: Toy())
    (tmp_path / "vqgan").mkdir()
    (tmp_path / "vqgan" / "config.json").write_text("{}")
    return tmp_path / "vqgan"


def packed(tmp_path, settings):
    output = tmp_path / "volumes.h5"
    pack_volumes(Job(PackVolumes(dataset=settings), tmp_path / "job.json", CONTENT), output)
    return Volumes(output)


def reconstructed(model, volume, output, picture=None, **keys):
    settings = ReconstructVolume(inference=WindowSettings(window=8), **keys)
    job = Job(settings, model.parent / "job.json", CONTENT)
    reconstruct_volume(job, model, volume, output, picture)


def test_phantoms_are_packed(tmp_path):
    volumes = packed(tmp_path, PhantomDataset(kind="phantoms", num_volumes=3, size=32))
    assert sorted(volumes.split) == ["test", "train", "val"]


def test_a_split_by_slabs_is_said_aloud(tmp_path, caplog):
    write_nifti(tmp_path / "a.nii", ct())
    rows = [
        {"volume_path": "a.nii", "patient_id": "p", "split": s, "slab": f"{6 * n}:{6 * n + 6}"}
        for n, s in enumerate(("train", "val", "test"))
    ]
    manifest = write_manifest(tmp_path / "m.csv", rows)
    packed(tmp_path, VolumeDataset(kind="nifti", manifest=manifest, split_by="slab"))
    warnings = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    assert "NOT SPLIT BY PATIENT" in warnings[0]


def test_a_file_is_reconstructed_with_figures_and_a_picture(tmp_path, model, caplog):
    caplog.set_level(logging.INFO)
    source = write_nifti(tmp_path / "in.nii.gz", ct().clip(-1000, 1000))
    reconstructed(model, source, tmp_path / "out.nii.gz", tmp_path / "out.png")
    before, after = (np.asarray(nibabel.load(p).dataobj) for p in (source, tmp_path / "out.nii.gz"))
    np.testing.assert_allclose(after, before / 2, atol=0.51)
    assert (tmp_path / "out.png").stat().st_size > 1000
    said = " ".join(r.getMessage() for r in caplog.records)
    assert "PSNR" in said
    assert "gradient energy 0.25 of the original's" in said


def test_the_window_and_orientation_of_the_model_count(tmp_path, model):
    (model / "config.json").write_text(json.dumps({"hu_window": [-200, 300], "orientation": "LPS"}))
    source = write_nifti(tmp_path / "in.nii", ct())
    reconstructed(model, source, tmp_path / "out.nii", hu_window=(-1000.0, 1000.0))
    after = np.asarray(nibabel.load(tmp_path / "out.nii").dataobj)
    half_way = (ct().clip(-200, 300) + 50) / 2  # to the window's middle
    np.testing.assert_allclose(after, half_way, atol=0.51)


def test_an_unreadable_window_of_a_model_is_refused(tmp_path, model):
    (model / "config.json").write_text(json.dumps({"hu_window": [300, -200]}))
    source = write_nifti(tmp_path / "in.nii", ct())
    with pytest.raises(UserError, match=r"config\.json: .*hu_window is \[300, -200\]"):
        reconstructed(model, source, tmp_path / "out.nii")


def test_a_name_that_is_no_niftis_is_refused(tmp_path, model):
    source = write_nifti(tmp_path / "in.nii", ct())
    with pytest.raises(UserError, match=r"found .*out\.h5, expected a name that ends in \.nii"):
        reconstructed(model, source, tmp_path / "out.h5")
