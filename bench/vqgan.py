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

SIDE, BATCH, STEPS = 32, 2, 4
SMALL, DEFAULT = ((0, 24, 32), (0, 1, 1)), ((0, 64, 128), (0, 1, 2))
USUAL = ((64, 128, 256), (1, 1, 1))  # n_hiddens 64
# Rows of a phase are compared with its last one. Name: channels and blocks; base_channels of the
# discriminators, 0 in phase one.
PHASES: tuple[dict[str, tuple[tuple[tuple[int, ...], tuple[int, ...]], int]], ...] = (
    {"small (volumes_ct)": (SMALL, 0), "default": (DEFAULT, 0), "n_hiddens 64": (USUAL, 0)},
    {"default, phase two": (DEFAULT, 64), "n_hiddens 64, phase two": (USUAL, 64)},
)


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
        name = sys.argv[1]
        (model, base) = next(rows[name] for rows in PHASES if name in rows)
        print(*steps(*model, base))
        return
    lines = [
        "# Speed and memory of training a VQ-GAN",
        "",
        f"`python bench/vqgan.py`, {platform.machine()}, Python {platform.python_version()}, one "
        f"thread, precision auto: patches of {SIDE} voxels a side, batch {BATCH}, downsampling "
        "4x4x4, 512 codes of 64 dimensions. Memory includes the libraries, about 400 MB. `speed` "
        "is against n_hiddens 64 in the same phase, measured in the same run.",
        "",
        "| model | channels | parameters | steps per CPU second | speed | MB peak |",
        "|---|---|---|---|---|---|",
    ]
    for rows in PHASES:
        figures = {name: measure(name) for name in rows}
        usual = list(figures.values())[-1][1]
        for name, (thousands, seconds, peak) in figures.items():
            widths = "-".join(map(str, rows[name][0][0]))
            lines.append(
                f"| {name} | {widths} | {thousands:,.0f} k | {1 / seconds:.3g} | "
                f"{usual / seconds:.3g} x | {peak:.0f} |"
            )
            print(lines[-1], flush=True)
    write_text(Path(__file__).parent / "results" / "vqgan.md", "\n".join(lines) + "\n")


def measure(name: str) -> tuple[float, ...]:
    """What `steps` gives, in a process of its own."""
    command = [sys.executable, __file__, name]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return tuple(map(float, said.split()))


if __name__ == "__main__":
    main()
