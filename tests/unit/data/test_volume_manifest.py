"""Manifests of volumes: splits keep patients apart; what cannot be used is refused by name."""

import re

import pytest
from volume_files import ct, write_manifest, write_nifti

from sparring.data.volume_facts import require_patch, volume_facts
from sparring.data.volume_manifest import read_volume_manifest
from sparring.errors import UserError
from sparring.settings.volumes import PhantomDataset, VolumeDataset


def manifest(tmp_path, rows, **keys):
    """A dataset of rows given as "file patient [split [slab]]"."""
    columns = ("volume_path", "patient_id", "split", "slab")
    records = [dict(zip(columns, text.split(), strict=False)) for text in rows]
    path = write_manifest(tmp_path / "m.csv", records)
    return VolumeDataset(kind="nifti", manifest=path, **keys)


SPLIT = ["a.nii p train", "b.nii q val", "c.nii r test"]
SLABS = ["a.nii p train 0:9", "a.nii p val 9:14", "a.nii p test 14:18"]


def test_rows_come_in_order_with_their_splits(tmp_path):
    entries = read_volume_manifest(manifest(tmp_path, SPLIT))
    assert [(e.sample_id, e.patient_id, e.split) for e in entries] == [
        ("a", "p", "train"), ("b", "q", "val"), ("c", "r", "test")
    ]  # fmt: skip
    assert entries[0].path == tmp_path / "a.nii"


def test_without_a_split_column_whole_patients_are_drawn(tmp_path):
    rows = [f"scans/{n}.nii.gz patient{n // 3}" for n in range(60)]
    entries = read_volume_manifest(manifest(tmp_path, rows))
    splits = {}
    for entry in entries:
        splits.setdefault(entry.patient_id, set()).add(entry.split)
    assert all(len(s) == 1 for s in splits.values())
    assert {s for (s,) in splits.values()} == {"train", "val", "test"}
    assert entries == read_volume_manifest(manifest(tmp_path, rows))
    other = read_volume_manifest(manifest(tmp_path, rows, split_seed=1))
    assert [e.split for e in other] != [e.split for e in entries]


def test_a_named_column_may_say_the_split(tmp_path):
    rows = [
        {"volume_path": f"{n}.nii", "patient_id": str(n), "part": part}
        for n, part in enumerate(("test", "train", "val"))
    ]
    path = write_manifest(tmp_path / "m.csv", rows)
    entries = read_volume_manifest(VolumeDataset(kind="nifti", manifest=path, split_column="part"))
    assert [e.split for e in entries] == ["test", "train", "val"]


def test_fewer_patients_train_and_the_same_are_held_out(tmp_path):
    rows = [f"scans/{n}.nii.gz patient{n // 3}" for n in range(60)]
    trained = {}
    for count in (1, 5, 9, 1000):
        entries = read_volume_manifest(manifest(tmp_path, rows, max_patients=count))
        trained[count] = {e.patient_id for e in entries if e.split == "train"}
        whole = read_volume_manifest(manifest(tmp_path, rows))
        assert [e for e in entries if e.split != "train"] == [
            e for e in whole if e.split != "train"
        ]
        # A patient comes with all its scans.
        assert [e for e in entries if e.split == "train"] == [
            e for e in whole if e.split == "train" and e.patient_id in trained[count]
        ]
    assert [len(trained[count]) for count in (1, 5, 9)] == [1, 5, 9]
    assert trained[1] < trained[5] < trained[9] < trained[1000]


def test_slabs_of_one_volume_may_stand_in_several_splits_where_asked(tmp_path):
    entries = read_volume_manifest(manifest(tmp_path, SLABS, split_by="slab"))
    assert [e.slab for e in entries] == [(0, 9), (9, 14), (14, 18)]
    assert len({e.sample_id for e in entries}) == 3


