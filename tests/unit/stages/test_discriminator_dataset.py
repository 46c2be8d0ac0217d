"""A manifest's reals and as many fakes, with their labels, whatever kills it on the way."""

import csv
import json

import numpy as np
import pytest
import torch
from PIL import Image

from sparring.artefacts.latent_sets import read_labelled_sets
from sparring.artefacts.latents import latents_info, read_column, read_latents
from sparring.artefacts.models import save_model
from sparring.errors import UserError
from sparring.models.autoencoder import build_autoencoder
from sparring.models.denoiser import build_denoiser, build_scheduler, save_denoiser
from sparring.settings.autoencoder import AutoencoderSettings
from sparring.settings.parts import DenoiserSettings, NoiseScheduleSettings
from sparring.settings.stages_by_hand import BuildDiscriminatorDataset
from sparring.stages import discriminator_dataset
from sparring.stages.discriminator_dataset import build_discriminator_dataset
from sparring.stages.job import Job
from sparring.stages.sampling import Models

CONTENT = {"device": "cpu", "precision": "fp32"}
SPLITS = ["train"] * 6 + ["val"] * 2 + ["test"] * 2


@pytest.fixture
def models(tmp_path):
    settings = AutoencoderSettings(
        dataset="d", block_out_channels=(8, 8), norm_num_groups=4, latent_channels=2
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        save_model(build_autoencoder(settings, 0, 32), tmp_path / "autoencoder")
        denoiser = build_denoiser(DenoiserSettings(preset="unet_tiny"), 2, 16)
    save_denoiser(tmp_path / "denoiser", denoiser, build_scheduler(NoiseScheduleSettings()))
    return Models(tmp_path / "denoiser", tmp_path / "autoencoder")


@pytest.fixture
def manifest(tmp_path):
    """Ten layouts, each with a copy that is turned; six of the originals train."""
    path = tmp_path / "manifest.csv"
    draw = np.random.default_rng(0)
    with open(path, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("sample_id", "layout_path", "split", "is_augmented", "parent_id"))
        for n, split in enumerate(SPLITS):
            image = Image.fromarray(draw.integers(255, size=(32, 32, 3), dtype=np.uint8))
            image.save(tmp_path / f"{n}.png")
            image.rotate(90).save(tmp_path / f"{n}_turned.png")
            writer.writerow((f"o{n}", f"{n}.png", split, 0, ""))
            writer.writerow((f"c{n}", f"{n}_turned.png", split, 1, f"o{n}"))
    return path


def job_of(manifest, **keys):
    told = {"sampling": {"num_steps": 2, "batch_size": 2}} | keys
    dataset = {"kind": "manifest", "manifest": str(manifest)}
    values = {"stage": "build_discriminator_dataset", "revision": 1, "dataset": dataset} | told
    settings = BuildDiscriminatorDataset.from_json(json.dumps(values), "test")
    state = manifest.parent / "state"
    return Job(settings, state / "job.json", CONTENT, digest="d")


def built(manifest, models, name="out", **keys):
    output = manifest.parent / name
    build_discriminator_dataset(job_of(manifest, **keys), models, output)
    return output


def test_reals_are_all_training_originals_and_fakes_as_many(manifest, models):
    output = built(manifest, models)
    reals, fakes = output / "real_latents.h5", output / "fake_latents.h5"
    assert read_column(reals, "sample_id").tolist() == [f"o{n}" for n in range(6)]
    assert latents_info(fakes).count == 6
    assert latents_info(reals).autoencoder_digest == latents_info(fakes).autoencoder_digest
    assert latents_info(reals).shape == latents_info(fakes).shape == (2, 16, 16)


def test_the_manifest_names_file_row_and_label_of_every_latent(manifest, models):
    output = built(manifest, models, num_samples=4)
    with open(output / "manifest.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["sample_id", "latent_path", "label", "is_viable"]
    assert [row["label"] for row in rows] == [row["is_viable"] for row in rows]
    assert [row["label"] for row in rows] == ["1"] * 4 + ["0"] * 4
    assert len({row["sample_id"] for row in rows}) == 8
    for row in rows:
        name, _, number = row["latent_path"].partition("#")
        assert name == ("real_latents.h5" if row["label"] == "1" else "fake_latents.h5")
        if row["label"] == "1":
            assert read_column(output / name, "sample_id")[int(number)] == row["sample_id"]
        assert int(number) < len(read_latents(output / name))


def test_the_manifest_is_read_back_as_reals_and_fakes(manifest, models):
    """What train_discriminator.py --dataset takes."""
    output = built(manifest, models, num_samples=4)
    for found, name in zip(
        read_labelled_sets(output / "manifest.csv"), ("real", "fake"), strict=True
    ):
        expected = read_latents(output / f"{name}_latents.h5")
        np.testing.assert_array_equal(found.latents, expected)


def test_more_reals_than_originals_are_refused_or_as_many_as_there_are(manifest, models):
    with pytest.raises(UserError, match="has 6 latents to draw reals from, but num_samples is 9"):
        built(manifest, models, num_samples=9)
    output = built(manifest, models, num_samples=9, allow_fewer_reals=True)
    assert latents_info(output / "fake_latents.h5").count == 6


@pytest.mark.parametrize("at", ["encode_layouts", "encode_real", "sample_fake"])
def test_a_second_attempt_goes_on_where_the_first_died(manifest, models, monkeypatch, at):
    undisturbed = built(manifest, models, name="undisturbed")
    expected = {p.name: p.read_bytes() for p in undisturbed.iterdir()}
    for left in (manifest.parent / "state" / "parts").iterdir():
        left.unlink()

    def die(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(discriminator_dataset, at, die)
        with pytest.raises(KeyboardInterrupt):
            built(manifest, models)

    def never(*_):
        raise AssertionError("done again")

    monkeypatch.setattr(discriminator_dataset, "pack_layouts", never)
    if at != "encode_layouts":
        monkeypatch.setattr(discriminator_dataset, "encode_layouts", never)
    output = built(manifest, models)
    assert {p.name: p.read_bytes() for p in output.iterdir()} == expected
