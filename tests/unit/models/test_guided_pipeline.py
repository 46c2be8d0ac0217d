"""An exported guided pipeline samples as we do, with diffusers and the files in it."""

import json
import subprocess
import sys

import numpy as np
import torch
from test_pipeline import CHANNELS, CPU, SIDE, autoencoder, noise

from sparring.artefacts.models import load_model, save_model
from sparring.models.autoencoder import Codec
from sparring.models.backbone import from_denoiser
from sparring.models.denoiser import build_denoiser, build_scheduler, load_denoiser, save_denoiser
from sparring.models.discriminator import LatentDiscriminator
from sparring.models.guided import guided
from sparring.models.pipeline import code_files, write_index, write_models
from sparring.models.vqgan_building import build_vqgan
from sparring.randomness import seeded_initialisation
from sparring.sampling import sampler
from sparring.sampling.decoders import VolumeDecoder
from sparring.settings.parts import DenoiserSettings, NoiseScheduleSettings, SamplingSettings
from sparring.settings.vqgan import VqganModel
from sparring.stages.exchange import export_pipeline

NAMES = ["flat", "house"]
WITHOUT_US = """
import sys
sys.modules["sparring"] = None
import numpy, torch
from diffusers import DiffusionPipeline
pipeline = DiffusionPipeline.from_pretrained(sys.argv[1], trust_remote_code=True)
pipeline.set_progress_bar_config(disable=True)
given = {"batch_size": 2}
if sys.argv[3] == "conditions":
    given = {"class_labels": ["house", 0], "guidance_scale": 2.5}
if sys.argv[3] != "volumes":
    given["output_type"] = "np"
generator = torch.Generator().manual_seed(7)
made = pipeline(generator=generator, num_inference_steps=4, **given)
numpy.save(sys.argv[2], made.volumes.numpy() if sys.argv[3] == "volumes" else made.images)
print(type(pipeline).__name__, type(pipeline.unet).__name__, len(pipeline.unet.guides))
"""


def guided_twice(model, channels, dims, conditions=0):
    """By a convolutional discriminator with spectral norms and by one of the denoiser's encoder."""
    schedule = build_scheduler(NoiseScheduleSettings(prediction="v"))
    with seeded_initialisation(1, "critics"):
        first = LatentDiscriminator(channels, 8, 1, conditions, dims, noised=True, spectral=True)
        second = from_denoiser(model, conditions, dims, noised=True)
        for p in (*first.parameters(), *second.parameters()):
            if not p.any():
                torch.nn.init.normal_(p, std=0.5)
    once = guided(model, first.eval(), 1.0, (0.0, 1.0), schedule)
    return guided(once, second.eval(), 0.5, (0.0, 0.9), schedule), schedule


def layout_models(folder, conditions=0):
    with seeded_initialisation(0, "denoiser"):
        model = build_denoiser(DenoiserSettings(preset="unet_tiny"), CHANNELS, SIDE, conditions)
    save_denoiser(folder / "denoiser", *guided_twice(model.eval(), CHANNELS, 2, conditions))
    save_denoiser(folder / "plain", model, build_scheduler(NoiseScheduleSettings(prediction="v")))
    save_model(autoencoder(), folder / "autoencoder")


def volume_models(folder):
    book = {"num_codes": 8, "code_dim": CHANNELS}
    with seeded_initialisation(0, "volumes"):
        vqgan = build_vqgan(VqganModel(channels=(0, 4, 8), blocks=(0, 0, 1), codebook=book))
        model = build_denoiser(DenoiserSettings(preset="unet3d_tiny"), CHANNELS, (SIDE,) * 3)
        torch.nn.init.normal_(model.network.out[2].conv.weight, std=0.05)
        vqgan.codebook.initialise(torch.randn(8, CHANNELS))
    vqgan.register_to_config(
        hu_window=(-500.0, 700.0), latents_mean=[0.5, 0.0, 0.1], latents_std=[2.0] * CHANNELS
    )
    save_denoiser(folder / "denoiser", *guided_twice(model.eval(), CHANNELS, 3))
    save_model(vqgan, folder / "autoencoder")


