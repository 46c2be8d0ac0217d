"""What the programs of this folder share: alternated medians, the machine, tables."""

import os
import platform
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import torch

from sparring.artefacts.atomic import write_text

HERE = Path(__file__).parent


class Seconds(NamedTuple):
    """Medians over the repeats."""

    wall: float
    cpu: float
    """Of all threads of this process; says more than `wall` where others use the machine too."""


def alternated(
    runs: Mapping[str, Callable[[], object]], repeats: int, device: str = "cpu"
) -> dict[str, Seconds]:
    """Each run once unmeasured, then all of them in turn, again and again."""
    for run in runs.values():
        run()
    found: dict[str, list[Seconds]] = {name: [] for name in runs}
    for _ in range(repeats):
        for name, run in runs.items():
            _wait(device)
            wall, cpu = time.perf_counter(), time.process_time()
            run()
            _wait(device)
            found[name].append(Seconds(time.perf_counter() - wall, time.process_time() - cpu))
    return {name: medians(seconds) for name, seconds in found.items()}


def medians(seconds: list[Seconds]) -> Seconds:
    """Of wall and CPU time, each for itself."""
    return Seconds(*(statistics.median(column) for column in zip(*seconds, strict=True)))


def machine(device: str = "cpu") -> str:
    """One line: processor or GPU, threads, load, versions, commit."""
    import diffusers

    if device == "cuda":
        what = torch.cuda.get_device_name()
    else:
        units = [
            name
            for name, has in (
                ("AVX512-BF16", torch.cpu._is_avx512_bf16_supported()),
                ("AMX", torch.cpu._is_amx_tile_supported()),
            )
            if has
        ]
        what = (
            f"{_processor()}, {os.cpu_count()} cores, {torch.backends.cpu.get_cpu_capability()}, "
            f"{' and '.join(units) or 'no bf16 units'}, {torch.get_num_threads()} threads, load "
            f"{os.getloadavg()[0]:.1f}"
        )
    versions = f"Python {platform.python_version()}, torch {torch.__version__}"
    return f"{what}; {versions}, diffusers {diffusers.__version__}; commit {commit()}"


def commit() -> str:
    """The short hash; `+` where files differ from it."""

    def git(*words: str) -> str:
        done = subprocess.run(["git", *words], cwd=HERE, capture_output=True, text=True)
        return done.stdout.strip()

    try:
        return git("rev-parse", "--short", "HEAD") + ("+" if git("status", "--short", "..") else "")
    except FileNotFoundError:
        return "unknown"


def write_table(name: str, title: str, intro: str, table: list[str]) -> None:
    """Print it, and write it under bench/results."""
    text = "\n".join([f"# {title}", "", intro, "", *table]) + "\n"
    print(text, flush=True)
    write_text(HERE / "results" / f"{name}.md", text)


def _wait(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
