"""Decoded layouts and volumes beside the originals, which no autoencoder has touched."""

import json

import numpy as np
import pytest
import torch

from sparring.artefacts.decoded_statistics import read_maps, read_statistics
from sparring.artefacts.latents import read_column, read_latents, writing_latents
from sparring.artefacts.layouts import LayoutRow, Layouts, writing_layouts
from sparring.artefacts.models import save_model
from sparring.artefacts.volumes import VolumeRow, Volumes, writing_volumes
from sparring.compute import Compute
from sparring.errors import UserError
from sparring.evaluation.volume_statistics import volume_statistics
from sparring.models.autoencoder import Codec
from sparring.models.denoiser import build_denoiser, build_scheduler, save_denoiser
from sparring.models.vqgan_building import build_vqgan
from sparring.randomness import seeded_initialisation
from sparring.settings.autoencoder import AutoencoderSettings
from sparring.settings.parts import DECODED_REALS, DenoiserSettings, NoiseScheduleSettings
from sparring.settings.stages import EncodeLayouts, MeasureLayouts, TrainAutoencoder
from sparring.settings.volume_stages import MeasureVolumes
from sparring.settings.vqgan import VqganModel
from sparring.settings.vqgan_stages import EncodeVolumes
from sparring.stages.autoencoder import encode_layouts, train_autoencoder
from sparring.stages.evaluation import measure_layouts, measure_volumes
from sparring.stages.job import Job
from sparring.stages.volume_evaluation import encode_volumes

CONTENT = {"device": "cpu", "precision": "fp32", "checkpoint_minutes": 60.0}
CPU = Compute(torch.device("cpu"), bf16=False)
NAMES = ["background", "wall", "door", "room"]
CLASSES = [{"id": n, "name": name, "rgb": [80 * n, 9, 9]} for n, name in enumerate(NAMES)]
SPLITS = ("train",) * 24 + ("val",) * 8 + ("test",) * 16


def flat(draw):
    """A closed room of 16 pixels."""
    top, left, bottom, right = (*draw.integers(1, 5, 2), *draw.integers(10, 15, 2))
    ids = np.zeros((16, 16), dtype=np.uint8)
    ids[top : bottom + 1, left : right + 1] = 1
    ids[top + 1 : bottom, left + 1 : right] = 3
    ids[top, left + 2 : left + 4] = 2
    return ids


class Data:
    """Layouts, an autoencoder of one epoch, and latents; every other layout is a copy."""

    def __init__(self, folder, classes) -> None:
        self.folder, self.layouts = folder, folder / "layouts.h5"
        draw = np.random.default_rng(0)
        with writing_layouts(self.layouts, CLASSES if classes else None) as writer:
            for n, split in enumerate(SPLITS):
                ids = flat(draw)
                layout = ids if classes else np.stack([80 * ids] * 3, 2)
                row = LayoutRow(f"s{n}", f"s{n // 2 * 2}", f"s{n // 2}", split, n % 2 == 1)
                writer.append(layout, row)
        settings = AutoencoderSettings(
            dataset="d", block_out_channels=(8, 8), latent_channels=2, epochs=1, batch_size=8
        )
        self.autoencoder = folder / "autoencoder"
        job = self.job(TrainAutoencoder(autoencoder=settings))
        train_autoencoder(job, self.layouts, self.autoencoder)
        self.latents = {split: folder / f"{split}.h5" for split in ("train", "val", "test")}
        encode_layouts(self.job(EncodeLayouts()), self.layouts, self.autoencoder, self.latents)

    def job(self, settings):
        return Job(settings, self.folder / "state" / settings.stage / "job.json", CONTENT)

    def measure(self, samples, denoiser=None, held_out=None, name="statistics.h5"):
        output, statistics = self.folder / "layouts.json", self.folder / name
        measure_layouts(
            self.job(MeasureLayouts(seed=0, num_samples=8, batch_size=3)),
            self.autoencoder,
            self.layouts,
            held_out or self.latents["test"],
            samples,
            output,
            statistics,
            denoiser,
        )
        return json.loads(output.read_text()), statistics


@pytest.fixture(scope="module", params=[True, False], ids=["classes", "rgb"])
def data(request, tmp_path_factory):
    return Data(tmp_path_factory.mktemp("data"), request.param)


def originals(data, split):
    layouts = Layouts(data.layouts)
    return layouts, layouts.originals(split)


def test_the_null_has_originals_and_beside_them_what_the_autoencoder_does(data):
    figures, statistics = data.measure(data.latents["train"])
    layouts, rows = originals(data, "test")
    np.testing.assert_array_equal(read_maps(statistics, "held_out"), layouts.read(rows))
    names = [layouts.original_id[row] for row in rows]
    for whose in ("held_out", DECODED_REALS):
        assert read_statistics(statistics, whose)["group"].tolist() == names
    codec = Codec.load(data.autoencoder, CPU)
    kept = np.flatnonzero(~read_column(data.latents["test"], "is_augmented"))
    shown = codec.images(torch.from_numpy(read_latents(data.latents["test"], kept)))
    np.testing.assert_array_equal(layouts.rgb(read_maps(statistics, DECODED_REALS)), shown)
    assert figures.keys() == {"samples", "held_out", DECODED_REALS, "classes"}


def test_the_null_s_samples_are_training_originals(data):
    _, statistics = data.measure(data.latents["train"])
    layouts, rows = originals(data, "train")
    by_name = {layouts.original_id[row]: layouts.read(np.array([row]))[0] for row in rows}
    groups = read_statistics(statistics, "samples")["group"]
    assert len(set(groups)) == 8
    for name, layout in zip(groups, read_maps(statistics, "samples"), strict=True):
        np.testing.assert_array_equal(layout, by_name[name])


