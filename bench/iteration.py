"""How long does one iteration of the reference recipe take, and how near is that to the hardware?

5,000 fakes by DDIM-100, 5,000 layouts encoded, 50 epochs of the discriminator on 5,000 + 5,000
latents, 50 epochs of fine-tuning over 22,000 latents at batch 32. A few steps of each are measured
and multiplied; the table says how many. The floor is the arithmetic at the peak rate.
"""

import argparse
import math
from dataclasses import dataclass

import numpy as np
import torch
from measuring import Seconds, alternated, machine, write_table
from workload import (
    BATCH,
    CHANNELS,
    DDIM_STEPS,
    EPOCHS,
    FAKES,
    SHAPE,
    TRAIN,
    Steps,
    discriminating,
    flop_of,
    forward_flop,
    random_latents,
    sampler,
    training,
)

from sparring.compute import Compute, prepare
from sparring.models.autoencoder import Codec, build_autoencoder
from sparring.models.discriminator import LatentDiscriminator
from sparring.settings.autoencoder import AutoencoderSettings

PIXELS = 256
NOMINAL = {"H200": 989e12, "H100": 989e12, "A100": 312e12}  # dense bf16 per second, as sold
HEAD = "| stage | measured | s of it | hours of all | GFLOP of all | TFLOP/s | share of peak |"


@dataclass(frozen=True)
class Size:
    """How much of each stage is measured."""

    sampled: int
    steps: int
    encoded: int
    trained: int
    discriminated: int
    repeats: int


CPU = Size(sampled=16, steps=1, encoded=1, trained=1, discriminated=5, repeats=3)
GPU = Size(sampled=500, steps=100, encoded=32, trained=688, discriminated=125, repeats=2)


def peak(compute: Compute) -> tuple[float, str]:
    """Operations per second that count as the whole machine, and where the number comes from."""
    if compute.device.type == "cuda" and compute.bf16:
        name = torch.cuda.get_device_name()
        for known, rate in NOMINAL.items():
            if known in name:
                return rate, f"{known}, dense bf16, as sold"
    return gemm(compute), "a large matrix product, measured"


def gemm(compute: Compute) -> float:
    """Operations per second of a large square product."""
    side = 8192 if compute.device.type == "cuda" else 1024
    dtype = torch.bfloat16 if compute.bf16 else torch.float32
    matrix = torch.randn(side, side, device=compute.device, dtype=dtype)
    took = alternated({"gemm": lambda: matrix @ matrix}, 5, compute.device.type)["gemm"]
    return 2 * side**3 / busy(took, compute)


def busy(seconds: Seconds, compute: Compute) -> float:
    """Wall time on a GPU; on a CPU, which others use too, CPU time by thread."""
    if compute.device.type == "cuda":
        return seconds.wall
    return max(seconds.cpu / torch.get_num_threads(), 1e-9)


def encoder(compute: Compute) -> tuple[Codec, int]:
    """The default autoencoder for RGB of 256 x 256, and the operations of encoding one layout."""
    settings = AutoencoderSettings.model_validate({"dataset": "b", "latent_channels": CHANNELS})
    model = build_autoencoder(settings, 0, PIXELS).eval().requires_grad_(False)
    flop = flop_of(lambda: build_autoencoder(settings, 0, PIXELS).encoder, (3, PIXELS, PIXELS))
    return Codec(model, None, compute), flop


def stage_runs(preset: str, compute: Compute, size: Size) -> dict[str, tuple]:
    """Per stage: what is measured, its words, how often all of it is that, operations of it."""
    drawn = sampler(preset, compute, size.steps)
    codec, encoding = encoder(compute)
    pictures = np.zeros((size.encoded, PIXELS, PIXELS, 3), np.uint8)
    judging = Steps(discriminating(compute, FAKES if compute.device.type == "cuda" else 500))
    learning = Steps(training(preset, compute, random_latents(BATCH * size.trained)))
    forward = forward_flop(preset)
    judged = flop_of(LatentDiscriminator, SHAPE)
    halves = EPOCHS * math.ceil(FAKES * 0.8 / 32)
    return {
        "sampling": (
            lambda: drawn.sample(range(size.sampled), 0, "bench"),
            f"{size.sampled} latents, {size.steps} steps",
            FAKES / size.sampled * DDIM_STEPS / size.steps,
            forward * size.sampled * size.steps,
        ),
        "encoding": (
            lambda: codec.encode(pictures).cpu(),
            f"{size.encoded} layouts",
            FAKES / size.encoded,
            encoding * size.encoded,
        ),
        "discriminator": (
            lambda: float(judging(size.discriminated)),
            f"{size.discriminated} steps",
            halves / size.discriminated,
            3 * judged * 64 * size.discriminated,
        ),
        "fine-tuning": (
            lambda: float(learning(size.trained)),
            f"{size.trained} steps",
            EPOCHS * math.ceil(TRAIN / BATCH) / size.trained,
            3 * forward * BATCH * size.trained,
        ),
    }


def table(preset: str, compute: Compute, size: Size) -> list[str]:
    """A row per stage and one for all."""
    most, source = peak(compute)
    lines = [
        f"{preset}, {compute.description}. Peak: {most / 1e12:.3g} TFLOP/s ({source}).",
        "",
        HEAD,
        "|---" * 7 + "|",
    ]
    total = floor = 0.0
    for name, (run, words, times, flop) in stage_runs(preset, compute, size).items():
        took = busy(alternated({name: run}, size.repeats, compute.device.type)[name], compute)
        total, floor = total + took * times, floor + flop * times / most
        rate = flop / took
        cells = f"{took:.3g} | {took * times / 3600:.3g} | {flop * times / 1e9:.3g}"
        lines.append(f"| {name} | {words} | {cells} | {rate / 1e12:.3g} | {rate / most:.0%} |")
        print(lines[-1], flush=True)
    shares = f"{total / 3600:.3g} | | | {floor / total:.0%}"
    lines.append(f"| all of them (floor {floor / 3600:.3g} h) | | | {shares} |")
    return lines


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--preset", default="unet64_d4")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    compute = prepare(args.device, "auto", args.threads)
    lines = table(args.preset, compute, CPU if args.device == "cpu" else GPU)
    intro = (
        f"`python bench/iteration.py --preset {args.preset} --device {args.device} --threads "
        f"{args.threads}`. {machine(args.device)}. On the CPU seconds are CPU seconds by "
        "thread, so that other programs of the machine do not count; a part is measured and "
        "multiplied."
    )
    write_table(f"iteration_{args.device}", "One iteration of the reference recipe", intro, lines)
