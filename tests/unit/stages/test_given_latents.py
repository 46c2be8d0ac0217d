"""Latents that the manifest gives in place of encoding: right rows, right scale, sound files."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from sparring.artefacts.latents import latents_info, read_column, read_latents
from sparring.data.packing import pack
from sparring.errors import UserError
from sparring.settings.dataset import ManifestDataset
from sparring.settings.stages import EncodeLayouts
from sparring.stages.autoencoder import encode_layouts
from sparring.stages.job import Job

MEAN, STD = [0.5, -2.0], [3.0, 0.25]
SPLITS = ["train"] * 6 + ["val"] * 2 + ["test"] * 2
LATENTS = torch.randn(10, 2, 4, 4, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def autoencoder(tmp_path):
    """The files that the stage reads; no network is run."""
    folder = tmp_path / "autoencoder"
    folder.mkdir()
    config = {
        "latent_channels": 2,
        "latents_mean": MEAN,
        "latents_std": STD,
        "block_out_channels": [8, 8],
    }
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "diffusion_pytorch_model.safetensors").write_bytes(b"weights")
    return folder


@pytest.fixture
def data(tmp_path):
    """Ten layouts of 8 pixels with latents beside them, in an order that is not the splits'."""
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(tmp_path / "a.png")
    lines = ["sample_id,layout_path,latent_path,split"]
    for n in (7, 0, 8, 1, 2, 3, 9, 4, 5, 6):
        torch.save(LATENTS[n].clone(), tmp_path / f"{n}.pt")
        lines.append(f"s{n},a.png,{n}.pt,{SPLITS[n]}")
    (tmp_path / "manifest.csv").write_text("\n".join(lines))
    return tmp_path


def settings(data, **keys):
    values = {"latents": "manifest", "latents_are": "standardised"} | keys
    return ManifestDataset(kind="manifest", manifest=data / "manifest.csv", **values)


def take(data, autoencoder, **keys):
    dataset = settings(data, **keys)
    pack(dataset, data / "layouts.h5")
    outputs = {split: data / f"{split}.h5" for split in ("train", "val", "test")}
    stage = EncodeLayouts(dataset=dataset, batch_size=4)
    encode_layouts(Job(stage, Path("job.json"), {}), data / "layouts.h5", autoencoder, outputs)
    return outputs


def refusal(data, autoencoder, **keys) -> str:
    with pytest.raises(UserError) as caught:
        take(data, autoencoder, **keys)
    assert "\n" not in str(caught.value)
    assert not (data / "train.h5").exists()
    return str(caught.value)


def test_every_row_gets_its_own_latents(data, autoencoder):
    outputs = take(data, autoencoder)
    for split, path in outputs.items():
        names = read_column(path, "sample_id").tolist()
        assert sorted(names) == [f"s{n}" for n in range(10) if SPLITS[n] == split]
        expected = torch.stack([LATENTS[int(name[1:])] for name in names])
        np.testing.assert_array_equal(read_latents(path), expected.numpy().astype(np.float16))
        assert latents_info(path).attributes["split"] == split
        assert latents_info(path).names_autoencoder


def test_raw_latents_are_standardised_by_the_autoencoder(data, autoencoder):
    mean, std = (torch.tensor(v).reshape(2, 1, 1) for v in (MEAN, STD))
    for n in range(10):
        torch.save(LATENTS[n] * std + mean, data / f"{n}.pt")
    path = take(data, autoencoder, latents_are="raw")["val"]
    names = read_column(path, "sample_id").tolist()
    expected = torch.stack([LATENTS[int(name[1:])] for name in names])
    np.testing.assert_allclose(read_latents(path), expected, atol=5e-3)


def test_npy_files_serve_too(data, autoencoder):
    text = (data / "manifest.csv").read_text()
    np.save(data / "3.npy", LATENTS[3].numpy())
    (data / "manifest.csv").write_text(text.replace("3.pt", "3.npy"))
    before = read_latents(take(data, autoencoder)["train"])
    (data / "manifest.csv").write_text(text)
    np.testing.assert_array_equal(read_latents(take(data, autoencoder)["train"]), before)


def test_the_source_digest_follows_the_latents(data, autoencoder):
    def digest():
        return latents_info(take(data, autoencoder)["val"]).attributes["source_digest"]

    before = digest()
    assert digest() == before
    torch.save(LATENTS[0] + 1, data / "0.pt")
    assert digest() != before


def test_a_missing_file_is_named_with_how_many(data, autoencoder):
    (data / "7.pt").unlink()
    (data / "2.pt").unlink()
    message = refusal(data, autoencoder)
    assert "2.pt: latents are missing, as are 1 others of the 10" in message


def test_latents_of_another_shape_are_refused(data, autoencoder):
    for n in range(10):
        torch.save(torch.zeros(2, 8, 8), data / f"{n}.pt")
    message = refusal(data, autoencoder)
    assert "latents are [2, 8, 8], but" in message
    assert "makes [2, 4, 4] of layouts of 8 pixels" in message


def test_nan_is_counted(data, autoencoder):
    for n in (0, 4):
        torch.save(torch.full((2, 4, 4), float("nan")), data / f"{n}.pt")
    assert "2 of 6 latents hold NaN or infinity, first 's0'" in refusal(data, autoencoder)


def test_what_overflows_is_refused(data, autoencoder):
    torch.save(torch.full((2, 4, 4), 1e5), data / "0.pt")
    assert "beyond half precision, up to 1e+05" in refusal(data, autoencoder)


def test_latents_that_hardly_are_standardised_are_warned_of(data, autoencoder, caplog):
    for n in range(10):
        torch.save(LATENTS[n] * 9, data / f"{n}.pt")
    take(data, autoencoder)
    assert "are they raw, or of another autoencoder?" in caplog.text


@pytest.mark.parametrize(
    ("old", "new", "part"),
    [
        ("latent_path", "embedding", "has no column 'latent_path'"),
        (",4.pt,", ",,", "s4 has an empty 'latent_path'"),
    ],
)
def test_a_manifest_that_names_too_few_is_refused(data, autoencoder, old, new, part):
    path = data / "manifest.csv"
    path.write_text(path.read_text().replace(old, new))
    message = refusal(data, autoencoder)
    assert part in message
    assert "set latents: encode" in message


@pytest.mark.parametrize(
    ("keys", "part"),
    [
        ({"augmented": "dihedral"}, "augmented: dihedral makes copies that have no latents"),
        ({"latents": "encode"}, "latents_are says nothing with latents: encode"),
    ],
)
def test_settings_that_contradict_are_refused(data, keys, part):
    with pytest.raises(ValueError, match=part):
        settings(data, **keys)
