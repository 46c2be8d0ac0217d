"""An exported pipeline decodes and samples as we do, with diffusers alone."""

import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from diffusers import (
    AutoencoderKL,
    DiffusionPipeline,
    DPMSolverMultistepScheduler,
    UNet2DModel,
)

from sparring.artefacts.models import save_model
from sparring.compute import Compute
from sparring.errors import UserError
from sparring.models.autoencoder import Codec
from sparring.models.denoiser import build_scheduler, load_denoiser, save_denoiser
from sparring.models.moments import Matching
from sparring.models.pipeline import fold_statistics, write_index, write_models
from sparring.sampling import sampler
from sparring.settings.parts import NoiseScheduleSettings, SamplingSettings

CPU = Compute(torch.device("cpu"), bf16=False)
CHANNELS, SIDE = 3, 8
MEAN, STD = [0.5, -2.0, 0.1], [3.0, 0.25, 1.5]


def autoencoder(**keys):
    with torch.random.fork_rng():
        torch.manual_seed(1)
        settings = {
            "block_out_channels": (8, 8),
            "down_block_types": ("DownEncoderBlock2D",) * 2,
            "up_block_types": ("UpDecoderBlock2D",) * 2,
            "norm_num_groups": 4,
            "latent_channels": CHANNELS,
            "out_channels": 3 + 5,
            "sample_size": 2 * SIDE,
            "latents_mean": MEAN,
            "latents_std": STD,
            "scaling_factor": 1.0,
        }
        return AutoencoderKL(**(settings | keys)).eval()


def unet(channels=CHANNELS):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return UNet2DModel(
            sample_size=SIDE,
            in_channels=channels,
            out_channels=channels,
            layers_per_block=1,
            block_out_channels=(8, 8),
            down_block_types=("DownBlock2D",) * 2,
            up_block_types=("UpBlock2D",) * 2,
            norm_num_groups=4,
        ).eval()


def noise(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(7))


@pytest.fixture(
    params=[NoiseScheduleSettings(), NoiseScheduleSettings(prediction="v")], ids=["eps", "v"]
)
def models(request, tmp_path):
    """Directories of a denoiser and an autoencoder with statistics and a segmentation head."""
    save_denoiser(tmp_path / "denoiser", unet(), build_scheduler(request.param))
    save_model(autoencoder(), tmp_path / "autoencoder")
    return tmp_path / "denoiser", tmp_path / "autoencoder"


FORMS = {
    "statistics per channel": {},
    "one scale": {"latents_mean": None, "latents_std": None, "scaling_factor": 0.2},
    "scale and shift": {
        "latents_mean": None,
        "latents_std": None,
        "scaling_factor": 0.2,
        "shift_factor": 0.3,
    },
    "no convolutions beside the latents": {"use_quant_conv": False, "use_post_quant_conv": False},
    "no segmentation head": {"out_channels": 3},
}


@pytest.mark.parametrize("form", FORMS)
@torch.no_grad()
def test_the_folded_autoencoder_is_the_codec_without_its_scale(form):
    """Both ways: latents out are standardised, latents in are taken so."""
    model = autoencoder(**FORMS[form])
    codec = Codec(model, None, CPU)
    folded = fold_statistics(model)
    latents = noise(2, CHANNELS, SIDE, SIDE)
    torch.testing.assert_close(
        folded.decode(latents).sample, codec.decode(latents).rgb, rtol=1e-4, atol=1e-5
    )
    pixels = np.random.default_rng(0).integers(256, size=(2, 16, 16, 3), dtype=np.uint8)
    ours, theirs = codec.encode(pixels), folded.encode(codec.inputs(pixels)).latent_dist
    torch.testing.assert_close(theirs.mode(), ours, rtol=1e-4, atol=1e-4)
    own = model.encode(codec.inputs(pixels)).latent_dist.std
    torch.testing.assert_close(
        theirs.std, own / torch.tensor(codec.statistics[1]).reshape(1, -1, 1, 1)
    )
    config = folded.config
    assert (config.out_channels, config.scaling_factor) == (3, 1)
    assert config.latents_mean is config.latents_std is config.shift_factor is None


@pytest.mark.parametrize("form", FORMS)
@torch.no_grad()
def test_matched_samples_are_decoded_from_latents_as_they_were_sampled(form):
    """And layouts are encoded as before: the denoiser was trained on these latents."""
    model = autoencoder(**FORMS[form])
    match = Matching(np.array([1.3, 0.7, 1.0]), np.array([0.2, -0.5, 0.0]))
    folded, plain = fold_statistics(model, match), fold_statistics(model)
    latents = noise(2, CHANNELS, SIDE, SIDE)
    expected = Codec(model, None, CPU).decode(torch.from_numpy(match(latents.numpy()))).rgb
    torch.testing.assert_close(folded.decode(latents).sample, expected, rtol=1e-4, atol=1e-5)
    pixels = noise(1, 3, 16, 16)
    torch.testing.assert_close(
        folded.encode(pixels).latent_dist.mode(), plain.encode(pixels).latent_dist.mode()
    )


