"""What does judging one model cost? 5,000 samples and reals of 16x32x32, 5 seeds, on one core.

The stage runs in a process of its own, on files as the workflow has them; sampling is not part of
it. The bounds that it must stay under are 6 minutes and 2 GB.
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

import numpy as np

from sparring.artefacts.atomic import write_text

CHANNELS, SIDE = 16, 32


def write_latents(path: Path, count: int, seed: int, name: str) -> Path:
    """Smooth random fields; what they show does not change what judging them costs."""
    from sparring.artefacts.latents import writing_latents

    draw, ids = np.random.default_rng(seed), [f"{name}{n}" for n in range(count)]
    with writing_latents(path, count, {"autoencoder_digest": "bench"}) as writer:
        for start in range(0, count, 500):
            shape = (min(500, count - start), CHANNELS, SIDE + 1, SIDE + 1)
            raw = draw.normal(size=shape).astype(np.float32)
            writer.append((raw[:, :, 1:, 1:] + raw[:, :, :-1, :-1]) / 2**0.5)
        writer.column("sample_id", ids)
        writer.column("original_id", ids)
        writer.column("is_augmented", np.zeros(count, dtype=bool))
    return path


def judge(folder: Path, count: int, threads: int) -> dict[str, float]:
    """Seconds, CPU seconds and peak MB of the stage; in this process."""
    from sparring.settings.parts import EvaluationSettings
    from sparring.settings.stages import Evaluate
    from sparring.stages.job import Job
    from sparring.stages.judging import evaluate

    settings = Evaluate(evaluation=EvaluationSettings(num_samples=count))
    job = Job(settings, folder / "job.json", {}, threads=threads)
    began, cpu = time.monotonic(), time.process_time()
    files = [folder / f"{name}.h5" for name in ("samples", "test", "train")]
    evaluate(job, *files, folder / "evaluation.json", folder / "neighbours.json")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {
        "seconds": time.monotonic() - began,
        "cpu_seconds": time.process_time() - cpu,
        "peak_mb": peak,
    }


def measure(count: int, train: int, threads: int) -> dict[str, float]:
    """Write the files, and judge them in a process of its own."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_latents(folder / "train.h5", train, 1, "train")
        write_latents(folder / "test.h5", count, 2, "test")
        write_latents(folder / "samples.h5", count, 3, "sample")
        command = [sys.executable, __file__, "--folder", name, "--count", str(count)]
        command += ["--threads", str(threads)]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def table(count: int, train: int, threads: int) -> str:
    """Markdown."""
    import torch

    found = measure(count, train, threads)
    cells = (count, train, f"{found['seconds']:.0f}", f"{found['cpu_seconds']:.0f}",
             f"{found['peak_mb']:.0f}")  # fmt: skip
    return "\n".join([
        f"# Judging one model ({CHANNELS}x{SIDE}x{SIDE}, 5 seeds)",
        "",
        f"`python bench/evaluation_cost.py --count {count} --train {train} --threads {threads}`, "
        f"{platform.machine()}, Python {platform.python_version()}, torch {torch.__version__}. "
        "Where a machine does other work, seconds mean little and CPU seconds are too many.",
        "",
        "| samples, held-out reals | training reals | seconds | CPU seconds | peak MB |",
        "|---|---|---|---|---|",
        f"| {' | '.join(map(str, cells))} |",
    ]) + "\n"  # fmt: skip


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--count", type=int, default=5000)
    parser.add_argument("--train", type=int, default=22_000)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    if args.folder:
        print(json.dumps(judge(args.folder, args.count, args.threads)))
    else:
        text = table(args.count, args.train, args.threads)
        print(text)
        write_text(Path(__file__).parent / "results" / "evaluation_cost.md", text)
