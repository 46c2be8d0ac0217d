"""Denoisers of other programs: every usual wrapping gives the same model, others are refused."""

import json

import pytest
import torch
from diffusers import DDPMScheduler, UNet2DModel
from safetensors.torch import save_file

from sparring.errors import UserError
from sparring.models.denoiser import load_denoiser, predict, save_denoiser
from sparring.models.foreign_denoiser import read_denoiser, read_scheduler


def unet(seed=0, **keys):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        tiny = {
            "sample_size": 8,
            "in_channels": 4,
            "out_channels": 4,
            "layers_per_block": 1,
            "block_out_channels": (8, 8),
            "down_block_types": ("DownBlock2D", "AttnDownBlock2D"),
            "up_block_types": ("AttnUpBlock2D", "UpBlock2D"),
            "norm_num_groups": 4,
            "attention_head_dim": 4,
        }
        return UNet2DModel(**(tiny | keys)).eval()


@pytest.fixture
def model():
    return unet()


@pytest.fixture
def config(tmp_path, model):
    path = tmp_path / "config.json"
    path.write_text(model.to_json_string())
    return path


def output(model):
    x = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        return predict(model, x, torch.tensor([3, 900]))


def saved(tmp_path, content, name="weights.pt"):
    torch.save(content, tmp_path / name)
    return tmp_path / name


def prefixed(weights, prefix):
    return {f"{prefix}{name}": tensor for name, tensor in weights.items()}


def refusal(*arguments) -> str:
    with pytest.raises(UserError) as caught:
        read_denoiser(*arguments)
    assert "\n" not in str(caught.value)
    return str(caught.value)


WRAPPINGS = {
    "": lambda w: w,
    "state_dict": lambda w: {"state_dict": w, "epoch": 3},
    "model": lambda w: {"model": w, "optimizer": {"state": {0: {"exp_avg": torch.zeros(2)}}}},
    "checkpoint.ema": lambda w: {"checkpoint": {"ema": w}},
    ": module.*": lambda w: prefixed(w, "module."),
    "state_dict: _orig_mod.model.*": lambda w: {"state_dict": prefixed(w, "_orig_mod.model.")},
}


@pytest.mark.parametrize("place", WRAPPINGS)
def test_a_usual_wrapping_changes_nothing_and_is_named(tmp_path, model, config, place):
    path = saved(tmp_path, WRAPPINGS[place](model.state_dict()))
    found = read_denoiser(path, config)
    assert torch.equal(output(found.model), output(model))
    assert (found.taken.place, found.taken.left_out, found.others) == (place, 0, [])


def test_safetensors_are_read(tmp_path, model, config):
    save_file(model.state_dict(), tmp_path / "weights.safetensors")
    found = read_denoiser(tmp_path / "weights.safetensors", config)
    assert torch.equal(output(found.model), output(model))


def test_a_denoiser_beside_other_networks_is_found_and_the_rest_counted(tmp_path, model, config):
    weights = prefixed(model.state_dict(), "unet.") | {"vae.conv.weight": torch.zeros(2)}
    found = read_denoiser(saved(tmp_path, weights), config)
    assert torch.equal(output(found.model), output(model))
    assert found.taken.left_out == 1


def test_the_average_goes_before_what_it_is_of_unless_a_key_is_given(tmp_path, model, config):
    average = unet(seed=1)
    both = {"model": model.state_dict(), "ema": average.state_dict()}
    path = saved(tmp_path, both)
    found = read_denoiser(path, config)
    assert torch.equal(output(found.model), output(average))
    assert (found.taken.place, found.others) == ("ema", ["model"])
    chosen = read_denoiser(path, config, "model")
    assert torch.equal(output(chosen.model), output(model))
    assert "no UNet2DModel's weights under the key 'emma'" in refusal(path, config, "emma")


def test_what_does_not_fit_gives_way_to_what_does(tmp_path, model, config):
    both = {"ema": unet(block_out_channels=(16, 16)).state_dict(), "model": model.state_dict()}
    found = read_denoiser(saved(tmp_path, both), config)
    assert torch.equal(output(found.model), output(model))


def test_half_precision_becomes_float32(tmp_path, model, config):
    weights = {name: tensor.bfloat16() for name, tensor in model.state_dict().items()}
    found = read_denoiser(saved(tmp_path, weights), config).model.state_dict()
    for name, tensor in weights.items():
        assert found[name].dtype == torch.float32
        assert torch.equal(found[name], tensor.float())


def test_attention_names_of_before_2023_are_understood(tmp_path, model, config):
    names = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
    weights = {}
    for name, tensor in model.state_dict().items():
        for new, old in names.items():
            name = name.replace(f".{new}.", f".{old}.")
        weights[name] = tensor
    assert weights.keys() != model.state_dict().keys()
    found = read_denoiser(saved(tmp_path, weights), config)
    assert torch.equal(output(found.model), output(model))


