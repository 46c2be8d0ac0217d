"""What a VQ-GAN and its discriminators cost, found on tensors that have shapes but no data."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils.flop_counter import FlopCounterMode

from ..settings.vqgan import VqganAdversarial, VqganModel
from .costs import Allocations, Precisions
from .patch_discriminator import PatchDiscriminator
from .vqgan import VQGAN
from .vqgan_building import build_vqgan

# Adam's two moments: as large as the weights, fp32.
_COPIES_BESIDE_WEIGHTS_AND_GRADIENTS = 2


@dataclass(frozen=True)
class VqganCosts:
    """A VQ-GAN at one patch size and batch size."""

    parameters: int
    image_parameters: int
    volume_parameters: int
    flop: int
    """One reconstruction of one patch, two per multiply-add, in convolutions and products."""
    training: Precisions
    """Peak of a step of phase one: weights, gradients, moments, and what forward and backward
    hold."""


def vqgan_costs(
    model: VqganModel, adversarial: VqganAdversarial, patch_size: int, batch_size: int
) -> VqganCosts:
    """Costs on patches `[batch_size, 1, p, p, p]`."""
    with torch.device("meta"):
        built = build_vqgan(model)
        judges = [
            PatchDiscriminator(
                dims,
                adversarial.base_channels,
                adversarial.num_layers,
                adversarial.norm,
                adversarial.scales,
            )
            for dims in (2, 3)
        ]
        patch = torch.empty(1, 1, *(patch_size,) * 3)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        built.decode(built.encode(patch))
    image, volume = (_count(judge) for judge in judges)
    return VqganCosts(
        _count(built),
        image,
        volume,
        counter.get_total_flops(),
        Precisions(*(_training_peak(model, patch_size, batch_size, b) for b in (False, True))),
    )


def _training_peak(model: VqganModel, patch_size: int, batch_size: int, bf16: bool) -> int:
    with FakeTensorMode(), Allocations() as allocations:
        built = build_vqgan(model).train()
        weights = allocations.live
        _step(built, torch.empty(batch_size, 1, *(patch_size,) * 3), bf16)
    return allocations.peak + _COPIES_BESIDE_WEIGHTS_AND_GRADIENTS * weights


def _step(model: VQGAN, real: Tensor, bf16: bool) -> None:
    """Forward, L1 and backward; without codes, which take next to nothing."""
    with torch.autocast(real.device.type, torch.bfloat16, enabled=bf16):
        fake = model.decode(model.encode(real))
    (fake.float() - real).abs().mean().backward()


def _count(module: torch.nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())
