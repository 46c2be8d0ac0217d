"""Tiny VQ-GANs on random patches, each made anew from the same seeds."""

import torch

from sparring.compute import Compute
from sparring.models.vqgan_building import build_vqgan
from sparring.randomness import normals, seeded_initialisation
from sparring.settings.vqgan import (
    CodebookSettings,
    CodebookTraining,
    VqganAdversarial,
    VqganLosses,
    VqganModel,
    VqganTraining,
)
from sparring.training.adversary import Adversary
from sparring.training.vqgan import Patches, Span, VqganStage

CPU = Compute(torch.device("cpu"), bf16=False)
SIDE = 16


def patches(side=SIDE):
    """Smooth noise; patch b of a step follows from (step, b) alone."""

    def draw(step, numbers):
        coarse = normals((1, *(side // 8,) * 3), numbers, 1, step, device=CPU.device)
        return torch.nn.functional.interpolate(coarse, scale_factor=8, mode="trilinear").tanh()

    return Patches(draw, lambda: [draw(10_000, [n]) for n in range(3)])


def model_settings(**keys):
    book = {"num_codes": 12, "code_dim": 4} | keys.pop("codebook", {})
    small = {"downsample": (4, 4, 4), "channels": (4, 8, 8), "blocks": (0, 1, 1)}
    return VqganModel(**small | keys, codebook=CodebookSettings(**book))


def model(**keys):
    with seeded_initialisation(0, "vqgan"):
        return build_vqgan(model_settings(**keys))


def adversary(compute=CPU, **keys):
    small = {"base_channels": 4, "num_layers": 2, "ramp_steps": 0}
    return Adversary(VqganAdversarial(**small | keys), compute, seed=0)


def stage(
    critic=None, features=None, first=0, count=4, start=0, net=None, compute=CPU, moments=None,
    losses=None, codebook=None, picture=None, **keys,
):  # fmt: skip
    """Two steps per epoch of four patches each."""
    small = {"patch_size": SIDE, "batch_size": 4, "eval_interval": 2, "lr_warmup_steps": 0}
    small["learning_rate"] = 1e-3
    care = CodebookTraining(**{"start_step": 1} | (codebook or {}))
    return VqganStage(
        net or model(), patches(), Span(first, count, first + count, start),
        VqganTraining(**small | keys, codebook=care), losses or VqganLosses(),
        compute, 0, adversary=critic, features=features, moments=moments, picture=picture,
    )  # fmt: skip


def weights_of(network):
    return {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}


def same(one, other):
    return all(torch.equal(one[name], other[name]) for name in one)
