"""Latents in HDF5: streamed, byte-identical, and refused when damaged."""

import time

import h5py
import numpy as np
import pytest

from sparring.artefacts.latents import (
    latents_info,
    read_column,
    read_latents,
    require_same_autoencoder,
    require_shape,
    writing_latents,
)
from sparring.artefacts.layouts import LayoutRow, writing_layouts
from sparring.errors import UserError

ATTRIBUTES = {"kind": "fake", "autoencoder_digest": "abc", "seed": 1, "sampler": "ddim"}


@pytest.fixture
def latents():
    return np.random.default_rng(0).normal(size=(23, 4, 8, 8)).astype(np.float32)


def write(path, latents, batch=8, attributes=ATTRIBUTES, count=None):
    with writing_latents(path, count or len(latents), attributes) as writer:
        for start in range(0, len(latents), batch):
            writer.append(latents[start : start + batch])
        writer.column("sample_id", [f"s{n}" for n in range(len(latents))])
        writer.column("noise_index", np.arange(len(latents)))
    return path


def refusal(call, *arguments) -> str:
    with pytest.raises(UserError) as caught:
        call(*arguments)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_what_was_written_is_read_in_half_precision(tmp_path, latents):
    path = write(tmp_path / "a.h5", latents)
    assert read_latents(path).dtype == np.float16
    np.testing.assert_array_equal(read_latents(path), latents.astype(np.float16))
    rows = np.array([0, 5, 22])
    np.testing.assert_array_equal(read_latents(path, rows), latents[rows].astype(np.float16))


@pytest.mark.parametrize("batch", [1, 7, 8])
def test_the_batch_size_of_writing_leaves_no_trace(tmp_path, latents, batch):
    """Streaming appends give the bytes of one write."""
    streamed = write(tmp_path / "streamed.h5", latents, batch)
    whole = write(tmp_path / "whole.h5", latents, batch=len(latents))
    assert streamed.read_bytes() == whole.read_bytes()


def test_the_same_inputs_give_the_same_bytes_later_and_in_any_order_of_attributes(
    tmp_path, latents
):
    """HDF5 would store the second of writing, if let."""
    first = write(tmp_path / "first.h5", latents)
    time.sleep(1.1)
    backwards = dict(reversed(ATTRIBUTES.items()))
    second = write(tmp_path / "second.h5", latents, attributes=backwards)
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize("change", [{"seed": 2}, {"autoencoder_digest": "abd"}])
def test_other_attributes_give_other_bytes(tmp_path, latents, change):
    one = write(tmp_path / "one.h5", latents)
    other = write(tmp_path / "other.h5", latents, attributes=ATTRIBUTES | change)
    assert one.read_bytes() != other.read_bytes()


def test_latents_lie_one_after_another(tmp_path, latents):
    """So all are read in one piece, and a drawn subset without the rest."""
    path = write(tmp_path / "a.h5", latents)
    with h5py.File(path) as file:
        begin = file["latents"].id.get_offset()
    half = latents.astype(np.float16).tobytes()
    assert path.read_bytes()[begin : begin + len(half)] == half


@pytest.mark.parametrize("count", [22, 24])
def test_no_file_has_more_or_fewer_latents_than_announced(tmp_path, latents, count):
    with pytest.raises(ValueError, match=f"{count} announced"):
        write(tmp_path / "a.h5", latents, count=count)
    assert not list(tmp_path.iterdir())


def test_a_file_describes_itself(tmp_path, latents):
    info = latents_info(write(tmp_path / "a.h5", latents))
    assert (info.count, info.shape, info.autoencoder_digest) == (23, (4, 8, 8), "abc")
    assert ATTRIBUTES.items() <= info.attributes.items()


def test_columns_of_text_and_numbers_come_back(tmp_path, latents):
    texts = ["", "a", "Küche", "a longer name / with % signs", *["x"] * 19]
    with writing_latents(tmp_path / "a.h5", len(latents), ATTRIBUTES) as writer:
        writer.append(latents)
        writer.column("sample_id", texts)
        writer.column("is_augmented", np.arange(23) % 2 == 0)
        writer.column("noise_index", np.arange(23))
    assert read_column(tmp_path / "a.h5", "sample_id").tolist() == texts
    assert read_column(tmp_path / "a.h5", "noise_index").tolist() == list(range(23))
    assert read_column(tmp_path / "a.h5", "is_augmented").dtype == bool


