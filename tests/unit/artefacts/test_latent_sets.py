"""Sets of latents for a discriminator: from files of this workflow, bare tensors, labelled rows."""

import numpy as np
import pytest
import torch

from sparring.artefacts.latent_sets import read_labelled_sets, read_latent_set
from sparring.artefacts.latents import writing_latents
from sparring.errors import UserError

LATENTS = np.random.default_rng(0).normal(size=(6, 2, 4, 4)).astype(np.float32)


def write_h5(path, **columns):
    with writing_latents(
        path, len(LATENTS), {"kind": "real", "autoencoder_digest": "abc"}
    ) as writer:
        writer.append(LATENTS)
        for name, values in columns.items():
            writer.column(name, values)
    return path


def write_labelled(folder, *lines):
    for number, latent in enumerate(LATENTS):
        np.save(folder / f"{number}.npy", latent)
    path = folder / "manifest.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_both_forms_give_the_same_latents(tmp_path):
    torch.save(torch.from_numpy(LATENTS), tmp_path / "a.pt")
    ours = read_latent_set(write_h5(tmp_path / "a.h5"))
    other = read_latent_set(tmp_path / "a.pt")
    assert ours.latents.dtype == other.latents.dtype == np.float16
    np.testing.assert_array_equal(ours.latents, other.latents)
    assert (ours.info.count, ours.info.shape) == (other.info.count, other.info.shape)
    assert ours.info.names_autoencoder
    assert not other.info.names_autoencoder


def test_originals_are_those_of_the_file_or_else_the_rows(tmp_path):
    ids = ["a", "a", "b", "b", "c", "c"]
    named = read_latent_set(write_h5(tmp_path / "named.h5", original_id=ids))
    assert named.original_id.tolist() == ids
    torch.save(torch.from_numpy(LATENTS), tmp_path / "a.pt")
    for path in (write_h5(tmp_path / "plain.h5"), tmp_path / "a.pt"):
        assert read_latent_set(path).original_id.astype(str).tolist() == list("012345")


@pytest.mark.parametrize("column", ["label", "is_viable"])
def test_a_manifest_parts_reals_from_fakes(tmp_path, column):
    lines = [f"{n}.npy,{int(n % 3 == 0)},o{n}" for n in range(6)]
    path = write_labelled(tmp_path, f"latent_path,{column},original_id", *lines)
    real, fake = read_labelled_sets(path)
    np.testing.assert_array_equal(real.latents, LATENTS[[0, 3]].astype(np.float16))
    np.testing.assert_array_equal(fake.latents, LATENTS[[1, 2, 4, 5]].astype(np.float16))
    assert real.original_id.tolist() == ["o0", "o3"]


def test_a_manifest_may_name_rows_of_latents_files(tmp_path):
    write_h5(tmp_path / "all.h5")
    lines = [f"all.h5#{n},{int(n < 2)}" for n in (5, 0, 1, 3)]
    path = write_labelled(tmp_path, "latent_path,label", *lines)
    real, fake = read_labelled_sets(path)
    np.testing.assert_array_equal(real.latents, LATENTS[[0, 1]].astype(np.float16))
    np.testing.assert_array_equal(fake.latents, LATENTS[[5, 3]].astype(np.float16))


def test_a_row_that_the_file_does_not_have_is_refused(tmp_path):
    write_h5(tmp_path / "all.h5")
    path = write_labelled(tmp_path, "latent_path,label", "all.h5#0,1", "all.h5#6,0")
    with pytest.raises(
        UserError, match=r"all\.h5: has 6 latents, but all\.h5#6 is said to be row 6"
    ):
        read_labelled_sets(path)


def test_the_label_counts_where_both_are_given(tmp_path):
    lines = ["latent_path,label,is_viable", "0.npy,1,0", "1.npy,0,1"]
    real, _ = read_labelled_sets(write_labelled(tmp_path, *lines))
    np.testing.assert_array_equal(real.latents, LATENTS[:1].astype(np.float16))


@pytest.mark.parametrize(
    ("lines", "part"),
    [
        (("latent_path,label", "0.npy,1", "1.npy,"), "1 has an empty 'label'"),
        (("latent_path,label", "0.npy,1", "1.npy,1"), "no row has label 0"),
        (("latent_path", "0.npy", "1.npy"), "0 has an empty 'is_viable'"),
    ],
)
def test_rows_without_a_side_are_refused(tmp_path, lines, part):
    with pytest.raises(UserError) as caught:
        read_labelled_sets(write_labelled(tmp_path, *lines))
    assert part in str(caught.value)