def test_figures_of_originals_know_no_decoder(data):
    figures, _ = data.measure(data.latents["train"])
    if not Layouts(data.layouts).classes:
        assert figures["held_out"] == figures[DECODED_REALS] == {}
        return
    assert figures["held_out"]["closed"] == figures["samples"]["closed"] == 1
    of_decoder = {"palette_purity", "head_agreement"}
    assert figures[DECODED_REALS].keys() - figures["held_out"].keys() == of_decoder
    assert not figures["samples"].keys() & of_decoder


def test_a_model_s_samples_are_decoded_and_grouped_by_noise(data):
    classes = Layouts(data.layouts).classes
    samples, denoiser = data.folder / "samples.h5", data.folder / "denoiser"
    with writing_latents(samples, 10, {"kind": "fake"}) as writer:
        writer.append(np.random.default_rng(0).normal(size=(10, 2, 8, 8)))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = build_denoiser(DenoiserSettings(preset="unet_tiny"), 2, 8)
    save_denoiser(denoiser, model, build_scheduler(NoiseScheduleSettings()))
    figures, statistics = data.measure(samples, denoiser)
    assert figures.keys() == {"samples", "classes"} | ({"predictions"} if classes else set())
    assert read_statistics(statistics, "samples")["group"].tolist() == list(range(8))
    assert read_maps(statistics, "samples").shape == ((8, 16, 16) if classes else (8, 16, 16, 3))
    data.measure(samples, denoiser, name="again.h5")
    assert statistics.read_bytes() == (data.folder / "again.h5").read_bytes()


def test_latents_of_other_layouts_are_refused(data):
    with pytest.raises(UserError, match=r"train\.h5: its 24 latents are not those of the 16 layou"):
        data.measure(data.latents["train"], held_out=data.latents["train"])


def test_the_autoencoder_s_record_has_the_recall_of_doors(data):
    record = json.loads((data.autoencoder / "reconstruction.json").read_text())
    if not Layouts(data.layouts).classes:
        assert "classes" not in record
        return
    assert [c["name"] for c in record["classes"]] == NAMES
    layouts, rows = originals(data, "test")
    maps = layouts.read(rows)
    codec = Codec.load(data.autoencoder, CPU)
    ids = codec.decode(codec.encode(maps)).class_ids.numpy()
    door = record["classes"][2]
    assert door["role"] == "door"
    assert door["recall"] == pytest.approx((ids == 2)[maps == 2].mean())
    assert record["originals"]["closed"] == 1
    assert 0 <= record["reconstructions"]["closed"] <= 1


@pytest.fixture(scope="module")
def encoded(tmp_path_factory):
    """Volumes of two patches each, a VQ-GAN, and latents."""
    folder = tmp_path_factory.mktemp("volumes")
    draw = np.random.default_rng(0)
    with writing_volumes(folder / "volumes.h5", (-300.0, 500.0), "RAS") as writer:
        for n in range(6):
            hu = draw.integers(-400, 600, size=(8, 8, 16)).astype(np.int16)
            split = "test" if n < 2 else "val" if n == 2 else "train"
            writer.append(hu, VolumeRow(f"v{n}", f"p{n}", split, np.eye(4)))
    book = {"num_codes": 8, "code_dim": 3}
    with seeded_initialisation(0, "vqgan"):
        model = build_vqgan(VqganModel(channels=(0, 4, 8), blocks=(0, 0, 0), codebook=book))
        model.codebook.initialise(torch.randn(8, 3))
    model.register_to_config(
        latents_mean=[0.0] * 3, latents_std=[1.0] * 3, hu_window=(-300.0, 500.0)
    )
    save_model(model.eval(), folder / "vqgan")
    job = Job(EncodeVolumes(patch_size=8), folder / "job.json", CONTENT)
    latents = {split: folder / f"{split}.h5" for split in ("train", "val", "test")}
    encode_volumes(job, folder / "volumes.h5", folder / "vqgan", latents)
    return folder


def volume_null(folder, samples="train.h5"):
    job = Job(MeasureVolumes(seed=0, num_samples=8), folder / "job.json", CONTENT)
    output = folder / "statistics.h5"
    measure_volumes(
        job,
        folder / "vqgan",
        folder / "test.h5",
        folder / samples,
        output,
        folder / "volumes.h5",
    )
    return output


def test_volumes_are_compared_with_original_patches_too(encoded):
    output = volume_null(encoded)
    held_out, decoded = (read_statistics(output, w) for w in ("held_out", DECODED_REALS))
    assert held_out["group"].tolist() == decoded["group"].tolist() == ["p0", "p0", "p1", "p1"]
    volumes, window = Volumes(encoded / "volumes.h5"), (-300.0, 500.0)
    patches = np.stack([volumes.read(row)[:, :, at : at + 8] for row in (0, 1) for at in (0, 8)])
    expected = volume_statistics(patches.clip(*map(int, window)), window)
    for name, values in expected.items():
        np.testing.assert_allclose(held_out[name], values, rtol=1e-3, err_msg=name)
    assert (decoded["gradient_energy"] != held_out["gradient_energy"]).all()
    assert set(read_statistics(output, "samples")["group"]) <= {"p3", "p4", "p5"}


def test_latents_of_other_volumes_are_refused(encoded):
    with pytest.raises(UserError, match=r"test\.h5: its latents are not those of the patches"):
        volume_null(encoded, "test.h5")
