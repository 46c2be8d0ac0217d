"""What does it cost that a stage can be continued? And how soon does it compute again?

Overhead: the seconds that one save of a training's state takes (network, average, two moments, the
best weights; written, synchronised with the disk, renamed) as a share of `checkpoint_minutes`; for
sampling, which saves every batch, as a share of the time of a batch. Restart: from the start of a
killed stage's program until its first step is made and saved, on a micro experiment.
"""

import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch

from sparring.artefacts.atomic import write_text
from sparring.compute import prepare
from sparring.models.denoiser import build_denoiser, build_scheduler
from sparring.sampling.sampler import Sampler
from sparring.settings.config import Config
from sparring.settings.parts import (
    DenoiserSettings,
    NoiseScheduleSettings,
    PretrainSettings,
    SamplingSettings,
)
from sparring.stages.sampling import storable
from sparring.training.denoiser import DenoiserTraining
from sparring.training.latents import Latents
from sparring.training.loop import Loop
from sparring.training.state import PartsState, ResumeState

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from workspace import LOCAL, Workspace, job  # noqa: E402 - tests are no package

PRESETS = ("unet32_d3", "unet48_d3", "unet64_d4")
SHAPE = (16, 32, 32)
DEFAULT_MINUTES = Config.model_fields["checkpoint_minutes"].default


def save_seconds(preset: str, folder: Path) -> tuple[float, float]:
    """Seconds of one save of a training's state, best of three, and its size in MB."""
    model = build_denoiser(DenoiserSettings(preset=preset), SHAPE[0], SHAPE[1])
    latents = Latents(torch.randn(4, *SHAPE), torch.randn(4, *SHAPE))
    settings = PretrainSettings(epochs=1, batch_size=4, sample_interval=0)
    schedule = build_scheduler(NoiseScheduleSettings())
    compute = prepare("cpu", "fp32", 1)
    training = DenoiserTraining(model, schedule, latents, settings, compute, 0, ("bench",))
    loop = Loop(training, ResumeState(folder, "bench"), DEFAULT_MINUTES)
    loop.progress.best = training.weights()
    loop._step(0)  # the optimiser has its moments after it
    seconds = []
    for _ in range(3):
        start = time.monotonic()
        loop._save()
        seconds.append(time.monotonic() - start)
    return min(seconds), (folder / "checkpoint.pt").stat().st_size / 1e6


def sampling_seconds(folder: Path) -> tuple[float, float]:
    """Seconds of a batch of 32 in 100 steps by the smallest preset, and of saving it."""
    model = build_denoiser(DenoiserSettings(preset="unet32_d3"), SHAPE[0], SHAPE[1]).eval()
    schedule, compute = build_scheduler(NoiseScheduleSettings()), prepare("cpu", "auto", 1)
    sampler = Sampler(model, schedule, SamplingSettings(num_steps=10), compute)
    start = time.monotonic()
    latents = sampler.sample(range(32), 0, "bench")
    batch = 10 * (time.monotonic() - start)  # ten of the hundred steps
    start = time.monotonic()
    PartsState(folder, "bench").save(0, storable(latents.numpy(), folder))
    return batch, time.monotonic() - start


def restart_seconds(folder: Path) -> float:
    """From the start of a killed stage to the save that follows its first step."""
    run = Workspace(folder, folder)
    run.config["checkpoint_minutes"] = 0.0  # saves after every step
    run.experiments["base"]["diffusion"] |= {"epochs": 400}
    target = "results/base/denoiser/config.json"
    stage = run.commands(target)[job("pretrain_diffusion", experiment="base")]
    options = (f"--snakefile={ROOT / 'Snakefile'}", f"--configfile={folder / 'config.yaml'}")
    command = [sys.executable, "-m", "snakemake", f"--directory={folder}", *options, *LOCAL, target]
    checkpoint = folder / "state/base/pretrain_diffusion/checkpoint.pt"
    _kill_when(subprocess.Popen(command, start_new_session=True), checkpoint.exists)
    before, start = checkpoint.stat().st_mtime, time.monotonic()
    second = subprocess.Popen(stage, shell=True, cwd=folder, start_new_session=True)
    _kill_when(second, lambda: checkpoint.stat().st_mtime > before)
    return time.monotonic() - start


def _kill_when(process: subprocess.Popen, condition: Callable[[], bool]) -> None:
    while not condition():
        assert process.poll() is None, "ended too early"
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def table() -> list[str]:
    """Lines of Markdown."""
    lines = [
        "# What it costs that a stage can be continued",
        "",
        f"`OMP_NUM_THREADS=1 python bench/resuming.py`, {platform.machine()}, Python "
        f"{platform.python_version()}, one thread; the state holds the network, its average, two "
        "moments and the best weights.",
        "",
        f"| training | state in MB | seconds per save | share of {DEFAULT_MINUTES:g} min |",
        "|---|---|---|---|",
    ]
    for preset in PRESETS:
        with tempfile.TemporaryDirectory(dir=ROOT) as folder:
            seconds, size = save_seconds(preset, Path(folder))
        share = seconds / (60 * DEFAULT_MINUTES)
        lines.append(f"| {preset} | {size:.0f} | {seconds:.2f} | {share:.2%} |")
    with tempfile.TemporaryDirectory(dir=ROOT) as folder:
        batch, save = sampling_seconds(Path(folder))
    lines += [
        "",
        f"Sampling saves every batch of 32: {save * 1000:.0f} ms after {batch:.0f} s (unet32_d3, "
        f"100 steps), {save / batch:.2%}.",
    ]
    with tempfile.TemporaryDirectory() as folder:
        restart = restart_seconds(Path(folder))
    return [
        *lines,
        "",
        f"A killed stage had made and saved its next step {restart:.1f} s after its start.",
    ]


if __name__ == "__main__":
    text = "\n".join(table()) + "\n"
    print(text)
    write_text(ROOT / "bench" / "results" / "resuming.md", text)
