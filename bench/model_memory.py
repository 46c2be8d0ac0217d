"""How far is the memory that `make models` names from what a process really takes?

Each row is a process of its own on the CPU, with the networks, the optimiser and the average of a
training job: `measured` is its peak resident memory in three steps (or three forwards without
gradients) beyond what it had before it built the model, libraries loaded by a small one's step.
"""

import argparse
import json
import platform
import resource
import subprocess
import sys
from pathlib import Path

from sparring.artefacts.atomic import write_text

CHANNELS, SIDE = 16, 32
CASES = (("unet32_d3", 32), ("unet48_d4", 32), ("unet64_d4", 16), ("unet32_d3_attn", 16))


def resident_mb() -> float:
    """Resident memory of this process now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


def peak_mb() -> float:
    """Peak resident memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


def run(preset: str, batch_size: int, bf16: bool, training: bool) -> dict[str, float]:
    """Estimate and measurement of one case, in MB."""
    from sparring.models.costs import sampling_peak, training_peak
    from sparring.models.denoiser import build_denoiser
    from sparring.settings.parts import DenoiserSettings

    def build():
        return build_denoiser(DenoiserSettings(preset=preset), CHANNELS, SIDE)

    shape = (batch_size, CHANNELS, SIDE, SIDE)
    estimate = (training_peak if training else sampling_peak)(build, shape, bf16) / 1e6
    small = build_denoiser(DenoiserSettings(preset="unet_tiny"), CHANNELS, 4)
    work(small, (1, CHANNELS, 4, 4), bf16, training)
    del small
    before = resident_mb()
    work(build(), shape, bf16, training)
    return {"estimate": estimate, "measured": peak_mb() - before}


def work(model, shape: tuple[int, ...], bf16: bool, training: bool) -> None:
    """Three training steps, or three forwards as a sampler makes them."""
    import torch

    from sparring.models.costs import training_step
    from sparring.models.denoiser import predict
    from sparring.training.optimisation import WeightAverage

    x_t, eps = torch.randn(shape), torch.randn(shape)
    timesteps = torch.zeros(shape[0], dtype=torch.long)
    if training:
        average = WeightAverage(model, 0.999)
        optimizer = torch.optim.AdamW(model.parameters(), fused=True)
    for _ in range(3):
        if training:
            training_step(model, x_t, eps, timesteps, bf16)
            optimizer.step()
            average.update(model)
        else:
            with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=bf16):
                predict(model, x_t, timesteps)


def measure(*case: object) -> dict[str, float]:
    """Run one case in a process of its own."""
    command = [sys.executable, __file__, "--case", json.dumps(case)]
    answer = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(answer.stdout.splitlines()[-1])


def table() -> str:
    """Markdown with one row per case."""
    import torch

    lines = [
        f"# Estimated and measured memory ({CHANNELS}x{SIDE}x{SIDE})",
        "",
        f"`OMP_NUM_THREADS=1 python bench/model_memory.py`, {platform.machine()}, Python "
        f"{platform.python_version()}, torch {torch.__version__}. `error` is how far the estimate "
        "lies from the measurement.",
        "",
        "| preset | batch | what | precision | estimate in MB | measured MB | error |",
        "|---|---|---|---|---|---|---|",
    ]
    for preset, batch_size in CASES:
        for training in (True, False):
            for bf16 in (False, True):
                found = measure(preset, batch_size, bf16, training)
                error = found["estimate"] / found["measured"] - 1
                what, precision = "training" if training else "sampling", "bf16" if bf16 else "fp32"
                sizes = f"{found['estimate']:.0f} | {found['measured']:.0f} | {error:+.0%}"
                lines.append(f"| {preset} | {batch_size} | {what} | {precision} | {sizes} |")
                print(lines[-1], flush=True)
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--case", type=json.loads, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.case:
        print(json.dumps(run(*args.case)))
    else:
        write_text(Path(__file__).parent / "results" / "model_memory.md", table())
