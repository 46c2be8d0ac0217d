"""An exported class-conditional pipeline samples as we do, with diffusers and its own file."""

import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from diffusers import UNet2DModel
from test_pipeline import CHANNELS, CPU, SIDE, autoencoder, noise

from sparring.artefacts.models import save_model
from sparring.errors import UserError
from sparring.models.autoencoder import Codec
from sparring.models.denoiser import build_scheduler, load_denoiser, save_denoiser
from sparring.models.pipeline import write_index, write_models
from sparring.sampling import sampler
from sparring.settings.parts import NoiseScheduleSettings, SamplingSettings

NAMES = ["flat", "house", "tower"]


@pytest.fixture
def models(tmp_path):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = UNet2DModel(
            sample_size=SIDE, in_channels=CHANNELS, out_channels=CHANNELS, layers_per_block=1,
            block_out_channels=(8, 8), down_block_types=("DownBlock2D",) * 2,
            up_block_types=("UpBlock2D",) * 2, norm_num_groups=4, num_class_embeds=len(NAMES) + 1,
        )  # fmt: skip
    schedule = NoiseScheduleSettings(prediction="v")
    save_denoiser(tmp_path / "denoiser", model, build_scheduler(schedule))
    save_model(autoencoder(), tmp_path / "autoencoder")
    return tmp_path / "denoiser", tmp_path / "autoencoder"


WITHOUT_US = """
import sys
sys.modules["sparring"] = None
import numpy, torch
from diffusers import DiffusionPipeline
pipeline = DiffusionPipeline.from_pretrained(sys.argv[1], trust_remote_code=True)
options = dict(num_inference_steps=5, output_type="np", guidance_scale=2.5)
generator = torch.Generator().manual_seed(7)
numpy.save(sys.argv[2], pipeline(["tower", 0], generator=generator, **options).images)
print(type(pipeline).__name__, pipeline(["house"], num_inference_steps=2).images[0].size)
try:
    pipeline(["barn"])
except ValueError as error:
    print(error)
"""


def test_diffusers_loads_it_and_samples_what_we_sample(models, tmp_path, monkeypatch):
    write_models(*models, tmp_path / "pipeline", NAMES)
    write_index(tmp_path / "pipeline", NAMES)
    place = [str(tmp_path / name) for name in ("pipeline", "a.npy")]
    command = [sys.executable, "-c", WITHOUT_US, *place]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    first, second = done.stdout.strip().splitlines()
    assert first == "ClassConditionalLDMPipeline (16, 16)"
    assert second == "class label is 'barn', expected one of flat, house, tower"

    shape = (2, CHANNELS, SIDE, SIDE)
    monkeypatch.setattr(sampler, "normals", lambda *arguments, **keys: noise(*shape))
    settings = SamplingSettings(sampler="ddim", num_steps=5, guidance_scale=2.5)
    ours = sampler.Sampler(*load_denoiser(models[0]), settings, CPU)
    with torch.no_grad():
        latents = ours.sample(range(2), 0, labels=torch.tensor([2, 0]))
        rgb = Codec.load(models[1], CPU).decode(latents).rgb
    expected = (rgb / 2 + 0.5).clamp(0, 1).permute(0, 2, 3, 1).numpy()
    assert expected.std() > 0.01
    np.testing.assert_allclose(np.load(tmp_path / "a.npy"), expected, atol=1e-4)


def test_the_index_names_the_conditions_as_other_pipelines_do(models, tmp_path):
    write_models(*models, tmp_path / "pipeline", NAMES)
    write_index(tmp_path / "pipeline", NAMES)
    index = json.loads((tmp_path / "pipeline/model_index.json").read_text())
    assert index["id2label"] == {"0": "flat", "1": "house", "2": "tower"}


def test_an_unconditional_one_written_over_it_brings_no_code(models, tmp_path):
    write_models(*models, tmp_path, NAMES)
    write_index(tmp_path, NAMES)
    assert (tmp_path / "pipeline.py").is_file()
    write_index(tmp_path)
    assert not (tmp_path / "pipeline.py").exists()


@pytest.mark.parametrize("names", [[], NAMES[:2]])
def test_other_conditions_than_the_denoiser_knows_are_refused(models, tmp_path, names):
    with pytest.raises(UserError, match=r"a denoiser of 3 conditions, found .* --conditions"):
        write_models(*models, tmp_path / "pipeline", names)
