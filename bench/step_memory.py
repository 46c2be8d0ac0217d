"""How much memory does one training step take, and what do the losses add to it?

One step of unet64_d4 on latents 16x32x32, batch 8, with a decoder of 512 x 512 pixels; each row in
a process of its own, whose peak resident memory the kernel reports.
"""

import platform
import resource
import subprocess
import sys
from pathlib import Path

from sparring.artefacts.atomic import write_text

SIDE, CLASSES, BATCH = 512, 10, 8
DECODERS = {"narrow": (16, 32, 32, 64, 64), "reference": (64, 128, 128, 256, 256)}
# name: decoder, decode_batch_size (0: no semantic losses), discriminator
CASES: dict[str, tuple[str, int, bool]] = {
    "noise loss": ("narrow", 0, False),
    "+ discriminator": ("narrow", 0, True),
    "+ decoded in pieces of 1": ("narrow", 1, True),
    "+ decoded in pieces of 2": ("narrow", 2, True),
    "+ decoded in pieces of 4": ("narrow", 4, True),
    "+ decoded in pieces of 8": ("narrow", 8, True),
    "+ decoded in pieces of 1, wide decoder": ("reference", 1, True),
}


def one_step(decoder: str, pieces: int, adversarial: bool) -> tuple[float, float]:
    """Peak resident memory in MB before and after a step."""
    import numpy as np
    import torch

    from sparring.compute import Compute
    from sparring.models.autoencoder import Codec, build_autoencoder
    from sparring.models.denoiser import build_denoiser, build_scheduler
    from sparring.models.discriminator import LatentDiscriminator
    from sparring.models.perceptual import EncoderFeatures
    from sparring.settings.autoencoder import AutoencoderSettings
    from sparring.settings.objective import AdversarialLoss
    from sparring.settings.parts import DenoiserSettings, FinetuneSettings, NoiseScheduleSettings
    from sparring.settings.semantic import SemanticLoss
    from sparring.training.finetuning import Finetuning, Teacher
    from sparring.training.latents import Latents
    from sparring.training.opponents import Critic
    from sparring.training.semantics import LayoutRows, Semantics

    class Random:
        """Layouts drawn when they are asked for."""

        def read(self, rows: np.ndarray) -> np.ndarray:
            shape = (len(rows), SIDE, SIDE)
            return np.random.default_rng(0).integers(CLASSES, size=shape, dtype=np.uint8)

    torch.set_num_threads(1)
    compute = Compute(torch.device("cpu"), bf16=False)
    teacher = None
    if pieces:
        settings = AutoencoderSettings(
            dataset="d", epochs=1, latent_channels=16, block_out_channels=DECODERS[decoder]
        )
        palette = np.zeros((CLASSES, 3), np.uint8)
        codec = Codec(build_autoencoder(settings, CLASSES, SIDE), palette, compute)
        semantics = Semantics(
            SemanticLoss(min_snr=0.0, decode_batch_size=pieces), codec, EncoderFeatures(codec)
        )
        teacher = Teacher(semantics, {"train": LayoutRows(Random(), np.arange(BATCH))})
    opponent = Critic(
        LatentDiscriminator(), AdversarialLoss(objective="x0_bce", timesteps=(0.0, 1.0))
    )
    x0 = torch.randn(BATCH, 16, 32, 32)
    stage = Finetuning(
        build_denoiser(DenoiserSettings(preset="unet64_d4"), 16, 32),
        build_scheduler(NoiseScheduleSettings()),
        Latents(x0, x0),
        FinetuneSettings(batch_size=BATCH, selection_samples=0),
        compute,
        0,
        ("bench",),
        opponent=opponent if adversarial else None,
        teacher=teacher,
    )
    before = _peak()
    stage.step(0, 0)
    return before, _peak()


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Print the table and write it under bench/results."""
    if len(sys.argv) > 1:
        print(*one_step(*CASES[sys.argv[1]]))
        return
    lines = [
        "# Memory of a training step",
        "",
        f"`python bench/step_memory.py`, {platform.machine()}, Python {platform.python_version()}, "
        f"one thread, fp32: unet64_d4, latents 16x32x32, batch {BATCH}, all {BATCH} decoded to "
        f"{SIDE} x {SIDE}. Decoder widths {DECODERS['narrow']}, wide {DECODERS['reference']}. The "
        "memory before the step holds models and weight average, not yet gradients and moments.",
        "",
        "| losses | MB before | MB peak |",
        "|---|---|---|",
    ]
    for name in CASES:
        said = subprocess.run(
            [sys.executable, __file__, name], capture_output=True, text=True, check=True
        ).stdout
        before, peak = map(float, said.split())
        lines.append(f"| {name} | {before:.0f} | {peak:.0f} |")
        print(lines[-1], flush=True)
    results = Path(__file__).parent / "results" / "step_memory.md"
    write_text(results, "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