def test_a_config_without_a_class_name_will_do(tmp_path, model, config):
    content = json.loads(config.read_text())
    config.write_text(json.dumps({k: v for k, v in content.items() if not k.startswith("_")}))
    found = read_denoiser(saved(tmp_path, model.state_dict()), config)
    assert torch.equal(output(found.model), output(model))


def test_what_was_read_is_a_denoiser_directory(tmp_path, model, config):
    found = read_denoiser(saved(tmp_path, model.state_dict()), config)
    DDPMScheduler(num_train_timesteps=500, beta_schedule="squaredcos_cap_v2").save_pretrained(
        tmp_path / "scheduler"
    )
    schedule = read_scheduler(tmp_path / "scheduler" / "scheduler_config.json")
    save_denoiser(tmp_path / "out", found.model, schedule)
    again, again_schedule = load_denoiser(tmp_path / "out")
    assert torch.equal(output(again), output(model))
    assert again_schedule.config.num_train_timesteps == 500
    assert again_schedule.config.beta_schedule == "squaredcos_cap_v2"
    assert again_schedule.config.clip_sample is False


class TestRefused:
    def test_a_pickled_module(self, tmp_path, model, config):
        message = refusal(saved(tmp_path, model), config)
        assert "holds a pickled diffusers.models" in message
        assert "torch.save(model.state_dict(), 'denoiser.pt')" in message

    @pytest.mark.parametrize("name", ["last.ckpt", "last.pt"])
    def test_a_lightning_checkpoint(self, tmp_path, model, config, name):
        content = {"pytorch-lightning_version": "2.0", "state_dict": model.state_dict()}
        message = refusal(saved(tmp_path, content, name), config)
        assert "is a Lightning checkpoint" in message
        assert "torch.save(module.unet.state_dict(), 'denoiser.pt')" in message

    def test_missing_unknown_and_reshaped_tensors(self, tmp_path, model, config):
        weights = model.state_dict()
        bias = weights.pop("conv_out.bias")
        message = refusal(saved(tmp_path, weights), config)
        assert "conv_out.bias is missing (1 missing, 0 unknown, 0 of another shape)" in message
        assert "give the one of this model" in message
        message = refusal(saved(tmp_path, weights | {"conv_out.bias": bias[:2]}), config)
        assert "conv_out.bias is [2], expected [4] (0 missing, 0 unknown, 1 of" in message
        more = weights | {"conv_out.bias": bias, "head.bias": bias}
        message = refusal(saved(tmp_path, more), config)
        assert "head.bias is unknown to the config (0 missing, 1 unknown, 0 of" in message

    def test_weights_of_another_config(self, tmp_path, config):
        larger = unet(block_out_channels=(8, 16)).state_dict()
        message = refusal(saved(tmp_path, {"model": larger}), config)
        assert "under 'model'" in message
        assert "belong to another config.json" in message

    def test_not_a_state_dict(self, tmp_path, config):
        message = refusal(saved(tmp_path, {"weights": [1, 2]}), config)
        assert "holds a dict with 'weights', but no tensor named conv_in.weight" in message
        assert "holds a Tensor, but no" in refusal(saved(tmp_path, torch.zeros(2)), config)

    def test_nan(self, tmp_path, model, config):
        weights = model.state_dict()
        weights["conv_in.bias"][0] = float("nan")
        message = refusal(saved(tmp_path, weights), config)
        assert "tensor conv_in.bias holds NaN or infinity" in message

    @pytest.mark.parametrize(
        ("change", "part"),
        [
            ({"_class_name": "UNet2DConditionModel"}, "config of a UNet2DConditionModel"),
            ({"out_channels": 8}, "in_channels is 4 but out_channels 8"),
            ({"class_embed_type": "timestep"}, "class_embed_type is 'timestep', expected a"),
            ({"sample_size": None}, "sample_size is None, expected the latents' side"),
            ({"block_out_channels": [8, 8, 8]}, "no UNet2DModel can be built from it"),
        ],
    )
    def test_configs_of_what_cannot_be_carried(self, tmp_path, model, config, change, part):
        config.write_text(json.dumps(json.loads(config.read_text()) | change))
        assert part in refusal(saved(tmp_path, model.state_dict()), config)

    def test_foreign_endings_and_missing_files(self, tmp_path, config):
        assert "ends in '.onnx', expected weights in .pt" in refusal(tmp_path / "a.onnx", config)
        assert "a.pt: missing" in refusal(tmp_path / "a.pt", config)
        assert "nothing.json: cannot be read" in refusal(
            tmp_path / "a.pt", tmp_path / "nothing.json"
        )

    @pytest.mark.parametrize(
        ("content", "part"),
        [
            ({"prediction_type": "sample", "num_train_timesteps": 10}, "'sample'"),
            ({}, "has no num"),
        ],
    )
    def test_schedules_that_are_none(self, tmp_path, content, part):
        path = tmp_path / "scheduler_config.json"
        path.write_text(json.dumps(content))
        with pytest.raises(UserError) as caught:
            read_scheduler(path)
        assert part in str(caught.value)
