"""NIfTI files: what is read is what was stored; what cannot be used is refused in one line."""

import gzip
import re

import nibabel
import numpy as np
import pytest
from volume_files import AFFINE, ct, write_nifti

from sparring.artefacts import nifti as module
from sparring.artefacts.nifti import open_nifti, read_hu, write_like
from sparring.errors import UserError

ORIENTATIONS = ["RAS", "LPS", "LAI", "SRA", "IPR", "ASL"]


def test_voxels_are_read_as_they_were_stored(tmp_path):
    volume = ct()
    for name in ("v.nii", "v.nii.gz"):
        np.testing.assert_array_equal(
            read_hu(open_nifti(write_nifti(tmp_path / name, volume))), volume
        )


@pytest.mark.parametrize("step", [1, 5, 1000])
def test_reading_by_blocks_does_not_change_what_is_read(tmp_path, monkeypatch, step):
    volume = ct()
    monkeypatch.setattr(module, "_BLOCK_BYTES", step * 16 * 17 * 2)
    nifti = open_nifti(write_nifti(tmp_path / "v.nii.gz", volume))
    np.testing.assert_array_equal(read_hu(nifti), volume)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32, np.float32, np.float64])
def test_slope_and_intercept_give_hu(tmp_path, dtype):
    stored = (ct().astype(float) + 1024).clip(0, 2000) // 8
    nifti = open_nifti(write_nifti(tmp_path / "v.nii", stored.astype(dtype), slope=8, inter=-1024))
    np.testing.assert_array_equal(read_hu(nifti), stored.astype(dtype).astype(float) * 8 - 1024)


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_turning_keeps_every_voxel_where_it_is_in_the_patient(tmp_path, orientation):
    volume = ct()
    nifti = open_nifti(write_nifti(tmp_path / "v.nii", volume))
    turned = nifti.turned(orientation)
    there = turned.apply(volume)
    assert there.shape == turned.shape
    assert "".join(nibabel.aff2axcodes(turned.affine)) == orientation
    voxel = (3, 4, 5)
    place = np.linalg.solve(nifti.affine, turned.affine @ (*voxel, 1))[:3]
    assert there[voxel] == volume[tuple(np.rint(place).astype(int))]
    np.testing.assert_array_equal(turned.undo(there), volume)


def test_turning_an_oblique_volume_can_be_undone(tmp_path):
    angle = 0.3
    affine = AFFINE @ np.array(
        [[np.cos(angle), -np.sin(angle), 0, 0], [np.sin(angle), np.cos(angle), 0, 0],
         [0, 0, 1, 0], [0, 0, 0, 1]]
    )  # fmt: skip
    turned = open_nifti(write_nifti(tmp_path / "v.nii", ct(), affine)).turned("RAS")
    np.testing.assert_array_equal(turned.undo(turned.apply(ct())), ct())
    np.testing.assert_allclose(sorted(turned.spacing), [1.5, 1.5, 2.0], atol=1e-5)


