"""Does memory grow with the number of latents? Encodes and samples 50,000 of 16x32x32.

The networks are as small as they come: what is measured is the streaming around them. Each row is
a process of its own; `added` is its peak resident memory beyond what it had before the first batch.
"""

import argparse
import json
import platform
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from sparring.artefacts.atomic import write_text

CHANNELS, SIDE, FACTOR = 16, 32, 4


def peak_mb() -> float:
    """Peak resident memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def job(stage: str, settings: dict, folder: Path):
    """A job as the workflow would start it."""
    from sparring.settings import stages
    from sparring.stages.job import Job

    kind = {"encode": stages.EncodeLayouts, "sample": stages.SampleFake}[stage]
    content = {"device": "cpu", "precision": "fp32", "checkpoint_minutes": 5}
    return Job(kind(**settings), folder / "job.json", content, threads=2)


def small_autoencoder(folder: Path) -> Path:
    """An autoencoder of four channels per level."""
    from sparring.artefacts.models import save_model
    from sparring.models.autoencoder import build_autoencoder
    from sparring.settings.autoencoder import AutoencoderSettings

    widths = (4, 4, 4)
    settings = AutoencoderSettings(
        dataset="bench", latent_channels=CHANNELS, block_out_channels=widths, norm_num_groups=2
    )
    save_model(build_autoencoder(settings, 0, SIDE * FACTOR), folder / "autoencoder")
    return folder / "autoencoder"


def encode(count: int, folder: Path) -> float:
    """Encode `count` layouts of 128x128; returns added MB."""
    import numpy as np

    from sparring.artefacts.layouts import LayoutRow, writing_layouts
    from sparring.stages.autoencoder import encode_layouts

    layouts, side = folder / "layouts.h5", SIDE * FACTOR
    with writing_layouts(layouts, None) as writer:
        for n in range(count):
            split = "val" if n == 0 else "test" if n == 1 else "train"
            layout = np.full((side, side, 3), n % 256, dtype=np.uint8)
            writer.append(layout, LayoutRow(str(n), str(n), str(n), split, is_augmented=False))
    autoencoder = small_autoencoder(folder)
    outputs = {split: folder / f"{split}.h5" for split in ("train", "val", "test")}
    before = peak_mb()
    encode_layouts(job("encode", {}, folder), layouts, autoencoder, outputs)
    return peak_mb() - before


def sample(count: int, folder: Path) -> float:
    """Sample `count` latents in one step; returns added MB."""
    from diffusers import UNet2DModel

    from sparring.models.denoiser import build_scheduler, save_denoiser
    from sparring.settings.parts import NoiseScheduleSettings, SamplingSettings
    from sparring.stages.sampling import Models, sample_fake

    model = UNet2DModel(
        sample_size=SIDE, in_channels=CHANNELS, out_channels=CHANNELS, layers_per_block=1,
        block_out_channels=(8,), down_block_types=("DownBlock2D",), up_block_types=("UpBlock2D",),
        norm_num_groups=4, add_attention=False,
    )  # fmt: skip
    save_denoiser(folder / "denoiser", model, build_scheduler(NoiseScheduleSettings()))
    autoencoder = small_autoencoder(folder)
    sampling = SamplingSettings(num_steps=1, batch_size=64)
    settings = {"seed": 1, "iteration": 0, "num_samples": count, "sampling": sampling}
    before = peak_mb()
    models = Models(folder / "denoiser", autoencoder)
    sample_fake(job("sample", settings, folder), models, folder / "f.h5")
    return peak_mb() - before


def measure(stage: str, count: int) -> dict[str, float]:
    """Run one stage in a process of its own."""
    command = [sys.executable, __file__, "--stage", stage, "--count", str(count)]
    answer = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(answer.stdout.splitlines()[-1])


def table(counts: list[int]) -> str:
    """Markdown with one row per stage and count."""
    import torch

    lines = [
        f"# Memory against the number of latents ({CHANNELS}x{SIDE}x{SIDE})",
        "",
        f"`python bench/streaming.py`, {platform.machine()}, Python {platform.python_version()}, "
        f"torch {torch.__version__}. `added` is the peak resident memory beyond that before the "
        "first batch.",
        "",
        "| stage | latents | added MB | seconds |",
        "|---|---|---|---|",
    ]
    for stage in ("encode", "sample"):
        for count in counts:
            found = measure(stage, count)
            cells = f"{count} | {found['added_mb']:.0f} | {found['seconds']:.0f}"
            lines.append(f"| {stage} | {cells} |")
            print(lines[-1], flush=True)
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stage", choices=("encode", "sample"), help=argparse.SUPPRESS)
    parser.add_argument("--count", type=int, default=50_000)
    args = parser.parse_args()
    if args.stage:
        with tempfile.TemporaryDirectory() as folder:
            start = time.monotonic()
            added = {"encode": encode, "sample": sample}[args.stage](args.count, Path(folder))
        print(json.dumps({"added_mb": added, "seconds": time.monotonic() - start}))
    else:
        results = Path(__file__).parent / "results" / "streaming.md"
        write_text(results, table([args.count // 10, args.count]))
