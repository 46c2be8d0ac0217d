"""The autoencoder between layouts and standardised latents."""

import json

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL

from sparring.artefacts.layouts import LayoutRow, Layouts, writing_layouts
from sparring.artefacts.models import save_model
from sparring.compute import Compute
from sparring.errors import UserError
from sparring.models.autoencoder import Codec, build_autoencoder, split_heads, to_uint8
from sparring.settings.autoencoder import AutoencoderSettings
from sparring.training.autoencoder import latent_statistics

CPU = Compute(torch.device("cpu"), bf16=False)
CLASSES = [
    {"id": 0, "name": "outside", "rgb": [255, 255, 255]},
    {"id": 1, "name": "wall", "rgb": [0, 0, 0]},
    {"id": 2, "name": "door", "rgb": [200, 30, 40]},
    {"id": 3, "name": "room", "rgb": [10, 90, 250]},
]
PALETTE = np.array([entry["rgb"] for entry in CLASSES], dtype=np.uint8)


def settings(**keys):
    tiny = {"block_out_channels": (8, 8), "norm_num_groups": 4, "latent_channels": 2}
    return AutoencoderSettings(dataset="plans", **tiny | keys)


def codec(num_classes=4, palette=PALETTE, **keys):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = build_autoencoder(settings(**keys), num_classes, 8)
    return Codec(model, palette, CPU)


def layouts_of(count, side=8, classes=4, seed=0):
    return np.random.default_rng(seed).integers(classes, size=(count, side, side), dtype=np.uint8)


def test_one_hot_input_is_plus_one_at_the_class_and_minus_one_elsewhere():
    ids = layouts_of(4)
    inputs = codec(input="classes").inputs(ids)
    assert inputs.shape == (4, 4, 8, 8)
    assert (inputs.argmax(1).numpy() == ids).all()
    assert (inputs.sum(1) == -2).all()
    assert set(inputs.unique().tolist()) == {-1.0, 1.0}


def test_three_classes_are_not_taken_for_rgb():
    """Three channels mean RGB, so three classes get a fourth channel that stays empty."""
    ids = layouts_of(4, classes=3)
    made = codec(num_classes=3, input="classes")
    inputs = made.inputs(ids)
    assert (inputs.argmax(1).numpy() == ids).all()
    assert set(inputs.unique().tolist()) == {-1.0, 1.0}
    assert made.num_classes == 3


def test_rgb_input_is_the_class_colour():
    ids = layouts_of(4)
    inputs = codec(input="rgb").inputs(ids)
    assert inputs.shape == (4, 3, 8, 8)
    assert inputs.min() == -1
    assert inputs.max() == 1
    assert (to_uint8(inputs) == PALETTE[ids]).all()


def test_pictures_without_classes_are_taken_as_they_are():
    pixels = np.random.default_rng(1).integers(256, size=(2, 8, 8, 3), dtype=np.uint8)
    plain = codec(num_classes=0, palette=None)
    assert (to_uint8(plain.inputs(pixels)) == pixels).all()
    assert plain.num_classes == 0
    assert plain.images(plain.encode(pixels)).shape == (2, 8, 8, 3)


