"""How do time and memory grow with the number of latents, batch, model, shards and processes?

Each row is a process of its own, on one thread: CPU seconds per latent and step, and the peak of
resident memory beyond what the libraries take. What should not grow is seen not to.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable

from measuring import machine, write_table

TINY = "unet_tiny"
CASES: list[tuple[str, str, dict]] = [
    *(("latents on the device", "training", {"count": n}) for n in (512, 2048, 8192)),
    *(("batch of training", "training", {"batch": b}) for b in (8, 32, 128)),
    *(("batch of sampling", "sampling", {"batch": b}) for b in (8, 32, 128)),
    *(("model, training", "training", {"preset": p, "batch": 8})
      for p in (TINY, "unet32_d3", "unet48_d4", "unet64_d4")),
    *(("latents in a file, read", "reading", {"count": n}) for n in (512, 2048, 8192)),
    *(("shards of 64 fakes", "sharding", {"count": n}) for n in (1, 2, 4)),
    *(("processes of a training step", "sharing", {"count": n}) for n in (1, 2)),
]  # fmt: skip


def run(kind: str, count: int = 512, batch: int = 32, preset: str = TINY) -> dict[str, float]:
    """CPU milliseconds by latent, and MB beyond the libraries."""
    import tempfile
    from pathlib import Path

    import torch
    from workload import Steps, random_latents, sampler, training

    from sparring.artefacts.latents import read_latents, writing_latents
    from sparring.compute import Compute
    from sparring.distributed import Group
    from sparring.stages.sampling import batches_of

    torch.set_num_threads(1)
    compute = Compute(torch.device("cpu"), bf16=False)
    libraries = _peak()
    if kind == "training":
        steps = Steps(training(preset, compute, random_latents(count), batch))
        return _measured(lambda: steps(), batch, libraries)
    if kind == "sharing":  # what one of `count` processes computes, without what it says to others
        stage = training(preset, compute, random_latents(count * 64), batch)
        stage.group = Group(0, count)
        return _measured(lambda: Steps(stage)(), batch, libraries)
    if kind == "sampling":
        drawn = sampler(preset, compute, 2)
        return _measured(lambda: drawn.sample(range(batch), 0, "b"), 2 * batch, libraries)
    if kind == "sharding":
        drawn, numbers = sampler(preset, compute, 1), batches_of(64, 16, 0, count)
        shard = sum(len(part) for part in numbers)
        return _measured(lambda: [drawn.sample(n, 0, "b") for n in numbers], shard, libraries)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "latents.h5"
        with writing_latents(path, count, {"kind": "encoded"}) as writer:
            for start in range(0, count, 256):
                writer.append(random_latents(256, start).numpy())
        return _measured(lambda: read_latents(path), count, _peak())


def _measured(work: Callable[[], object], per: int, libraries: float) -> dict[str, float]:
    work()
    began = time.process_time()
    work()
    took = 1e3 * (time.process_time() - began) / per
    return {"ms": took, "mb": _peak() - libraries}


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def table() -> list[str]:
    """A row per case."""
    lines = ["| grows | to | CPU ms a latent | MB |", "|---|---|---|---|"]
    for what, kind, given in CASES:
        case = json.dumps({"kind": kind, **given})
        done = subprocess.run(
            [sys.executable, __file__, "--case", case], capture_output=True, text=True, check=True
        )
        found = json.loads(done.stdout.splitlines()[-1])
        size = ", ".join(str(value) for value in given.values())
        lines.append(f"| {what} | {size} | {found['ms']:.3g} | {found['mb']:.0f} |")
        print(lines[-1], flush=True)
    return lines


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--case", type=json.loads, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.case:
        print(json.dumps(run(**args.case)))
    else:
        lines = table()
        intro = (
            f"`OMP_NUM_THREADS=1 python bench/growth.py`. {machine()}. {TINY} on 16x32x32 where no "
            "preset is named; memory is beyond what the libraries take. Sampled latents count once "
            "a step; of processes the row has what the first of them computes."
        )
        write_table("growth", "Growth", intro, lines)
