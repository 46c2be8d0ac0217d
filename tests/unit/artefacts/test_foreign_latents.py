"""Latents of other programs: read piece by piece, and refused by name where they cannot serve."""

import tracemalloc

import numpy as np
import pytest
import torch

from sparring.artefacts.foreign_latents import foreign_latents, read_sample, require_storable
from sparring.errors import UserError

SHAPE = (2, 4, 4)


@pytest.fixture
def latents():
    return torch.randn(7, *SHAPE, generator=torch.Generator().manual_seed(0))


def refusal(call, *arguments) -> str:
    with pytest.raises(UserError) as caught:
        call(*arguments)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def everything(path, size=3, **select):
    return np.concatenate(list(foreign_latents(path, **select).batches(size)))


def folder_of(path, latents, ending=".pt"):
    path.mkdir()
    for number, latent in enumerate(latents):
        if ending == ".pt":
            torch.save(latent.clone(), path / f"{number}.pt")
        else:
            np.save(path / f"{number}.npy", latent.numpy())
    return path


@pytest.mark.parametrize("form", ["pt", "old pt", "npy", "folder of pt", "folder of npy"])
@pytest.mark.parametrize("size", [1, 3, 64])
def test_every_form_gives_the_same_numbers_in_order(tmp_path, latents, form, size):
    path = tmp_path / "latents.pt"
    if form == "pt":
        torch.save(latents, path)
    elif form == "old pt":  # as torch wrote before 1.6
        torch.save(latents, path, _use_new_zipfile_serialization=False)
    elif form == "npy":
        path = tmp_path / "latents.npy"
        np.save(path, latents.numpy())
    else:
        path = folder_of(tmp_path / "folder", latents, f".{form.split()[-1]}")
    found = foreign_latents(path)
    assert (len(found), found.shape) == (7, SHAPE)
    assert found.sample_id == found.original_id == [str(n) for n in range(7)]
    np.testing.assert_array_equal(everything(path, size), latents.numpy())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_precisions_are_read_as_float32(tmp_path, latents, dtype):
    torch.save(latents.to(dtype), tmp_path / "a.pt")
    found = everything(tmp_path / "a.pt")
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, latents.to(dtype).float().numpy())


def test_big_endian_numbers_are_read(tmp_path, latents):
    np.save(tmp_path / "a.npy", latents.numpy().astype(">f4"))
    np.testing.assert_array_equal(everything(tmp_path / "a.npy"), latents.numpy())


def test_a_sample_may_have_a_leading_axis_of_one(tmp_path, latents):
    torch.save(latents[:1], tmp_path / "a.pt")
    np.testing.assert_array_equal(read_sample(tmp_path / "a.pt"), latents[0].numpy())


def test_memory_does_not_grow_with_the_number_of_files(tmp_path):
    """Four times the files: the same peak, far below all of them."""
    peaks = []
    for count in (96, 384):
        folder = tmp_path / str(count)
        folder.mkdir()
        for number in range(count):
            np.save(folder / f"{number}.npy", np.zeros((8, 32, 32), np.float32))
        tracemalloc.start()
        for batch in foreign_latents(folder).batches(16):
            assert len(batch) == 16
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    one = 8 * 32 * 32 * 4
    assert peaks[1] < peaks[0] + 30 * one
    assert peaks[1] < 100 * one


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("form", ["tensor", "folder"])
def test_nan_and_infinity_are_counted_over_all_and_the_first_named(tmp_path, latents, value, form):
    latents[2, 0, 0, 0] = latents[5] = value
    path = tmp_path / "a.pt"
    torch.save(latents, path)
    if form == "folder":
        path = folder_of(tmp_path / "folder", latents)
    message = refusal(everything, path)
    assert f"{path}: 2 of 7 latents hold NaN or infinity, first '2'" in message


def test_mixed_shapes_name_both_files(tmp_path, latents):
    path = folder_of(tmp_path / "folder", latents)
    torch.save(torch.zeros(2, 4, 5), path / "5.pt")
    message = refusal(everything, path)
    assert f"{path / '5.pt'}: latents are [2, 4, 5], but {path / '0.pt'} has [2, 4, 4]" in message


