"""A denoiser's directory: plain diffusers opens it, and damage is refused with its name."""

import json

import pytest
import torch
from diffusers import DDIMScheduler, UNet2DModel

from sparring.artefacts.models import WEIGHTS, load_model, save_model
from sparring.errors import UserError
from sparring.models.denoiser import build_scheduler, load_denoiser, predict, save_denoiser
from sparring.models.discriminator import LatentDiscriminator
from sparring.settings.parts import NoiseScheduleSettings

FILES = (WEIGHTS, "config.json", "scheduler_config.json")


def tiny_unet(widths=(8, 8), channels=4):
    return UNet2DModel(
        sample_size=8,
        in_channels=channels,
        out_channels=channels,
        layers_per_block=1,
        block_out_channels=widths,
        down_block_types=("DownBlock2D",) * len(widths),
        up_block_types=("UpBlock2D",) * len(widths),
        norm_num_groups=4,
        attention_head_dim=4,
    )


@pytest.fixture
def saved(tmp_path):
    """A denoiser, its noise schedule and their directory."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = tiny_unet().eval()
    keys = {"prediction": "v", "zero_terminal_snr": True, "schedule": "cosine"}
    scheduler = build_scheduler(NoiseScheduleSettings(**keys))
    save_denoiser(tmp_path / "denoiser", model, scheduler)
    return model, scheduler, tmp_path / "denoiser"


def output(model):
    x = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        return predict(model, x, torch.tensor([3, 900]))


def refused(directory, *parts):
    """Exactly one line that names all the parts."""
    with pytest.raises(UserError) as refusal:
        load_denoiser(directory)
    message = str(refusal.value)
    for part in parts:
        assert part in message
    assert "\n" not in message


def test_loading_gives_the_same_outputs_and_schedule(saved):
    model, scheduler, directory = saved
    again, schedule = load_denoiser(directory)
    assert torch.equal(output(again), output(model))
    assert torch.equal(schedule.alphas_cumprod, scheduler.alphas_cumprod)
    assert schedule.config.prediction_type == "v_prediction"
    assert not again.training


def test_plain_diffusers_opens_it(saved):
    model, scheduler, directory = saved
    plain = UNet2DModel.from_pretrained(directory)
    assert torch.equal(output(plain), output(model))
    schedule = DDIMScheduler.from_pretrained(directory)
    assert torch.equal(schedule.alphas_cumprod, scheduler.alphas_cumprod)
    assert schedule.config.clip_sample is False
    assert schedule.config.timestep_spacing == "trailing"


def test_two_saves_are_the_same_bytes(saved, tmp_path):
    """Also after diffusers loaded it, which writes the path into the config."""
    model, scheduler, directory = saved
    save_denoiser(tmp_path / "again", model, scheduler)
    save_denoiser(tmp_path / "loaded", *load_denoiser(directory))
    plain = UNet2DModel.from_pretrained(directory), DDIMScheduler.from_pretrained(directory)
    save_denoiser(tmp_path / "plain", *plain)
    for name in FILES:
        for copy in ("again", "loaded", "plain"):
            assert (tmp_path / copy / name).read_bytes() == (directory / name).read_bytes(), copy
    assert "_name_or_path" not in (directory / "config.json").read_text()
    assert sorted(p.name for p in directory.iterdir()) == sorted(FILES)


def test_given_weights_replace_the_models_own(saved, tmp_path):
    model, scheduler, _ = saved
    weights = {name: tensor + 1 for name, tensor in model.state_dict().items()}
    save_denoiser(tmp_path / "average", model, scheduler, weights)
    again, _ = load_denoiser(tmp_path / "average")
    for name, tensor in again.state_dict().items():
        assert torch.equal(tensor, weights[name])


def test_clipping_of_a_foreign_schedule_is_switched_off(saved):
    """diffusers clips samples at +-1 by default, and standardised latents go beyond."""
    _, _, directory = saved
    path = directory / "scheduler_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"clip_sample": True}))
    assert load_denoiser(directory)[1].config.clip_sample is False


def test_missing_schedule_is_refused(saved):
    directory = saved[2]
    (directory / "scheduler_config.json").unlink()
    refused(directory, "scheduler_config.json", str(directory), "missing", "put")


def test_damaged_schedule_is_refused(saved):
    directory = saved[2]
    (directory / "scheduler_config.json").write_text("{")
    refused(directory, "scheduler_config.json", "not valid JSON")


@pytest.mark.parametrize("keep", [0, 5, 200, -1])
def test_truncated_weights_are_refused(saved, keep):
    path = saved[2] / WEIGHTS
    path.write_bytes(path.read_bytes()[:keep])
    refused(saved[2], WEIGHTS, "not a readable safetensors file")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_refused(saved, value):
    model, scheduler, directory = saved
    with torch.no_grad():
        model.conv_in.bias[0] = value
    save_denoiser(directory, model, scheduler)
    refused(directory, WEIGHTS, "conv_in.bias", "NaN or infinity")


def test_another_kind_of_model_is_refused(tmp_path):
    save_model(LatentDiscriminator(4, 8, 2), tmp_path)
    refused(tmp_path, str(tmp_path), "LatentDiscriminator", "UNet2DModel")


def test_missing_files_are_refused(saved, tmp_path):
    refused(tmp_path / "nowhere", "config.json", "nowhere", "expected a diffusers model directory")
    (saved[2] / WEIGHTS).unlink()
    refused(saved[2], WEIGHTS, "missing")


def test_config_that_is_not_json_is_refused(saved):
    (saved[2] / "config.json").write_text('{"sample_size": ')
    refused(saved[2], "config.json", "not valid JSON")


@pytest.mark.parametrize("other", [tiny_unet((8, 8, 8)), tiny_unet((8, 16)), tiny_unet((4, 8))])
def test_weights_of_another_config_are_refused(saved, other):
    """More levels give unknown names; other widths give the same names in other shapes."""
    model, scheduler, directory = saved
    save_denoiser(directory, model, scheduler, other.state_dict())
    refused(directory, WEIGHTS, "belongs to another config.json")


def test_loading_as_the_wrong_class_is_refused(saved):
    with pytest.raises(UserError, match="UNet2DModel, expected a LatentDiscriminator"):
        load_model(LatentDiscriminator, saved[2])


def test_config_that_describes_no_network_is_refused(saved):
    path = saved[2] / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"block_out_channels": [8, 8, 8]}))
    refused(saved[2], "config.json", "UNet2DModel", "block_out_channels")


def test_config_that_is_no_object_is_refused(saved):
    (saved[2] / "config.json").write_text("[1, 2]")
    refused(saved[2], "config.json", "[1, 2]")