@torch.no_grad()
def test_a_pipeline_with_our_solver_samples_what_we_sample_and_match(models, tmp_path, monkeypatch):
    match = Matching(np.array([1.3, 0.7, 1.0]), np.array([0.2, -0.5, 0.0]))
    write_models(*models, tmp_path / "pipeline", matched=match)
    write_index(tmp_path / "pipeline")
    pipeline = DiffusionPipeline.from_pretrained(tmp_path / "pipeline")
    pipeline.scheduler = DPMSolverMultistepScheduler.from_config(
        pipeline.scheduler.config, solver_type="heun"
    )
    generator = torch.Generator().manual_seed(7)
    theirs = pipeline(2, generator, num_inference_steps=5, output_type="numpy").images

    shape = (2, CHANNELS, SIDE, SIDE)
    monkeypatch.setattr(sampler, "normals", lambda *arguments, **keys: noise(*shape))
    ours = sampler.Sampler(*load_denoiser(models[0]), SamplingSettings(num_steps=5), CPU)
    latents = torch.from_numpy(match(ours.sample(range(2), 0).numpy()))
    rgb = Codec.load(models[1], CPU).decode(latents).rgb
    expected = (rgb / 2 + 0.5).clamp(0, 1).permute(0, 2, 3, 1).numpy()
    np.testing.assert_allclose(theirs, expected, rtol=1e-3, atol=1e-4)


def test_folding_leaves_the_model_as_it_was():
    model = autoencoder()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    fold_statistics(model)
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, before[name])
    assert model.config.out_channels == 8


WITHOUT_US = """
import sys
sys.modules["sparring"] = None  # importing it fails from here on
import numpy, torch
from diffusers import DiffusionPipeline
try:
    import sparring
except ImportError:
    pass
else:
    raise SystemExit("sparring could be imported")
pipeline = DiffusionPipeline.from_pretrained(sys.argv[1])
generator = torch.Generator().manual_seed(7)
images = pipeline(2, generator, num_inference_steps=5, output_type="numpy").images
numpy.save(sys.argv[2], images)
print(type(pipeline).__name__, pipeline().images[0].size)
"""


def test_diffusers_alone_loads_it_and_samples_what_we_sample(models, tmp_path, monkeypatch):
    write_models(*models, tmp_path / "pipeline")
    write_index(tmp_path / "pipeline")
    command = [
        sys.executable,
        "-c",
        WITHOUT_US,
        str(tmp_path / "pipeline"),
        str(tmp_path / "a.npy"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "LDMPipeline (16, 16)"
    theirs = np.load(tmp_path / "a.npy")
    assert theirs.shape == (2, 16, 16, 3)
    assert np.isfinite(theirs).all()

    shape = (2, CHANNELS, SIDE, SIDE)
    monkeypatch.setattr(sampler, "normals", lambda *arguments, **keys: noise(*shape))
    denoiser, schedule = load_denoiser(models[0])
    ours = sampler.Sampler(denoiser, schedule, SamplingSettings(sampler="ddim", num_steps=5), CPU)
    with torch.no_grad():
        rgb = Codec.load(models[1], CPU).decode(ours.sample(range(2), 0)).rgb
    expected = (rgb / 2 + 0.5).clamp(0, 1).permute(0, 2, 3, 1).numpy()
    assert expected.std() > 0.01
    np.testing.assert_allclose(theirs, expected, atol=1e-4)


def test_a_foreign_schedule_does_not_bring_clipping_or_other_timesteps(models, tmp_path):
    path = models[0] / "scheduler_config.json"
    foreign = {"clip_sample": True, "timestep_spacing": "leading"}
    path.write_text(json.dumps(json.loads(path.read_text()) | foreign))
    write_models(*models, tmp_path / "pipeline")
    exported = json.loads((tmp_path / "pipeline/scheduler/scheduler_config.json").read_text())
    assert exported["clip_sample"] is False
    assert exported["timestep_spacing"] == "trailing"


def test_the_same_models_give_the_same_bytes(models, tmp_path):
    for name in ("first", "second"):
        write_models(*models, tmp_path / name)
        write_index(tmp_path / name)
    files = [path for path in (tmp_path / "first").rglob("*") if path.is_file()]
    assert len(files) == 6
    for path in files:
        other = tmp_path / "second" / path.relative_to(tmp_path / "first")
        assert path.read_bytes() == other.read_bytes()


def test_models_of_different_channels_are_refused(models, tmp_path):
    save_denoiser(tmp_path / "other", unet(4), build_scheduler(NoiseScheduleSettings()))
    with pytest.raises(UserError, match=r"latents of 4 channels, but .* makes 3"):
        write_models(tmp_path / "other", models[1], tmp_path / "pipeline")
    assert not (tmp_path / "pipeline").exists()