def exported(folder, kind, conditions=()):
    """What diffusers alone samples from the pipeline, and what it says of itself."""
    write_models(folder / "denoiser", folder / "autoencoder", folder / "pipeline", conditions)
    write_index(folder / "pipeline", conditions)
    place = [str(folder / name) for name in ("pipeline", "a.npy")]
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_US, *place, kind],
        capture_output=True, text=True, cwd=folder,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return np.load(folder / "a.npy"), done.stdout.strip()


def ours(folder, monkeypatch, shape, denoiser="denoiser", labels=None, **settings):
    """Latents from the same noise."""
    monkeypatch.setattr(sampler, "normals", lambda *arguments, **keys: noise(*shape))
    made = sampler.Sampler(
        *load_denoiser(folder / denoiser),
        SamplingSettings(sampler="ddim", num_steps=4, **settings),
        CPU,
    )
    return made.sample(range(2), 0, labels=labels)


def images(folder, latents):
    with torch.no_grad():
        rgb = Codec.load(folder / "autoencoder", CPU).decode(latents).rgb
    return (rgb / 2 + 0.5).clamp(0, 1).permute(0, 2, 3, 1).numpy()


def test_of_layouts(tmp_path, monkeypatch):
    layout_models(tmp_path)
    theirs, said = exported(tmp_path, "layouts")
    assert said == "LDMPipeline GuidedDenoiser 2"
    shape = (2, CHANNELS, SIDE, SIDE)
    expected = images(tmp_path, ours(tmp_path, monkeypatch, shape))
    plain = images(tmp_path, ours(tmp_path, monkeypatch, shape, "plain"))
    np.testing.assert_allclose(theirs, expected, atol=1e-4)
    assert np.abs(theirs - plain).max() > 0.01  # it is the discriminators' doing


def test_with_conditions(tmp_path, monkeypatch):
    layout_models(tmp_path, len(NAMES))
    theirs, said = exported(tmp_path, "conditions", NAMES)
    assert said == "ClassConditionalLDMPipeline GuidedDenoiser 2"
    labels, shape = torch.tensor([1, 0]), (2, CHANNELS, SIDE, SIDE)
    latents = ours(tmp_path, monkeypatch, shape, labels=labels, guidance_scale=2.5)
    np.testing.assert_allclose(theirs, images(tmp_path, latents), atol=1e-4)


def test_of_volumes(tmp_path, monkeypatch):
    volume_models(tmp_path)
    theirs, said = exported(tmp_path, "volumes")
    assert said == "VolumeLDMPipeline GuidedDenoiser 2"
    latents = ours(tmp_path, monkeypatch, (2, CHANNELS, SIDE, SIDE, SIDE))
    expected = VolumeDecoder.load(tmp_path / "autoencoder", CPU).volumes(latents)
    assert expected.std() > 1
    np.testing.assert_allclose(theirs[:, 0], expected, atol=0.6)  # ours are whole HU


def test_the_card_says_what_guides_and_how_to_load(tmp_path):
    layout_models(tmp_path)
    place = tmp_path / "pipeline"
    export_pipeline(tmp_path / "denoiser", tmp_path / "autoencoder", None, [], place, "mine")
    card = (place / "README.md").read_text()
    assert "- guided by: 2 of its discriminators, weight 1, 0.5" in card
    assert "trust_remote_code=True" in card
    assert "- denoiser: UNet2DModel, " in card
    assert "| `unet/guided.py` | `" in card
    for name in code_files(place):
        assert "from .." not in (place / name).read_text(), name
    index = json.loads((place / "model_index.json").read_text())
    assert index["unet"] == ["guided", "GuidedDenoiser"]
    again = load_model(type(load_denoiser(tmp_path / "denoiser")[0]), place / "unet")
    assert len(again.guides) == 2


def test_a_plain_one_written_over_it_needs_no_code(tmp_path):
    layout_models(tmp_path)
    models, place = (tmp_path / "denoiser", tmp_path / "autoencoder"), tmp_path / "pipeline"
    write_models(*models, place)
    assert code_files(place)
    write_models(tmp_path / "plain", models[1], place)
    write_index(place)
    assert code_files(place) == []
    index = json.loads((place / "model_index.json").read_text())
    assert index["unet"] == ["diffusers", "UNet2DModel"]
