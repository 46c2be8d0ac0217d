"""Denoiser architectures by name: their sizes are those of the field's ablation table."""

from types import SimpleNamespace

import pytest
import torch

from sparring.errors import UserError
from sparring.models.denoiser import build_denoiser
from sparring.models.presets import PRESETS
from sparring.settings.parts import DenoiserSettings

# The original networks of the ablation table, 16 channels in and out at 32 x 32.
PUBLISHED = {
    "unet64_d4_attn": 52_035_632,
    "unet64_d4": 45_390_384,
    "unet128_d3": 44_785_072,
    "unet48_d4": 25_674_448,
    "unet48_d3": 6_491_152,
    "unet32_d3_attn": 3_386_096,
    "unet32_d3": 2_970_352,
}
# The closest counts that UNet2DModel reaches, and the two presets the table does not have.
OURS = {
    "unet64_d4_attn": 52_024_688,
    "unet64_d4": 45_390_576,
    "unet128_d3": 44_794_864,
    "unet48_d4": 25_706_720,
    "unet48_d3": 6_491_112,
    "unet32_d3_attn": 3_368_432,
    "unet32_d3": 2_963_904,
    "unet128_d4": 55_594_384,
    "unet_micro": 164_032,
    "unet_tiny": 2_544_688,
}
# Of volumes, with 64 channels in and out: a VQ-GAN's codes of its default dimension.
OF_VOLUMES = {
    "unet3d_tiny": 1_830_176,
    "unet3d_32_d2": 7_106_656,
    "unet3d_64_d2": 28_186_752,
    "unet3d_64_d2_attn": 41_526_336,
    "unet3d_64_d3": 74_239_488,
}


@pytest.mark.parametrize("name", sorted(OF_VOLUMES))
def test_parameter_counts_of_volumes(name):
    with torch.device("meta"):
        model = build_denoiser(DenoiserSettings(preset=name), 64, (16, 16, 16))
    count = sum(p.numel() for p in model.parameters())
    assert count == OF_VOLUMES[name] == PRESETS[name].parameters


@pytest.mark.parametrize("name", sorted(OURS))
def test_parameter_counts(name):
    """Built without memory, so the 55 M ones cost nothing."""
    with torch.device("meta"):
        model = build_denoiser(DenoiserSettings(preset=name), 16, 32)
    count = sum(p.numel() for p in model.parameters())
    assert count == OURS[name] == PRESETS[name].parameters
    if name in PUBLISHED:
        assert abs(count / PUBLISHED[name] - 1) < 0.006


def test_every_preset_is_offered_and_counted():
    offered = DenoiserSettings.model_fields["preset"].annotation.__args__
    assert set(offered) == set(PRESETS) == set(OURS) | set(OF_VOLUMES)
    assert {n for n, preset in PRESETS.items() if preset.dims == 3} == set(OF_VOLUMES)


@pytest.mark.parametrize("name", sorted(OURS))
def test_attention_is_where_the_name_says(name):
    with torch.device("meta"):
        model = build_denoiser(DenoiserSettings(preset=name), 16, 32)
    levels = [block for block in model.down_blocks if hasattr(block, "attentions")]
    assert bool(levels) == name.endswith("_attn")


@pytest.mark.parametrize("name", ["unet_tiny", "unet32_d3_attn"])
def test_smallest_allowed_side_runs(name):
    side = PRESETS[name].factor
    model = build_denoiser(DenoiserSettings(preset=name), 4, side).eval()
    with torch.no_grad():
        x = torch.zeros(2, 4, side, side)
        assert model(x, torch.tensor([0, 999])).sample.shape == x.shape


@pytest.mark.parametrize(("name", "side"), [("unet_tiny", 6), ("unet48_d4", 24), ("unet32_d3", 1)])
def test_side_that_cannot_be_halved_often_enough_is_refused(name, side):
    with pytest.raises(UserError) as refusal:
        build_denoiser(SimpleNamespace(preset=name), 4, side)
    message = str(refusal.value)
    for part in ("denoiser.preset", name, f"{side} wide", f"multiple of {PRESETS[name].factor}"):
        assert part in message
