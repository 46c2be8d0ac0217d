"""What is paid before the first step, and around the steps?

CPU seconds of a process from its start until a stage could take its first step, the imports that
cost most, the time of the graph of jobs, saving state, a sample grid as the default draws it, which
training waits for, and what sharing one process would spare: the imports once instead of once per
stage.
"""

import argparse
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

from measuring import HERE, machine, write_table

STAGES = (
    "denoiser", "discriminator", "sampling", "autoencoder", "evaluation", "judging", "verdict",
    "comparison", "data",
)  # fmt: skip
AS_PROGRAMS = "from sparring.lean_imports import install; install(); "
FIRST_STEP = """
from sparring.compute import Compute
import sys, torch
sys.path.insert(0, {bench!r})
from workload import Steps, random_latents, training
torch.set_num_threads(1)
stage = training("unet64_d4", Compute(torch.device("cpu"), bf16=False), random_latents(32), 1)
"""
HEAVY = ("torch._dynamo", "torch", "diffusers", "scipy", "pandas", "matplotlib", "PIL")


def spent(command: list[str]) -> tuple[float, float]:
    """CPU and wall seconds of a process and its children."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, capture_output=True, check=True, cwd=HERE.parent)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return cpu, time.perf_counter() - began


def imported(statement: str) -> list[str]:
    """Which heavy packages a statement imports, and the self time of their modules."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", statement], capture_output=True, text=True
    )
    seconds: defaultdict[str, float] = defaultdict(float)
    for line in done.stderr.splitlines():
        found = re.match(r"import time:\s+(\d+) \|\s+\d+ \|\s+(\S+)", line)
        owner = next((h for h in HEAVY if found and f"{found[2]}.".startswith(f"{h}.")), None)
        if found and owner:
            seconds[owner] += int(found[1]) / 1e6
    return [f"{name} {value:.1f}" for name, value in seconds.items() if value >= 0.1]


def saving(folder: Path) -> tuple[float, float]:
    """CPU and wall seconds of saving the state of unet64_d4's training."""
    import torch
    from workload import random_latents, training

    from sparring.compute import Compute
    from sparring.training.state import ResumeState

    stage = training("unet64_d4", Compute(torch.device("cpu"), bf16=False), random_latents(4), 1)
    stage.step(0, 0)
    state = ResumeState(folder, "digest")
    cpu, wall = time.process_time(), time.perf_counter()
    state.save({"stage": stage.state()})
    return time.process_time() - cpu, time.perf_counter() - wall


def grid_beside_epoch(count: int = 16) -> tuple[float, float, float]:
    """CPU and wall seconds of unet64_d4's default sample grid, and an epoch's CPU seconds.

    Both are extrapolated: the grid from `count` samples, the epoch from two steps.
    """
    import torch
    from workload import BATCH, TRAIN, Steps, random_latents, sampler, training

    from sparring.compute import prepare
    from sparring.settings.parts import SampleGrid

    compute, grid = prepare("cpu", "auto", torch.get_num_threads()), SampleGrid()
    steps = Steps(training("unet64_d4", compute, random_latents(BATCH)))
    steps()
    began = time.process_time()
    steps(2)
    epoch = (time.process_time() - began) / 2 * TRAIN / BATCH
    of = sampler("unet64_d4", compute, grid.num_steps, grid.sampler)
    cpu, wall = time.process_time(), time.perf_counter()
    list(of.batches(count, count, 0))
    times = grid.num_samples / count
    return times * (time.process_time() - cpu), times * (time.perf_counter() - wall), epoch


def table() -> list[str]:
    """A row per overhead."""
    lines = [
        "| what | CPU s | wall s | note: wall s of imports, or share |",
        "|---|---|---|---|",
    ]

    def add(what: str, cpu: float, wall: float | None, note: str = "") -> None:
        shown = "" if wall is None else f"{wall:.1f}"
        lines.append(f"| {what} | {cpu:.1f} | {shown} | {note} |")
        print(lines[-1], flush=True)

    python = [sys.executable, "-c"]
    all_stages = 0.0
    for stage in STAGES:
        statement = f"{AS_PROGRAMS}import sparring.stages.{stage}"
        cpu, wall = spent([*python, statement])
        all_stages += cpu
        add(f"import of stages.{stage}", cpu, wall, ", ".join(imported(statement)))
    joined = AS_PROGRAMS + "; ".join(f"import sparring.stages.{stage}" for stage in STAGES)
    plain = "import sparring.stages.denoiser"
    add(
        "stages.denoiser without lean_imports", *spent([*python, plain]), ", ".join(imported(plain))
    )
    add(f"those {len(STAGES)} in processes of their own", all_stages, None)
    add("the same in one process", *spent([*python, joined]))
    add(
        "to the first step of unet64_d4",
        *spent([*python, AS_PROGRAMS + FIRST_STEP.format(bench=str(HERE))]),
    )
    snakemake = [sys.executable, "-m", "snakemake", "--profile", "profiles/local", "-n", "--quiet"]
    add("graph of jobs of the demo (dry run)", *spent(snakemake))
    with tempfile.TemporaryDirectory() as folder:
        add("saving the state of unet64_d4", *saving(Path(folder)))
    cpu, wall, epoch = grid_beside_epoch()
    share = f"{100 * cpu / epoch:.1f} % of an epoch of the reference recipe"
    add("a sample grid of unet64_d4, without decoding", cpu, wall, share)
    return lines


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__).parse_args()
    lines = table()
    intro = f"`OMP_NUM_THREADS=1 python bench/overheads.py`. {machine()}."
    write_table("overheads", "What is paid beside the work", intro, lines)