@pytest.mark.parametrize("name", ["out.nii", "out.nii.gz"])
@pytest.mark.parametrize(
    ("dtype", "slope", "inter"),
    [(np.int16, None, None), (np.int32, None, None), (np.float32, None, None),
     (np.uint16, 1, -1024), (np.int16, 0.5, -100)],
)  # fmt: skip
def test_written_back_a_volume_is_the_same_file_to_a_reader(tmp_path, name, dtype, slope, inter):
    stored = ct().astype(dtype) if slope is None else ((ct() + 1100) // 2).clip(0).astype(dtype)
    source = open_nifti(write_nifti(tmp_path / "v.nii.gz", stored, slope=slope, inter=inter))
    hu = read_hu(source)
    write_like(source, hu, tmp_path / name)
    again = nibabel.load(tmp_path / name)
    assert again.header.get_data_dtype() == dtype
    np.testing.assert_array_equal(again.affine, source.affine)
    assert int(again.header["sform_code"]) == 1
    np.testing.assert_array_equal(np.asarray(again.dataobj), hu)
    first = (tmp_path / name).read_bytes()
    write_like(source, hu, tmp_path / name)
    assert (tmp_path / name).read_bytes() == first


def test_a_squeezed_axis_comes_back(tmp_path):
    volume = ct()[:, :, :, None]
    source = open_nifti(write_nifti(tmp_path / "v.nii", volume), squeeze=True)
    assert source.shape == (16, 17, 18)
    write_like(source, read_hu(source), tmp_path / "out.nii")
    assert nibabel.load(tmp_path / "out.nii").shape == (16, 17, 18, 1)


def test_one_slice_is_a_volume_though_its_axis_has_length_1(tmp_path):
    source = open_nifti(write_nifti(tmp_path / "v.nii", ct((16, 17, 1))[..., None]), squeeze=True)
    assert source.shape == (16, 17, 1)


def spoilt(value, count=3):
    volume = ct().astype(np.float32)
    volume.reshape(-1)[:count] = value
    return volume


# What is wrong, and words of the one line that says so: found, expected or the way out.
HEADERS = {
    "four dimensions": ({"data": ct((4, 4, 4, 2))}, "4 x 4 x 4 x 2", "three dimensions"),
    "a singleton": ({"data": ct()[..., None]}, "16 x 17 x 18 x 1", "squeeze: true"),
    "a plane": ({"data": ct((8, 8, 1))[..., 0]}, "8 x 8", "three dimensions"),
    "an empty axis": ({"data": np.zeros((4, 0, 4), np.int16)}, "4 x 0 x 4", "length 0"),
    "no affine": ({"data": ct(), "code": 0}, "sform_code and qform_code are 0", "DICOM"),
    "complex": ({"data": ct().astype(np.complex64)}, "complex64", "real numbers"),
}  # fmt: skip
VOXELS = {
    "NaN": (spoilt(np.nan), "3 of 4896 voxels are NaN or infinite", "replace them"),
    "Inf": (spoilt(np.inf, 5), "5 of 4896 voxels are NaN or infinite", "replace them"),
    "constant": (np.full((4, 4, 4), -5, np.int16), "every voxel is -5 HU", "leave it out"),
    "rescale missing": (ct().clip(-1024) + np.int16(1024), "lowest value is", "intercept"),
    "too large": (spoilt(1e6), "to 1e+06", "scl_slope"),
}  # fmt: skip


@pytest.mark.parametrize("case", HEADERS)
def test_headers_are_refused_without_reading_voxels(tmp_path, case, monkeypatch):
    keywords, found, expected = HEADERS[case]
    path = write_nifti(tmp_path / "bad.nii.gz", **keywords)
    monkeypatch.setattr(module.Nifti, "blocks", None)
    with pytest.raises(UserError, match=rf"bad\.nii\.gz: .*{re.escape(found)}.*{expected}"):
        open_nifti(path)


@pytest.mark.parametrize("case", VOXELS)
def test_voxels_that_cannot_be_hu_are_refused(tmp_path, case):
    volume, found, expected = VOXELS[case]
    nifti = open_nifti(write_nifti(tmp_path / "bad.nii.gz", volume))
    with pytest.raises(UserError, match=rf"bad\.nii\.gz: .*{re.escape(found)}.*{expected}"):
        read_hu(nifti)


def test_a_singular_affine_is_refused(tmp_path):
    path = write_nifti(tmp_path / "bad.nii", ct())
    data = bytearray(path.read_bytes())
    header = nibabel.Nifti1Header.from_fileobj(open(path, "rb"))  # noqa: SIM115
    header["srow_y"] = header["srow_x"]
    data[:348] = header.binaryblock
    path.write_bytes(bytes(data))
    with pytest.raises(UserError, match=r"affine is singular .*expected three independent axes"):
        open_nifti(path)


@pytest.mark.parametrize("name", ["v.nii", "v.nii.gz"])
@pytest.mark.parametrize("kept", [0.3, 0.9, 0.999])
def test_truncated_files_are_refused(tmp_path, name, kept):
    path = write_nifti(tmp_path / name, ct((40, 40, 40)))
    data = path.read_bytes()
    path.write_bytes(data[: int(kept * len(data))])
    with pytest.raises(UserError, match=r"truncated or damaged .*expected 40 slices; copy it anew"):
        read_hu(open_nifti(path))


def test_a_damaged_gzip_is_refused_where_only_its_checksum_tells(tmp_path):
    path = write_nifti(tmp_path / "v.nii", ct())
    packed = bytearray(gzip.compress(path.read_bytes(), 0))  # stored: any byte may be changed
    packed[len(packed) // 2] ^= 1
    (tmp_path / "v.nii.gz").write_bytes(packed)
    with pytest.raises(UserError, match="truncated or damaged"):
        read_hu(open_nifti(tmp_path / "v.nii.gz"))


@pytest.mark.parametrize(
    "content",
    [b"", b"no volume at all", gzip.compress(b"short", mtime=0)],
    ids=["empty", "text", "short"],
)
def test_what_is_no_nifti_is_refused(tmp_path, content):
    for name in ("v.nii", "v.nii.gz"):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(UserError, match=rf"{name}: not a readable NIfTI file"):
            open_nifti(tmp_path / name)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r"nowhere\.nii\.gz: volume is missing"):
        open_nifti(tmp_path / "nowhere.nii.gz")