@pytest.mark.parametrize("levels", [1, 2, 3])
def test_factor_is_what_the_encoder_does(levels):
    made = codec(block_out_channels=(8,) * levels)
    latents = made.encode(layouts_of(2))
    assert latents.shape == (2, 2, 8 // made.factor, 8 // made.factor)
    assert latents.dtype == torch.float32
    decoded = made.decode(latents)
    assert decoded.rgb.shape == (2, 3, 8, 8)
    assert decoded.logits.shape == (2, 4, 8, 8)


@pytest.mark.parametrize("source", ["classes", "rgb"])
def test_latents_of_the_train_split_are_standardised(tmp_path, source):
    """After latent_statistics every channel has mean 0 and standard deviation 1 on train rows."""
    path = tmp_path / "layouts.h5"
    with writing_layouts(path, CLASSES) as writer:
        # the two splits differ, so that statistics over the wrong rows show
        for n, layout in enumerate(layouts_of(80) * (np.arange(80) < 70)[:, None, None]):
            split = "train" if n < 70 else ("val" if n < 75 else "test")
            writer.append(layout, LayoutRow(str(n), str(n), str(n), split, False))
    layouts = Layouts(path)
    raw = codec(input=source)
    mean, std = latent_statistics(raw, layouts)
    raw.model.register_to_config(latents_mean=mean, latents_std=std)
    standardised = Codec(raw.model, PALETTE, CPU)
    latents = standardised.encode(layouts.read(layouts.rows("train"))).transpose(0, 1).flatten(1)
    torch.testing.assert_close(latents.mean(1), torch.zeros(2), atol=1e-4, rtol=0)
    torch.testing.assert_close(latents.std(1, correction=0), torch.ones(2), atol=1e-3, rtol=0)
    other = raw.encode(layouts.read(layouts.rows("test")))
    assert other.mean().abs() + (other.std() - 1).abs() > 0.1
    # standardising loses nothing: decoding takes it back
    same = layouts.read(layouts.rows("train")[:4])
    torch.testing.assert_close(
        standardised.decode(standardised.encode(same)).rgb, raw.decode(raw.encode(same)).rgb
    )


def foreign_autoencoder(directory, **keys):
    """An AutoencoderKL directory as diffusers writes it, without our statistics."""
    with torch.random.fork_rng():
        torch.manual_seed(1)
        model = AutoencoderKL(
            block_out_channels=(8, 8),
            down_block_types=("DownEncoderBlock2D",) * 2,
            up_block_types=("UpDecoderBlock2D",) * 2,
            norm_num_groups=4,
            latent_channels=2,
            sample_size=8,
            **keys,
        ).eval()
    model.save_pretrained(directory)
    return model


@pytest.mark.parametrize("shift", [None, 0.3])
def test_autoencoder_made_elsewhere_keeps_its_scaling(tmp_path, shift):
    """(z - shift_factor) * scaling_factor, as its own pipelines do."""
    foreign = foreign_autoencoder(tmp_path, scaling_factor=0.13025, shift_factor=shift)
    made = Codec.load(tmp_path, CPU)
    pixels = np.random.default_rng(1).integers(256, size=(3, 8, 8, 3), dtype=np.uint8)
    with torch.no_grad():
        raw = foreign.encode(made.inputs(pixels)).latent_dist.mode()
        out = foreign.decode(raw).sample
    latents = made.encode(pixels)
    torch.testing.assert_close(latents, (raw - (shift or 0)) * 0.13025)
    torch.testing.assert_close(made.decode(latents).rgb, out, rtol=1e-4, atol=1e-5)
    assert made.decode(latents).logits is None
    assert made.images(latents).shape == (3, 8, 8, 3)


def test_autoencoder_with_the_attention_names_of_2022_opens(tmp_path):
    """Published Stable Diffusion autoencoders still have them; diffusers translates, so do we."""
    from safetensors.torch import load_file, save_file

    foreign = foreign_autoencoder(tmp_path, scaling_factor=0.18215)
    weights = tmp_path / "diffusion_pytorch_model.safetensors"
    names = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}

    def old(name):
        for new, before in names.items():
            name = name.replace(f".{new}.", f".{before}.")
        return name

    tensors = {old(name): tensor for name, tensor in load_file(weights).items()}
    assert any(".query." in name for name in tensors)
    save_file(tensors, weights, metadata={"format": "pt"})
    made = Codec.load(tmp_path, CPU)
    for name, tensor in foreign.state_dict().items():
        assert torch.equal(made.model.state_dict()[name], tensor)


def test_gradients_pass_through_the_frozen_codec(tmp_path):
    """Decoded x0_pred must pull at the denoiser while the autoencoder stays as it is."""
    save_model(codec(input="classes").model, tmp_path)
    (tmp_path / "classes.json").write_text(json.dumps(CLASSES))
    made = Codec.load(tmp_path, CPU)
    latents = torch.randn(2, 2, 4, 4, requires_grad=True)
    for head in ("rgb", "logits"):
        latents.grad = None
        getattr(made.decode(latents), head).square().sum().backward()
        assert (latents.grad.abs().flatten(1).sum(1) > 0).all()
    assert all(p.grad is None and not p.requires_grad for p in made.model.parameters())


