"""How fast does a VQ-GAN train, and in how much memory, beside the usual design's widths?

Steps of phase one, and of phase two against both discriminators, on random patches; each row in a
process of its own, whose peak resident memory the kernel reports.
"""

import platform
import resource
import subprocess
import sys
import time
from pathlib import Path

from sparring.artefacts.atomic import write_text

SIDE, BATCH, STEPS = 32, 2, 3
# name: channels, blocks, base_channels of the discriminators (0: phase one)
CASES: dict[str, tuple[tuple[int, ...], tuple[int, ...], int]] = {
    "small (volumes_ct)": ((0, 24, 32), (0, 1, 1), 0),
    "default": ((0, 64, 128), (0, 1, 2), 0),
    "n_hiddens 64": ((64, 128, 256), (1, 1, 1), 0),
    "default, phase two": ((0, 64, 128), (0, 1, 2), 64),
    "n_hiddens 64, phase two": ((64, 128, 256), (1, 1, 1), 64),
}


def steps(channels: tuple[int, ...], blocks: tuple[int, ...], base: int) -> tuple[float, ...]:
    """Parameters in thousands, seconds per step, and peak resident memory in MB."""
    import torch

    from sparring.compute import prepare
    from sparring.models.vqgan_building import build_vqgan
    from sparring.settings.vqgan import (
        CodebookTraining,
        VqganAdversarial,
        VqganLosses,
        VqganModel,
        VqganTraining,
    )
    from sparring.training.adversary import Adversary
    from sparring.training.vqgan import Patches, Span, VqganStage

    compute = prepare("cpu", "auto", 1)
    model = build_vqgan(VqganModel(channels=channels, blocks=blocks))
    training = VqganTraining(
        patch_size=SIDE, batch_size=BATCH, eval_interval=STEPS,
        codebook=CodebookTraining(start_step=0),
    )  # fmt: skip
    adversary = Adversary(VqganAdversarial(base_channels=base), compute, 0) if base else None
    patches = Patches(lambda _, numbers: torch.randn(len(numbers), 1, *(SIDE,) * 3), list)
    stage = VqganStage(
        model, patches, Span(0, STEPS, STEPS), training, VqganLosses(), compute, 0, adversary
    )
    stage.step(0, 0)  # kernels are chosen and moments made
    start = time.process_time()
    for step in range(1, STEPS):
        stage.step(0, step)
    seconds = (time.process_time() - start) / (STEPS - 1)
    thousands = sum(p.numel() for p in model.parameters()) / 1000
    return thousands, seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Print the table and write it under bench/results."""
    if len(sys.argv) > 1:
        print(*steps(*CASES[sys.argv[1]]))
        return
    lines = [
        "# Speed and memory of training a VQ-GAN",
        "",
        f"`python bench/vqgan.py`, {platform.machine()}, Python {platform.python_version()}, one "
        f"thread, precision auto: patches of {SIDE} voxels a side, batch {BATCH}, downsampling "
        "4x4x4, 512 codes of 64 dimensions. Memory includes the libraries, about 400 MB.",
        "",
        "| model | channels | parameters | steps per CPU second | MB peak |",
        "|---|---|---|---|---|",
    ]
    for name, (channels, *_) in CASES.items():
        said = subprocess.run(
            [sys.executable, __file__, name], capture_output=True, text=True, check=True
        ).stdout
        thousands, seconds, peak = map(float, said.split())
        widths = "-".join(map(str, channels))
        lines.append(f"| {name} | {widths} | {thousands:,.0f} k | {1 / seconds:.3g} | {peak:.0f} |")
        print(lines[-1], flush=True)
    write_text(Path(__file__).parent / "results" / "vqgan.md", "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
