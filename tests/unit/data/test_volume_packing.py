"""Packing: every voxel keeps its HU and its place in the patient."""

from pathlib import Path

import numpy as np
import pytest
from volume_files import AFFINE, ct, write_manifest, write_nifti

from sparring.artefacts.nifti import open_nifti
from sparring.artefacts.volumes import Volumes
from sparring.data.volume_facts import volume_facts
from sparring.data.volumes import pack_volumes, resample, resample_to
from sparring.errors import UserError
from sparring.settings.volumes import PhantomDataset, VolumeDataset

SHARED = Path(__file__).parents[4] / "shared" / "data" / "ct"


@pytest.fixture
def three(tmp_path):
    """Three patients; the third's file is squeezed and in float."""
    rows = []
    for n, (name, split) in enumerate(zip("abc", ("train", "val", "test"), strict=True)):
        volume = ct((16 + n, 17, 18), seed=n)
        write_nifti(tmp_path / f"{name}.nii.gz", volume[..., None] * 1.0 if n == 2 else volume)
        rows.append({"volume_path": f"{name}.nii.gz", "patient_id": name, "split": split})
    return write_manifest(tmp_path / "m.csv", rows)


def packed(manifest, **keys):
    settings = VolumeDataset(kind="nifti", manifest=manifest, squeeze=True, **keys)
    output = manifest.parent / "volumes.h5"
    assert pack_volumes(settings, output) == len(volume_facts(settings))
    return settings, Volumes(output)


@pytest.mark.parametrize("orientation", ["RAS", "LPS", "SLA"])
def test_hu_are_kept_at_their_place_in_the_patient(three, orientation):
    _, volumes = packed(three, orientation=orientation)
    assert list(volumes.split) == ["train", "val", "test"]
    for n in range(3):
        original, there = ct((16 + n, 17, 18), seed=n), volumes.read(n)
        for voxel in ((0, 0, 0), (5, 6, 7), (15, 2, 11)):
            place = np.linalg.solve(volumes.affine[n], AFFINE @ (*voxel, 1))[:3]
            assert there[tuple(np.rint(place).astype(int))] == original[voxel]


def test_headers_foretell_what_is_packed(three):
    for spacing in (None, (3.0, 3.0, 3.0), (1.0, 2.0, 0.7), (4.0, 1.5, 1.5)):
        settings, volumes = packed(three, spacing=spacing, orientation="PIR")
        assert [f.shape for f in volume_facts(settings)] == volumes.shapes
        if spacing is not None:
            np.testing.assert_allclose(volumes.spacing, [spacing] * 3, rtol=1e-4)


def test_slabs_are_parts_of_the_turned_volume(tmp_path):
    volume = ct()
    write_nifti(tmp_path / "a.nii", volume)
    rows = [
        {"volume_path": "a.nii", "patient_id": "p", "split": s, "slab": slab}
        for s, slab in (("train", "0:9"), ("val", "9:13"), ("test", "14:18"))
    ]
    _, volumes = packed(write_manifest(tmp_path / "m.csv", rows), split_by="slab")
    whole = open_nifti(tmp_path / "a.nii").turned("RAS").apply(volume)
    np.testing.assert_array_equal(volumes.read(0), whole[:, :, :9])
    np.testing.assert_array_equal(volumes.read(2), whole[:, :, 14:])
    first, last = volumes.affine[0] @ (1, 2, 14, 1), volumes.affine[2] @ (1, 2, 0, 1)
    np.testing.assert_allclose(first, last)
    assert "NOT SPLIT BY PATIENT" in volumes.warning


def test_the_same_dataset_is_the_same_bytes(three):
    _, volumes = packed(three)
    first = volumes.path.read_bytes()
    packed(three)
    assert volumes.path.read_bytes() == first


def test_headers_are_refused_before_any_volume_is_read(three, monkeypatch):
    write_nifti(three.parent / "c.nii.gz", ct(), code=0)
    monkeypatch.setattr("sparring.data.volumes.read_hu", None)
    with pytest.raises(UserError, match=r"c\.nii\.gz: has no affine"):
        packed(three)
    assert not (three.parent / "volumes.h5").exists()


def test_a_volume_that_cannot_be_hu_leaves_no_file(three):
    write_nifti(three.parent / "b.nii.gz", ct() + np.int16(1100))
    with pytest.raises(UserError, match=r"b\.nii\.gz: lowest value is"):
        packed(three)
    assert [p.name for p in three.parent.glob("*volumes.h5*")] == []


def test_resampling_keeps_a_straight_ramp_straight():
    """Trilinear interpolation is exact on what is linear in millimetres."""
    line = np.arange(30) * 10 - 500
    ramp = np.broadcast_to(line[:, None, None], (30, 20, 10)).astype(np.int16)
    affine = np.diag([2.0, 2.0, 2.0, 1.0])
    values, turned = resample(ramp, affine, (1.0, 3.0, 2.0))
    assert values.shape == (59, 14, 10)
    np.testing.assert_allclose(turned[:3, 3], 0, atol=1e-9)
    expected = -500 + 5.0 * np.arange(59)
    np.testing.assert_allclose(values[:, 5, 5], expected, atol=0.51)
    back = resample_to(values, turned, ramp.shape, affine)
    np.testing.assert_allclose(back[:, :19], ramp[:, :19], atol=1)


def test_phantoms_are_drawn_per_index(tmp_path):
    settings = PhantomDataset(kind="phantoms", num_volumes=4, size=32)
    pack_volumes(settings, tmp_path / "few.h5")
    pack_volumes(settings.model_copy(update={"num_volumes": 6}), tmp_path / "more.h5")
    few, more = Volumes(tmp_path / "few.h5"), Volumes(tmp_path / "more.h5")
    for n in range(4):
        np.testing.assert_array_equal(few.read(n), more.read(n))
    assert len({few.read(n).tobytes() for n in range(4)}) == 4


@pytest.mark.skipif(not SHARED.is_dir(), reason="the CT volumes are not at ../shared/data/ct")
def test_real_volumes_are_packed_as_they_are(tmp_path):
    import nibabel

    names = {"abdomen_pelvis_b": "train", "chest_cta_a_pulm": "val", "upper_abdomen_c_slab": "test"}
    rows = [
        {"volume_path": str(SHARED / f"{name}.nii.gz"), "patient_id": name, "split": split}
        for name, split in names.items()
    ]
    manifest = write_manifest(tmp_path / "m.csv", rows)
    settings = VolumeDataset(kind="nifti", manifest=manifest)
    pack_volumes(settings, tmp_path / "v.h5")
    volumes = Volumes(tmp_path / "v.h5")
    for n, name in enumerate(names):
        canonical = nibabel.as_closest_canonical(nibabel.load(SHARED / f"{name}.nii.gz"))
        np.testing.assert_array_equal(volumes.read(n), np.asarray(canonical.dataobj))
        np.testing.assert_allclose(volumes.affine[n], canonical.affine)
