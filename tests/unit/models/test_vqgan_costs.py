"""Costs of VQ-GANs, found without computing anything."""

from sparring.models.vqgan_building import build_vqgan
from sparring.models.vqgan_costs import vqgan_costs
from sparring.settings.vqgan import VqganAdversarial, VqganModel

SMALL = VqganModel(channels=(4, 8, 8), blocks=(0, 0, 1))


def test_costs_grow_as_they_must():
    one, larger, two = (
        vqgan_costs(SMALL, VqganAdversarial(), size, batch)
        for size, batch in ((16, 1), (32, 1), (16, 2))
    )
    assert one.parameters == sum(p.numel() for p in build_vqgan(SMALL).parameters())
    assert larger.flop == 8 * one.flop  # per voxel always the same
    assert two.flop == one.flop
    assert two.training.fp32 > one.training.fp32 > one.training.bf16 > 4 * 4 * one.parameters
    assert round(one.image_parameters / 1e6, 1) == 2.8
    assert round(one.volume_parameters / 1e6, 1) == 11.0


def test_full_resolution_is_what_the_usual_widths_pay_for():
    usual = VqganModel(channels=(64, 128, 256), blocks=(1, 1, 1))
    flop = [vqgan_costs(m, VqganAdversarial(), 16, 1).flop for m in (VqganModel(), usual)]
    assert flop[1] > 5 * flop[0]
