"""Figures of a VQ-GAN on held-out patches, while it trains."""

from collections.abc import Iterable

import torch
from torch import Tensor

from ..compute import Compute
from ..models.codebook import perplexity
from ..models.vqgan import VQGAN

_RANGE = 2.0  # of [-1, 1]


@torch.no_grad()
def measure_patches(model: VQGAN, patches: Iterable[Tensor], compute: Compute) -> dict[str, float]:
    """Figures over all of the patches `[B,1,p,p,p]`, each voxel counting alike.

    `l1` and `commitment`; `psnr` in dB on the fixed range of the window; `gradient_energy_ratio`,
    1 where reconstructions are as sharp as the originals; `perplexity` of the codes over the whole
    set, and how many of them are used at all.
    """
    model.eval()
    sums = torch.zeros(6, dtype=torch.float64)
    counts = torch.zeros(model.num_codes, dtype=torch.float64)
    for patch in patches:
        real = patch.to(compute.device)
        with compute.autocast():
            latents = model.encode(real)
        quantised = model.quantise(latents)
        with compute.autocast():
            fake = model.decode(quantised.latents)
        fake = fake.float().clamp(-1, 1)
        error = fake - real
        means = (error.abs().mean(), error.square().mean(), quantised.commitment.mean(),
                 gradient_energy(fake), gradient_energy(real), real.new_ones(()))  # fmt: skip
        sums += real.numel() * torch.stack(means).cpu().double()
        counts += torch.bincount(quantised.indices.flatten().cpu(), minlength=model.num_codes)
    model.train()
    l1, squared, commitment, fake_energy, real_energy, voxels = sums
    return {
        "l1": float(l1 / voxels),
        "psnr": float(10 * torch.log10(_RANGE**2 / (squared / voxels).clamp_min(1e-12))),
        "gradient_energy_ratio": float(fake_energy / real_energy.clamp_min(1e-12)),
        "commitment": float(commitment / voxels),
        "perplexity": perplexity(counts),
        "codes_used": float((counts > 0).sum()),
    }


def gradient_energy(volumes: Tensor) -> Tensor:
    """Mean squared difference of neighbours along the three axes.   [B,1,D,H,W] -> scalar."""
    return torch.stack([volumes.diff(dim=d).square().mean() for d in (2, 3, 4)]).mean()
