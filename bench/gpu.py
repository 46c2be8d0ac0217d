"""All that is to be known of a GPU, in one call of at most nine minutes.

Do fast runs agree with fp32 run operator by operator? Which execution is fastest? How long does one
iteration of the reference recipe take, and what fills a training step? Needs torch, h5py, pandas,
pydantic and diffusers, neither Snakemake nor a network. The table is written after every part, so a
call that is cut short leaves what it has found. `--device cpu --small` tries the program itself.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import iteration
import torch
from measuring import alternated, machine, write_table
from workload import (
    BATCH,
    DDIM_STEPS,
    FAKES,
    SHAPE,
    SOLVER_STEPS,
    Steps,
    denoiser,
    forward_flop,
    random_latents,
    sampler,
    training,
)

from sparring.compute import Compute
from sparring.settings.config import Execution

PRESETS = ("unet64_d4", "unet128_d3", "unet64_d4_attn", "unet48_d4", "unet32_d3")
WAYS: tuple[tuple[str, Execution], ...] = (
    ("fp32", "eager"), ("bf16", "eager"), ("bf16", "compiled"), ("fp32", "compiled"),
)  # fmt: skip


@dataclass
class Run:
    """What is measured, on what, until when."""

    device: str
    small: bool
    deadline: float
    lines: list[str] = field(default_factory=list)

    def compute(self, precision: str, execution: Execution) -> Compute:
        """One way of running networks."""
        return Compute(torch.device(self.device), precision == "bf16", execution=execution)

    @property
    def ways(self) -> tuple[tuple[str, Execution], ...]:
        """bf16 takes minutes on a CPU without units for it, and so does compiling on any."""
        return WAYS[:1] if self.small else WAYS

    @property
    def batch(self) -> int:
        """Latents of a training step."""
        return 2 if self.small else BATCH

    @property
    def presets(self) -> tuple[str, ...]:
        """Those of the issue, most important first."""
        return ("unet_tiny",) if self.small else PRESETS

    def best(self) -> Compute:
        """The way that a stage chooses by itself."""
        return self.compute("fp32" if self.small else "bf16", "eager")

    def over(self) -> bool:
        """Whether the time is up."""
        return time.monotonic() > self.deadline


def rms(first: torch.Tensor, second: torch.Tensor) -> float:
    """Root mean square of a difference, in units of the first's."""
    return ((first - second).square().mean().sqrt() / first.square().mean().sqrt()).item()


def agreement(run: Run) -> Iterator[str]:
    """Loss curves and paired samples against fp32, operator by operator."""
    yield "| preset | way | largest difference of a loss | of the mean loss | samples differ by |"
    yield "|---" * 5 + "|"
    steps, latents = (3, random_latents(8)) if run.small else (60, random_latents(2000))
    for preset in run.presets[:1]:
        reference = None
        for way in run.ways:
            compute = run.compute(*way)
            stage = Steps(training(preset, compute, latents, run.batch))
            losses = torch.stack([stage() for _ in range(steps)]).cpu()
            drawn = sampler(preset, compute, 4 if run.small else SOLVER_STEPS)
            samples = drawn.sample(range(8 if run.device == "cuda" else 2), 0, "bench").cpu()
            reference = reference or (losses, samples)
            apart = (losses / reference[0] - 1).abs().max().item()
            means = abs(losses.mean() / reference[0].mean() - 1)
            cells = f"{apart:.2%} | {means:.2%} | {rms(reference[1], samples):.2%}"
            yield f"| {preset} | {' '.join(way)} | {cells} |"
            if run.over():
                return


