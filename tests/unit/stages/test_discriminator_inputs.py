"""What a discriminator may be trained on: our files, bare tensors, or rows with labels."""

import logging

import numpy as np
import pytest
import torch

from sparring.artefacts.latents import writing_latents
from sparring.errors import UserError
from sparring.stages.discriminator import read_sets

LATENTS = torch.randn(8, 2, 4, 4, generator=torch.Generator().manual_seed(0))


def ours(path, latents=LATENTS, digest="abc"):
    with writing_latents(
        path, len(latents), {"kind": "fake", "autoencoder_digest": digest}
    ) as writer:
        writer.append(latents.numpy())
        writer.column("noise_index", np.arange(len(latents)))
    return path


def bare(path, latents=LATENTS):
    torch.save(latents, path)
    return path


def test_a_bare_tensor_counts_as_our_file_does_and_the_log_says_what_is_not_checked(
    tmp_path, caplog
):
    caplog.set_level(logging.INFO, logger="sparring")
    files = ours(tmp_path / "real.h5"), ours(tmp_path / "fake.h5")
    reals, fakes = read_sets(*files, None)
    assert not caplog.records
    for pair in [(bare(tmp_path / "r.pt"), files[1]), (files[0], bare(tmp_path / "f.pt"))]:
        caplog.clear()
        other = read_sets(*pair, None)
        for found, expected in zip(other, (reals, fakes), strict=True):
            np.testing.assert_array_equal(found.latents, expected.latents)
            assert found.original_id.astype(str).tolist() == [str(n) for n in range(8)]
        (record,) = caplog.records
        foreign = next(str(path) for path in pair if path.suffix == ".pt")
        assert foreign in record.getMessage()
        assert "is not checked" in record.getMessage()


def test_files_of_two_autoencoders_are_still_refused(tmp_path):
    files = ours(tmp_path / "real.h5"), ours(tmp_path / "fake.h5", digest="xyz")
    with pytest.raises(UserError, match="latents of autoencoder xyz"):
        read_sets(*files, None)


def test_two_shapes_are_refused(tmp_path):
    files = ours(tmp_path / "real.h5"), bare(tmp_path / "fake.pt", LATENTS[:, :, :2, :2])
    with pytest.raises(UserError, match=r"latents are \[2, 2, 2\]"):
        read_sets(*files, None)


def test_a_manifest_with_labels_is_both(tmp_path):
    for n in range(8):
        np.save(tmp_path / f"{n}.npy", LATENTS[n].numpy())
    lines = ["latent_path,label", *(f"{n}.npy,{n % 2}" for n in range(8))]
    (tmp_path / "manifest.csv").write_text("\n".join(lines))
    reals, fakes = read_sets(None, None, tmp_path / "manifest.csv")
    np.testing.assert_array_equal(reals.latents, LATENTS[1::2].numpy().astype(np.float16))
    np.testing.assert_array_equal(fakes.latents, LATENTS[::2].numpy().astype(np.float16))


@pytest.mark.parametrize("given", [(), ("real",), ("fake",), ("real", "dataset")])
def test_half_of_what_is_needed_is_refused(tmp_path, given):
    paths = [tmp_path / name if name in given else None for name in ("real", "fake", "dataset")]
    with pytest.raises(UserError, match="name both, or neither and --dataset instead"):
        read_sets(*paths)
