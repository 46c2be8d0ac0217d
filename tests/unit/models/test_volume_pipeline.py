"""An exported pipeline of volumes samples as we do, with diffusers, MONAI and its own files."""

import subprocess
import sys

import numpy as np
import pytest
import torch

from sparring.artefacts.models import save_model
from sparring.compute import Compute
from sparring.errors import UserError
from sparring.models.denoiser import build_denoiser, build_scheduler, load_denoiser, save_denoiser
from sparring.models.moments import Matching
from sparring.models.pipeline import write_index, write_models
from sparring.models.vqgan_building import build_vqgan
from sparring.randomness import seeded_initialisation
from sparring.sampling import sampler
from sparring.sampling.decoders import VolumeDecoder
from sparring.settings.parts import DenoiserSettings, NoiseScheduleSettings, SamplingSettings
from sparring.settings.vqgan import VqganModel

CPU = Compute(torch.device("cpu"), bf16=False)
CHANNELS, SIDE = 4, 4
WITHOUT_US = """
import sys
sys.modules["sparring"] = None
import numpy, torch
from diffusers import DiffusionPipeline
pipeline = DiffusionPipeline.from_pretrained(sys.argv[1], trust_remote_code=True)
pipeline.set_progress_bar_config(disable=True)
generator = torch.Generator().manual_seed(7)
made = pipeline(batch_size=2, num_inference_steps=3, generator=generator).volumes
numpy.save(sys.argv[2], made.numpy())
print(type(pipeline).__name__, list(made.shape))
"""


@pytest.fixture
def models(tmp_path):
    """A denoiser that does not predict zero, as a fresh one does, and a VQ-GAN with codes."""
    book = {"num_codes": 8, "code_dim": CHANNELS}
    settings = VqganModel(channels=(0, 4, 8), blocks=(0, 0, 1), codebook=book)
    with seeded_initialisation(0, "volume_pipeline"):
        vqgan = build_vqgan(settings)
        model = build_denoiser(DenoiserSettings(preset="unet3d_tiny"), CHANNELS, (SIDE,) * 3)
        torch.nn.init.normal_(model.network.out[2].conv.weight, std=0.05)
        vqgan.codebook.initialise(torch.randn(8, CHANNELS))
    vqgan.register_to_config(
        hu_window=(-500.0, 700.0), latents_mean=[0.5, 0.0, 0.1, -1.0], latents_std=[2.0] * 4
    )
    schedule = NoiseScheduleSettings(prediction="v")
    save_denoiser(tmp_path / "denoiser", model, build_scheduler(schedule))
    save_model(vqgan, tmp_path / "vqgan")
    return tmp_path / "denoiser", tmp_path / "vqgan"


def test_diffusers_loads_it_and_samples_what_we_sample(models, tmp_path, monkeypatch):
    write_models(*models, tmp_path / "pipeline")
    write_index(tmp_path / "pipeline")
    place = [str(tmp_path / name) for name in ("pipeline", "a.npy")]
    command = [sys.executable, "-c", WITHOUT_US, *place]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "VolumeLDMPipeline [2, 1, 16, 16, 16]"
    shape = (2, CHANNELS, SIDE, SIDE, SIDE)
    noise = torch.randn(shape, generator=torch.Generator().manual_seed(7))
    monkeypatch.setattr(sampler, "normals", lambda *arguments, **keys: noise)
    ours = sampler.Sampler(
        *load_denoiser(models[0]), SamplingSettings(sampler="ddim", num_steps=3), CPU
    )
    expected = VolumeDecoder.load(models[1], CPU).volumes(ours.sample(range(2), 0))
    found = np.load(tmp_path / "a.npy")[:, 0]
    assert expected.std() > 1
    assert found.min() >= -500
    assert found.max() <= 700
    np.testing.assert_allclose(found, expected, atol=0.6)  # ours are whole HU


@torch.no_grad()
def test_matched_samples_are_decoded_from_latents_as_they_were_sampled(models, tmp_path):
    match = Matching(np.linspace(0.7, 1.3, CHANNELS), np.linspace(-0.5, 0.5, CHANNELS))
    write_models(*models, tmp_path / "pipeline", matched=match)
    latents = torch.randn(2, CHANNELS, SIDE, SIDE, SIDE)
    found, plain = (
        VolumeDecoder.load(place, CPU) for place in (tmp_path / "pipeline" / "vqvae", models[1])
    )
    expected = plain.volumes(torch.from_numpy(match(latents.numpy())))
    assert expected.std() > 1
    np.testing.assert_allclose(found.volumes(latents), expected, atol=1)


def test_a_vqgan_for_other_latents_is_refused(models, tmp_path):
    model = build_denoiser(DenoiserSettings(preset="unet3d_tiny"), 8, (SIDE,) * 3)
    save_denoiser(tmp_path / "other", model, build_scheduler(NoiseScheduleSettings()))
    with pytest.raises(UserError, match=r"latents of 8 channels, but .* makes 4"):
        write_models(tmp_path / "other", models[1], tmp_path / "pipeline")