def steps(run: Run) -> Iterator[str]:
    """Time of a training step and of a sampler's step, by preset and way."""
    yield (
        "| preset | way | training step ms | TFLOP/s | MFU | sampler's step ms a 512 | "
        f"{FAKES:,} by DDIM-{DDIM_STEPS}, s | by {SOLVER_STEPS} solver steps, s |"
    )
    yield "|---" * 8 + "|"
    count, drawn = (1, 2) if run.small else (30, 512)
    latents = random_latents(8 if run.small else 4096)
    for preset in run.presets:
        flop = forward_flop(preset)
        for way in run.ways:
            compute = run.compute(*way)
            stage = Steps(training(preset, compute, latents, run.batch))
            few = sampler(preset, compute, 2 if run.small else 10)
            learn = _each(lambda stage=stage: stage(count), run)
            draw = _each(lambda few=few: few.sample(range(drawn), 0, "bench"), run)
            learn, draw = learn / count, draw / few.settings.num_steps
            rate, most = 3 * flop * run.batch / learn, iteration.peak(compute)[0]
            all_fakes = draw * FAKES / drawn
            times = f"{all_fakes * DDIM_STEPS:.3g} | {all_fakes * SOLVER_STEPS:.3g}"
            cells = f"{learn * 1e3:.3g} | {rate / 1e12:.3g} | {rate / most:.1%} | {draw * 1e3:.3g}"
            yield f"| {preset} | {' '.join(way)} | {cells} | {times} |"
            if run.over():
                return


def _each(work: Callable[[], object], run: Run) -> float:
    return alternated({"it": work}, 1 if run.small else 3, run.device)["it"].wall


def whole(run: Run) -> Iterator[str]:
    """One iteration: whole sampling, two epochs measured, fifty extrapolated."""
    small = replace(iteration.CPU, repeats=1)
    size = small if run.small else replace(iteration.GPU, trained=2 * 688, repeats=1)
    best = run.best()
    yield from iteration.table(run.presets[0], best, size)
    yield ""
    yield "Of fine-tuning two epochs are measured and fifty reckoned from them."


def textbook(run: Run) -> Iterator[str]:
    """The same step as it is mostly written: fp32, batch 32, a number read in every step."""
    device, preset = torch.device(run.device), run.presets[0]
    model = denoiser(preset).to(device).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-5)
    held = list(random_latents(run.batch))

    def step() -> None:
        clean = torch.stack(held).to(device)
        eps, t = torch.randn_like(clean), torch.randint(0, 1000, (run.batch,), device=device)
        loss = (model(clean + eps, t).sample - eps).square().mean()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        loss.item()

    @torch.no_grad()
    def draw() -> None:
        latents = torch.randn(run.batch, *SHAPE, device=device)
        t = torch.zeros(run.batch, dtype=torch.long, device=device)
        latents - model(latents, t).sample

    yield "| preset | textbook training step ms | textbook sampler's step ms a 512 |"
    yield "|---" * 3 + "|"
    per_512 = _each(draw, run) * 512 / run.batch
    yield f"| {preset} | {_each(step, run) * 1e3:.3g} | {per_512 * 1e3:.3g} |"


def profile(run: Run) -> Iterator[str]:
    """What a training step's time goes to."""
    compute = run.best()
    stage = Steps(training(run.presets[0], compute, random_latents(64), run.batch))
    stage(4)
    on_gpu = run.device == "cuda"
    kinds = [torch.profiler.ProfilerActivity.CPU]
    kinds += [torch.profiler.ProfilerActivity.CUDA] if on_gpu else []
    with torch.profiler.profile(activities=kinds) as found:
        stage(1 if run.small else 5)
    order = "self_cuda_time_total" if on_gpu else "self_cpu_time_total"
    table = found.key_averages().table(sort_by=order, row_limit=15, max_name_column_width=60)
    yield from ("```", *table.splitlines(), "```")


PARTS = {
    "Agreement with fp32, operator by operator": agreement,
    "One iteration of the reference recipe": whole,
    "The textbook's step": textbook,
    "Ways of running": steps,
    "What fills a training step": profile,
}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cuda")
    parser.add_argument("--small", action="store_true", help="a tiny network, few steps")
    parser.add_argument("--minutes", type=float, default=8.0, help="no part begins after these")
    args = parser.parse_args()
    torch.set_num_threads(4 if args.device == "cuda" else 1)
    run = Run(args.device, args.small, time.monotonic() + 60 * args.minutes)
    intro = f"`python bench/gpu.py --minutes {args.minutes:g}`. {machine(args.device)}."
    for title, part in PARTS.items():
        if run.over():
            break
        run.lines += ["", f"## {title}", ""]
        began = time.monotonic()
        for line in part(run):
            print(line, flush=True)
            run.lines.append(line)
        run.lines += ["", f"({time.monotonic() - began:.0f} s)"]
        name = "gpu_tried_on_cpu" if args.device == "cpu" else "gpu"
        write_table(name, "On a GPU", intro, run.lines)