def test_a_missing_column_is_named_with_those_there_are(tmp_path, latents):
    path = write(tmp_path / "a.h5", latents)
    message = refusal(read_column, path, "group")
    assert f"{path}: has no column 'group'; it holds ['latents', 'noise_index'" in message


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e6])
@pytest.mark.filterwarnings("ignore:overflow")
def test_values_that_are_no_numbers_in_half_precision_are_refused_on_writing(
    tmp_path, latents, value
):
    latents[3, 0, 0, 0] = latents[5, 0, 0, 0] = value
    path = tmp_path / "a.h5"
    message = refusal(write, path, latents)
    assert f"{path}: 2 of 8 latents of a batch are NaN or infinite" in message
    assert list(tmp_path.iterdir()) == []


def test_nan_in_a_later_batch_leaves_no_file_either(tmp_path, latents):
    latents[22] = np.nan
    refusal(write, tmp_path / "a.h5", latents)
    assert list(tmp_path.iterdir()) == []


def test_nan_is_refused_on_reading(tmp_path, latents):
    path = write(tmp_path / "a.h5", latents)
    with h5py.File(path, "r+") as file:
        file["latents"][7, 0, 0, 0] = np.nan
    assert f"{path}: 1 of 23 latents hold NaN or infinity" in refusal(read_latents, path)
    read_latents(path, np.array([6, 8]))  # rows that are sound may be read


def test_a_missing_file_is_named(tmp_path):
    assert "a.h5: missing; run the stage that writes it" in refusal(read_latents, tmp_path / "a.h5")


@pytest.mark.parametrize("content", [b"", b"no HDF5 at all", b"\x89HDF\r\n\x1a\n"])
def test_what_is_no_hdf5_is_refused(tmp_path, content):
    path = tmp_path / "a.h5"
    path.write_bytes(content)
    message = refusal(read_latents, path)
    assert f"{path}: not a readable HDF5 file" in message
    assert "delete it and run snakemake again" in message


@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.99])
def test_a_truncated_file_is_refused(tmp_path, latents, share):
    path = write(tmp_path / "a.h5", latents)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    message = refusal(read_latents, path)
    assert f"{path}: " in message
    assert "delete it and run snakemake again" in message


def test_a_file_with_a_damaged_byte_is_refused_or_sound_but_never_crashes(tmp_path, latents):
    """h5py reports damage as OSError, RuntimeError or KeyError, as the call that met it goes."""
    path = write(tmp_path / "a.h5", latents)
    content = path.read_bytes()
    refused = 0
    assert b"GCOL" not in content  # a heap of text, which HDF5 would read without a checksum
    for position in range(0, 3000, 7):
        damaged = bytearray(content)
        damaged[position] ^= 0xFF
        path.write_bytes(damaged)
        try:
            latents_info(path)
            read_latents(path)
            read_column(path, "sample_id")
        except UserError as error:
            assert str(path) in str(error)  # noqa: PT017
            assert "delete it and run snakemake again" in str(error)  # noqa: PT017
            refused += 1
    assert refused > 20


def test_a_file_of_another_kind_is_refused(tmp_path):
    path = tmp_path / "layouts.h5"
    with writing_layouts(path, None) as writer:
        writer.append(np.zeros((8, 8, 3), np.uint8), LayoutRow("a", "a", "a", "train", False))
    message = refusal(read_latents, path)
    assert f"{path}: holds ['group', 'is_augmented', 'layouts'" in message
    assert "expected a dataset 'latents'; is it another kind of file?" in message


def test_a_file_of_another_format_version_is_refused(tmp_path, latents):
    path = write(tmp_path / "a.h5", latents)
    with h5py.File(path, "r+") as file:
        file.attrs["format_version"] = 2
    assert f"{path}: format version is 2, expected 1; delete it" in refusal(latents_info, path)


def test_latents_of_different_autoencoders_are_refused_with_both_files(tmp_path, latents):
    first = latents_info(write(tmp_path / "first.h5", latents))
    same = latents_info(write(tmp_path / "same.h5", latents))
    other_path = write(
        tmp_path / "other.h5", latents, attributes=ATTRIBUTES | {"autoencoder_digest": "xyz"}
    )
    require_same_autoencoder(first, same, (tmp_path / "autoencoder", "abc"))
    message = refusal(require_same_autoencoder, first, same, latents_info(other_path))
    assert f"{other_path}: latents of autoencoder xyz, but {first.path} has" in message
    assert "autoencoder abc; encode and sample with one autoencoder" in message
    directory = tmp_path / "autoencoder"
    assert str(directory) in refusal(require_same_autoencoder, first, (directory, "xyz"))


def test_latents_of_another_shape_are_refused_with_what_was_expected(tmp_path, latents):
    info = latents_info(write(tmp_path / "a.h5", latents))
    require_shape(info, 4, 8, "the denoiser")
    message = refusal(require_shape, info, 16, 32, "the denoiser")
    assert f"{info.path}: latents are [4, 8, 8] but the denoiser expects [16, 32, 32]" in message