@pytest.mark.parametrize("shape", [(7, 4, 4), (4,), (0, 2, 4, 4), (1, 7, 2, 4, 4)])
def test_a_tensor_of_another_rank_is_refused(tmp_path, shape):
    torch.save(torch.zeros(shape), tmp_path / "a.pt")
    message = refusal(foreign_latents, tmp_path / "a.pt")
    assert f"a.pt: holds a tensor {list(shape)}, expected [N,C,H,W]" in message


def test_a_sample_of_another_rank_is_refused(tmp_path, latents):
    torch.save(latents, tmp_path / "a.pt")
    assert "a.pt: holds a tensor [7, 2, 4, 4], expected one latent [C,H,W]" in refusal(
        read_sample, tmp_path / "a.pt"
    )


def test_what_is_no_tensor_is_refused_with_the_way_out(tmp_path, latents):
    for content, parts in {
        "dict": ({"latents": latents, "ids": 1}, ("holds a dict with 'latents', 'ids'",)),
        "list": ([latents], ("holds a list",)),
        "integers": (torch.arange(4), ("holds a tensor of torch.int64",)),
    }.values():
        torch.save(content, tmp_path / "a.pt")
        message = refusal(foreign_latents, tmp_path / "a.pt")
        for part in (*parts, "torch.save(latents, 'latents.pt')"):
            assert part in message


def test_a_pickled_object_is_refused_and_not_run(tmp_path):
    class Trap:
        def __reduce__(self):
            return open, (str(tmp_path / "sprung"), "w")

    torch.save(Trap(), tmp_path / "a.pt")
    np.save(tmp_path / "a.npy", np.array([Trap()], dtype=object), allow_pickle=True)
    (tmp_path / "sprung").unlink(missing_ok=True)
    assert "a.pt: holds a pickled io.open, which is not loaded" in refusal(
        foreign_latents, tmp_path / "a.pt"
    )
    assert "a.npy: not a readable array of numbers" in refusal(foreign_latents, tmp_path / "a.npy")
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("ending", ["pt", "npy"])
@pytest.mark.parametrize("kept", [0, 4, 300])
def test_damaged_files_are_named(tmp_path, latents, ending, kept):
    path = tmp_path / f"a.{ending}"
    torch.save(latents, path) if ending == "pt" else np.save(path, latents.numpy())
    path.write_bytes(path.read_bytes()[:kept])
    assert f"{path}: not a readable" in refusal(foreign_latents, path)


def test_missing_files_foreign_endings_and_empty_folders_are_named(tmp_path):
    assert "a.pt: missing" in refusal(foreign_latents, tmp_path / "a.pt")
    assert "a.npy: missing" in refusal(foreign_latents, tmp_path / "a.npy")
    (tmp_path / "a.h5").touch()
    assert "a.h5: ends in '.h5', expected latents in .pt" in refusal(
        foreign_latents, tmp_path / "a.h5"
    )
    (tmp_path / "folder").mkdir()
    assert "folder: has no .pt" in refusal(foreign_latents, tmp_path / "folder")


def test_two_files_of_one_name_are_refused(tmp_path, latents):
    path = folder_of(tmp_path / "folder", latents)
    np.save(path / "3.npy", latents[3].numpy())
    assert f"{path}: has 3.npy and 3.pt, expected one of them" in refusal(foreign_latents, path)


def test_only_a_manifest_has_labels(tmp_path, latents):
    torch.save(latents, tmp_path / "a.pt")
    assert "has no labels to select rows by" in refusal(foreign_latents, tmp_path / "a.pt", True)


def test_the_digest_follows_the_content(tmp_path, latents):
    first = foreign_latents(folder_of(tmp_path / "first", latents)).digest
    assert foreign_latents(folder_of(tmp_path / "same", latents)).digest == first
    latents[6, 0, 0, 0] += 1
    assert foreign_latents(folder_of(tmp_path / "other", latents)).digest != first


def test_numbers_beyond_half_precision_are_refused_with_their_size(tmp_path):
    latents = np.zeros((2, *SHAPE), np.float32)
    latents[0, 0, 0, 0] = 65504  # the largest that half precision holds
    require_storable(latents, tmp_path)
    latents[1, 0, 0, :2] = -7e4
    message = refusal(require_storable, latents, tmp_path)
    assert "2 numbers of a batch go beyond half precision, up to 7e+04" in message
    assert "standardise" in message
