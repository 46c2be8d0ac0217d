"""Latents as pictures: one per latent in the file's order, in class colours where there are any."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from sparring.artefacts.latents import writing_latents
from sparring.artefacts.models import save_model
from sparring.compute import Compute
from sparring.errors import UserError
from sparring.models.autoencoder import Codec, build_autoencoder
from sparring.models.denoiser import build_denoiser, build_scheduler, save_denoiser
from sparring.settings.autoencoder import AutoencoderSettings
from sparring.settings.parts import DenoiserSettings, NoiseScheduleSettings, SamplingSettings
from sparring.settings.stages_by_hand import Decode, Sample
from sparring.stages.decoding import decode_latents, sample_pictures
from sparring.stages.job import Job
from sparring.stages.sampling import Models

COLOURS = [[255, 0, 0], [0, 255, 0], [0, 0, 255], [9, 9, 9]]
CONTENT = {"device": "cpu", "precision": "fp32"}


@pytest.fixture
def autoencoder(tmp_path):
    """32 pixels in four classes to latents [2, 16, 16]."""
    settings = AutoencoderSettings(
        dataset="d", block_out_channels=(8, 8), norm_num_groups=4, latent_channels=2
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        save_model(build_autoencoder(settings, 4, 32), tmp_path / "autoencoder")
    classes = [{"id": n, "name": str(n), "rgb": rgb} for n, rgb in enumerate(COLOURS)]
    (tmp_path / "autoencoder" / "classes.json").write_text(json.dumps(classes))
    return tmp_path / "autoencoder"


@pytest.fixture
def latents(tmp_path):
    path = tmp_path / "latents.h5"
    rows = np.random.default_rng(0).normal(size=(7, 2, 16, 16)).astype(np.float32)
    with writing_latents(
        path, len(rows), {"kind": "fake", "autoencoder_digest": "unknown"}
    ) as writer:
        writer.append(rows)
    return path


def decoded(latents, autoencoder, **keys):
    output = latents.parent / "out"
    job = Job(Decode(**keys), latents.parent / "state" / "job.json", CONTENT)
    decode_latents(job, latents, autoencoder, output)
    return output


def pictures(output):
    return {path.name: np.array(Image.open(path)) for path in (output / "pictures").iterdir()}


def test_every_latent_becomes_the_picture_of_its_row(latents, autoencoder):
    output = decoded(latents, autoencoder, batch_size=3)
    found = pictures(output)
    assert sorted(found) == [f"{n:05d}.png" for n in range(7)]
    codec = Codec.load(autoencoder, Compute(torch.device("cpu"), bf16=False))
    from sparring.artefacts.latents import read_latents

    expected = codec.images(torch.from_numpy(read_latents(latents)))
    for n in range(7):
        np.testing.assert_array_equal(found[f"{n:05d}.png"], expected[n])
    used = {tuple(pixel) for image in found.values() for pixel in image.reshape(-1, 3)}
    assert used <= {tuple(colour) for colour in COLOURS}


def test_the_grid_shows_the_first(latents, autoencoder):
    output = decoded(latents, autoencoder, grid=4, batch_size=3)
    grid = np.array(Image.open(output / "grid.png"))
    assert grid.shape == (2 * 66 + 2, 2 * 66 + 2, 3)
    last = pictures(output)["00003.png"].repeat(2, axis=0).repeat(2, axis=1)
    np.testing.assert_array_equal(grid[68:132, 68:132], last)


def test_fewer_pictures_leave_none_of_an_earlier_run(latents, autoencoder):
    decoded(latents, autoencoder)
    output = decoded(latents, autoencoder, num_samples=2)
    assert sorted(pictures(output)) == ["00000.png", "00001.png"]


def test_more_than_there_are_is_refused(latents, autoencoder):
    with pytest.raises(UserError, match=r"has 7 latents, but num_samples is 8; set at most 7"):
        decoded(latents, autoencoder, num_samples=8)


def test_latents_of_other_channels_are_refused(tmp_path, autoencoder):
    path = tmp_path / "latents.h5"
    with writing_latents(path, 2, {"kind": "fake"}) as writer:
        writer.append(np.zeros((2, 3, 16, 16), dtype=np.float32))
    with pytest.raises(UserError, match=r"latents are \[3, 16, 16\] but .* expects \[2, 16, 16\]"):
        decoded(path, autoencoder)


def test_latents_of_another_autoencoder_are_decoded_with_a_warning(tmp_path, autoencoder, caplog):
    path = tmp_path / "latents.h5"
    with writing_latents(path, 1, {"kind": "fake", "autoencoder_digest": "abc"}) as writer:
        writer.append(np.zeros((1, 2, 16, 16), dtype=np.float32))
    decoded(path, autoencoder)
    assert "latents of autoencoder abc" in caplog.text


@pytest.fixture
def denoiser(tmp_path):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = build_denoiser(DenoiserSettings(preset="unet_tiny"), 2, 16)
    save_denoiser(tmp_path / "denoiser", model, build_scheduler(NoiseScheduleSettings()))
    return tmp_path / "denoiser"


def sampled(tmp_path, models, **keys):
    settings = Sample(num_samples=3, sampling=SamplingSettings(num_steps=2), **keys)
    job = Job(settings, tmp_path / "state" / "job.json", CONTENT, digest="d")
    sample_pictures(job, models, tmp_path / "sampled")
    return tmp_path / "sampled"


def test_samples_are_the_pictures_of_their_latents(tmp_path, denoiser, autoencoder):
    output = sampled(tmp_path, Models(denoiser, autoencoder))
    again = decoded(output / "latents.h5", autoencoder)
    shown, expected = pictures(output), pictures(again)
    assert shown.keys() == expected.keys() == {f"{n:05d}.png" for n in range(3)}
    for name, picture in shown.items():
        np.testing.assert_array_equal(picture, expected[name])
    assert (output / "grid.png").is_file()


def test_a_noise_schedule_may_lie_elsewhere(tmp_path, denoiser, autoencoder):
    inside = sampled(tmp_path, Models(denoiser, autoencoder)) / "latents.h5"
    before = inside.read_bytes()
    schedule = Path(denoiser / "scheduler_config.json").rename(tmp_path / "diffusion.json")
    sampled(tmp_path / "b", Models(denoiser, autoencoder, schedule))
    assert (tmp_path / "b" / "sampled" / "latents.h5").read_bytes() == before
    with pytest.raises(UserError, match="has no num_train_timesteps"):
        sampled(tmp_path / "c", Models(denoiser, autoencoder, denoiser / "config.json"))
