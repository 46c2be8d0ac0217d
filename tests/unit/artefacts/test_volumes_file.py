"""Packed volumes: HU and who they are come back; [-1, 1] and HU are each other's inverse."""

import numpy as np
import pytest

from sparring.artefacts.volumes import VolumeRow, Volumes, normalise, to_hu, writing_volumes
from sparring.errors import UserError

WINDOW = (-1000.0, 1000.0)


def volume(*shape, seed=0):
    return np.random.default_rng(seed).integers(-1024, 3000, shape, dtype=np.int16)


def row(name, patient, split, spacing=2.0):
    return VolumeRow(name, patient, split, np.diag([spacing, 1, 1, 1.0]), f"{name}.nii.gz")


VOLUMES = [volume(70, 20, 30), volume(5, 80, 9, seed=1), volume(16, 16, 16, seed=2)]


def written(path, rows=("a train", "b val", "c test"), split_by="patient"):
    with writing_volumes(path, WINDOW, "RAS", split_by) as writer:
        for n, (text, hu) in enumerate(zip(rows, VOLUMES, strict=True)):
            writer.append(hu, row(f"v{n}", *text.split()))
    return Volumes(path)


@pytest.fixture(params=["in memory", "from the file"])
def volumes(tmp_path, request, monkeypatch):
    if request.param == "from the file":
        monkeypatch.setattr(Volumes, "memory_limit", 0)
    return written(tmp_path / "volumes.h5")


def test_every_volume_and_what_is_known_of_it_comes_back(volumes):
    assert volumes.shapes == [v.shape for v in VOLUMES]
    assert volumes.sample_id == ["v0", "v1", "v2"]
    assert volumes.patient_id == ["a", "b", "c"]
    assert volumes.source == ["v0.nii.gz", "v1.nii.gz", "v2.nii.gz"]
    assert (volumes.hu_window, volumes.orientation) == (WINDOW, "RAS")
    np.testing.assert_array_equal(volumes.spacing, [[2, 1, 1]] * 3)
    for n, hu in enumerate(VOLUMES):
        np.testing.assert_array_equal(volumes.read(n), hu)


def test_boxes_are_read_alone(volumes):
    box = slice(3, 40), slice(0, 7), slice(29, 30)
    np.testing.assert_array_equal(volumes.read(0, box), VOLUMES[0][box])


def test_the_same_volumes_are_the_same_bytes(tmp_path):
    first, second = (written(tmp_path / name).path.read_bytes() for name in ("a.h5", "b.h5"))
    assert first == second


def test_a_split_without_rows_is_refused(tmp_path):
    volumes = written(tmp_path / "v.h5", ("a train", "b train", "c val"))
    assert list(volumes.rows("train")) == [0, 1]
    with pytest.raises(UserError, match=r"v\.h5: split 'test' has no rows"):
        volumes.rows("test")


def test_slabs_of_patients_that_train_are_told_from_new_patients(tmp_path):
    volumes = written(tmp_path / "v.h5", ("a train", "a test", "b test"), "slab")
    assert [volumes.trained_on(n) for n in range(3)] == [False, True, False]
    assert "NOT SPLIT BY PATIENT" in volumes.warning
    assert "(a)" in volumes.warning
    assert written(tmp_path / "w.h5").warning is None


@pytest.mark.parametrize("window", [WINDOW, (-160.0, 240.0), (-1024.0, 3071.0), (0.0, 1.0)])
def test_whole_hu_within_the_window_survive_the_way_to_the_model_and_back(window):
    hu = np.arange(window[0], window[1] + 1)
    x = normalise(hu.astype(np.int16), window)
    assert x.dtype == np.float32
    assert (x.min(), x.max()) == (-1, 1)
    np.testing.assert_array_equal(np.rint(to_hu(x, window)), hu)


def test_what_lies_outside_the_window_is_clipped():
    hu = np.array([-32768, -1001, 1001, 32767], dtype=np.int16)
    np.testing.assert_array_equal(normalise(hu, WINDOW), [-1, -1, 1, 1])
