"""What does judging an experiment cost? 5,000 samples and reals of 16x32x32, 5 seeds, on one core.

Five models, real against real among them, and their comparison: the stages run one after another in
a process of their own, on files as the workflow has them. Sampling and decoding are no part of it.
A model must stay under 6 minutes and 2 GB.
"""

import argparse
import json
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from sparring.artefacts.atomic import write_text
from sparring.settings.parts import MATCHED, NULL

CHANNELS, SIDE = 16, 32
MODELS = (NULL, "start", MATCHED, "control/iteration_0", "adversarial/iteration_0")


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


def judge(folder: Path, count: int, threads: int) -> list[dict[str, float | str]]:
    """Seconds, CPU seconds and peak MB of each model, of their comparison and of all; here."""
    from sparring.settings.parts import EvaluationSettings
    from sparring.settings.stages import CompareModels, Evaluate
    from sparring.stages.job import Job
    from sparring.stages.judging import evaluate
    from sparring.stages.verdict import Files, compare_models

    settings = EvaluationSettings(num_samples=count)
    rows: list[dict[str, float | str]] = []

    def measured(what: str, work: Callable[[], None]) -> None:
        began, cpu = time.monotonic(), time.process_time()
        work()
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        spent = {"seconds": time.monotonic() - began, "cpu": time.process_time() - cpu}
        rows.append({"what": what, **spent, "peak_mb": peak})

    def all_of_it() -> None:
        job = Job(Evaluate(evaluation=settings), folder / "job.json", {}, threads=threads)
        test, train = folder / "test.h5", folder / "train.h5"
        files = {name: folder / f"{n}.json" for n, name in enumerate(MODELS)}
        for n, (name, output) in enumerate(files.items()):
            samples = None if name == NULL else folder / f"samples_{n}.h5"
            near = folder / "neighbours.json"
            measured(name, partial(evaluate, job, samples, test, train, output, near))
        compare = Job(CompareModels(evaluation=settings), job.file, {}, threads=threads)
        comparisons = folder / "comparisons.json"
        measured("compare_models", lambda: compare_models(compare, Files(files, {}), comparisons))

    measured("all", all_of_it)
    return rows


def measure(count: int, train: int, threads: int) -> list[dict[str, float | str]]:
    """Write the files, and judge them in a process of its own."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_latents(folder / "train.h5", train, 1, "train")
        write_latents(folder / "test.h5", count, 2, "test")
        for n in range(1, len(MODELS)):
            write_latents(folder / f"samples_{n}.h5", count, 2 + n, "sample")
        command = [sys.executable, __file__, "--folder", name, "--count", str(count)]
        command += ["--threads", str(threads)]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def table(count: int, train: int, threads: int) -> str:
    """Markdown."""
    import torch

    rows = [
        f"| {r['what']} | {r['seconds']:.0f} | {r['cpu']:.0f} | {r['peak_mb']:.0f} |"
        for r in measure(count, train, threads)
    ]
    return "\n".join([
        f"# Judging an experiment of {len(MODELS)} models ({CHANNELS}x{SIDE}x{SIDE}, 5 seeds)",
        "",
        f"`python bench/evaluation_cost.py --count {count} --train {train} --threads {threads}`, "
        f"{platform.machine()}, Python {platform.python_version()}, torch {torch.__version__}. "
        "Where a machine does other work, seconds mean little and CPU seconds are too many.",
        "",
        f"{count} samples and held-out reals, {train} training reals; the peak is that of all so "
        "far. Nothing is decoded.",
        "",
        "| what | seconds | CPU seconds | peak MB |",
        "|---|---|---|---|",
        *rows,
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