REFUSED = {
    "a patient in two splits": (
        ["a.nii p train", "b.nii p val", "c.nii r test"],
        {},
        "patient p lies in splits train and val.*split_by: slab",
    ),
    "slabs without leave": (SLABS, {}, "patient p lies in splits"),
    "slabs that overlap": (
        ["a.nii p train 0:9", "a.nii p val 8:14", "b.nii q test 0:4"],
        {"split_by": "slab"},
        "a_slices_0_9 and a_slices_8_14 share slices of a.nii",
    ),
    "a slab and the whole": (
        ["a.nii p train 0:9", "a.nii p val", "b.nii q test"],
        {"split_by": "slab"},
        "share slices",
    ),
    "a slab that is none": (
        ["a.nii p train 9:0", "b.nii q val 0:4", "c.nii r test 0:4"],
        {},
        "slab is '9:0', expected slices from:to",
    ),
    "slabs to be drawn": (["a.nii p", "b.nii q"], {"split_by": "slab"}, "no column 'split'; add"),
    "an unknown split": (["a.nii p training", *SPLIT], {}, "split is 'training', expected one of"),
    "no test": (SPLIT[:2], {}, r"split 'test' has no rows \(train 1, val 1, test 0\)"),
    "two patients": (["a.nii p", "b.nii q"], {}, "has 2 patients, expected at least 3"),
    "a file twice": ([SPLIT[0], *SPLIT], {}, "sample_id 'a' stands in 2 rows"),
    "a column that is not there": (SPLIT, {"split_column": "part"}, "has no column 'part', found"),
    "another name for files": (SPLIT, {"volume_column": "path"}, "has no column 'path', found"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(tmp_path, case):
    rows, keys, message = REFUSED[case]
    with pytest.raises(UserError, match=rf"m\.csv: .*{message}"):
        read_volume_manifest(manifest(tmp_path, rows, **keys))


@pytest.mark.parametrize("column", ["volume_path", "patient_id"])
def test_an_empty_cell_is_refused_with_its_line(tmp_path, column):
    rows = [{"volume_path": f"{n}.nii", "patient_id": str(n)} for n in range(4)]
    rows[2][column] = ""
    path = write_manifest(tmp_path / "m.csv", rows)
    with pytest.raises(UserError, match=rf"m\.csv line 4: {column} is empty"):
        read_volume_manifest(VolumeDataset(kind="nifti", manifest=path))


def test_a_manifest_without_patients_is_refused(tmp_path):
    path = write_manifest(tmp_path / "m.csv", [{"volume_path": "a.nii"}])
    with pytest.raises(UserError, match=r"has no column 'patient_id', found volume_path; add it"):
        read_volume_manifest(VolumeDataset(kind="nifti", manifest=path))


def test_a_manifest_that_is_missing_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"nowhere\.csv: manifest cannot be read"):
        read_volume_manifest(VolumeDataset(kind="nifti", manifest=tmp_path / "nowhere.csv"))


@pytest.fixture
def three(tmp_path):
    for n, name in enumerate("abc"):
        write_nifti(tmp_path / f"{name}.nii", ct((16, 17, 18 + n), seed=n))
    return tmp_path


def test_shapes_are_known_from_headers_alone(three):
    settings = manifest(three, SPLIT, orientation="SAR", spacing=(4.0, 1.5, 3.0))
    assert [f.shape for f in volume_facts(settings)] == [(10, 17, 8)] * 3


def test_a_slab_beyond_the_volume_is_refused(three):
    settings = manifest(three, [*SLABS[:2], "b.nii q test 14:20"], split_by="slab")
    with pytest.raises(
        UserError, match=r"b\.nii: slab of b_slices_14_20 is 14:20, .* has 19 slices"
    ):
        volume_facts(settings)


def test_volumes_smaller_than_a_patch_are_refused_unless_padded(three):
    where = "exp.yaml: patch_size"
    require_patch(manifest(three, SPLIT), 16, where)
    message = re.escape("a is 16 x 17 x 18 voxels, smaller than exp.yaml: patch_size (17)")
    with pytest.raises(UserError, match=message + ".*at most 16, or pad: true"):
        require_patch(manifest(three, SPLIT), 17, where)
    require_patch(manifest(three, SPLIT, pad=True), 170, where)
    with pytest.raises(UserError, match="phantom_000 is 32 x 32 x 32 voxels, smaller"):
        require_patch(PhantomDataset(kind="phantoms", size=32), 64, where)


def test_phantoms_are_known_without_being_drawn():
    facts = volume_facts(PhantomDataset(kind="phantoms", num_volumes=10, size=32))
    counts = {split: sum(f.split == split for f in facts) for split in ("train", "val", "test")}
    assert counts == {"train": 8, "val": 1, "test": 1}


@pytest.mark.parametrize("keys", [
    {"orientation": "RLS"}, {"orientation": "RA"}, {"spacing": (1.0, 0.0, 1.0)},
    {"hu_window": (5.0, 5.0)}, {"hu_window": (-1e6, 0.0)},
])  # fmt: skip
def test_impossible_grids_and_windows_are_refused(tmp_path, keys):
    with pytest.raises(ValueError, match=r"expected|should match"):
        VolumeDataset(kind="nifti", manifest=tmp_path / "m.csv", **keys)


def test_a_dataset_watches_its_manifest_and_volumes(three):
    settings = manifest(three, [*SLABS[:2], "b.nii q test 0:4", "gone.nii s test 0:4"])
    assert settings.files() == [three / "m.csv", three / "a.nii", three / "b.nii"]