def test_images_show_only_class_colours_with_a_head():
    latents = torch.randn(8, 2, 4, 4, generator=torch.Generator().manual_seed(0))
    with_head, without = codec(), codec(segmentation_head=False)
    pixels = with_head.images(latents).reshape(-1, 3)
    colours = {tuple(entry["rgb"]) for entry in CLASSES}
    assert {tuple(pixel) for pixel in pixels.tolist()} <= colours
    expected = PALETTE[with_head.decode(latents).class_ids.numpy()].reshape(-1, 3)
    assert (pixels == expected).all()
    assert len(np.unique(without.images(latents).reshape(-1, 3), axis=0)) > len(colours)


def test_classes_of_another_dataset_are_refused():
    ids = layouts_of(2)
    ids[0, 0, 0] = 4
    with pytest.raises(UserError) as refusal:
        codec(input="classes").inputs(ids)
    for part in ("autoencoder", "takes 4 one-hot classes", "up to 4", "for this dataset's classes"):
        assert part in str(refusal.value)


def test_class_without_a_colour_is_refused():
    """An RGB autoencoder colours class ids by its own classes.json."""
    ids = layouts_of(2)
    ids[0, 0, 0] = 4
    with pytest.raises(UserError) as refusal:
        codec(input="rgb").inputs(ids)
    for part in ("autoencoder", "classes.json", "class 4", "0 to 3"):
        assert part in str(refusal.value)


def test_pictures_for_a_one_hot_autoencoder_are_refused():
    with pytest.raises(UserError, match=r"takes 4 one-hot classes.*shape \[8, 8, 3\]"):
        codec(input="classes").inputs(np.zeros((2, 8, 8, 3), dtype=np.uint8))


def test_class_ids_without_a_palette_are_refused():
    with pytest.raises(UserError, match=r"classes\.json.*copy the dataset's file"):
        codec(palette=None, input="rgb").inputs(layouts_of(2))


def test_one_hot_input_without_classes_is_refused():
    with pytest.raises(UserError, match=r"autoencoder\.input: found 'classes'.*input: rgb"):
        build_autoencoder(settings(input="classes"), 0, 8)


def test_palette_is_read_by_class_id(tmp_path):
    """Ids may have gaps and any order."""
    save_model(codec(num_classes=6).model, tmp_path)
    (tmp_path / "classes.json").write_text(
        json.dumps([{"id": 5, "rgb": [1, 2, 3]}, {"id": 2, "rgb": [4, 5, 6]}])
    )
    palette = Codec.load(tmp_path, CPU).palette
    assert palette.shape == (6, 3)
    assert palette[5].tolist() == [1, 2, 3]
    assert palette[2].tolist() == [4, 5, 6]


def test_split_heads_and_pixel_values():
    out = torch.randn(2, 7, 4, 4)
    decoded = split_heads(out)
    assert torch.equal(decoded.rgb, out[:, :3])
    assert torch.equal(decoded.class_ids, out[:, 3:].argmax(1))
    assert split_heads(out[:, :3]).class_ids is None
    values = torch.tensor([-7.0, -1.0, 0.0, 1.0, 7.0]).reshape(1, 1, 1, 5).expand(1, 3, 1, 5)
    assert to_uint8(values)[0, 0, :, 0].tolist() == [0, 0, 128, 255, 255]


def test_reals_do_not_lie_on_the_grid_of_bf16():
    """Fakes come from an fp32 sampler: coarser reals would give themselves away."""
    made = codec(input="classes")
    made.compute = Compute(torch.device("cpu"), bf16=True)
    raw = made.raw_mode(layouts_of(8))
    assert raw.dtype == torch.float32
    assert (raw != raw.bfloat16().float()).float().mean() > 0.9


def test_statistics_of_a_given_autoencoder_are_those_it_standardises_with():
    made = codec()
    made.model.register_to_config(scaling_factor=0.25, shift_factor=0.5)
    again = Codec(made.model, PALETTE, CPU)
    assert again.statistics == ([0.5, 0.5], [4.0, 4.0])
