"""What does a training step of each objective cost beside the plain one, with the same denoiser?

`OMP_NUM_THREADS=1 python bench/objective_cost.py` takes steps of all in turn. Bounds: x0_bce 1.4
times, noised 2.2, ddo 2.8 times the plain step.
"""

import argparse

import torch
from measuring import alternated, machine, write_table

from sparring.compute import prepare
from sparring.models.denoiser import build_denoiser, build_scheduler
from sparring.models.discriminator import LatentDiscriminator
from sparring.settings.objective import AdversarialLoss
from sparring.settings.parts import DenoiserSettings, FinetuneSettings, NoiseScheduleSettings
from sparring.training.finetuning import Finetuning
from sparring.training.latents import Latents
from sparring.training.opponents import Critic, Itself, Opponent

CHANNELS, SIDE = 16, 32
BOUNDS = {"plain": 1.0, "x0_bce": 1.4, "noised": 2.2, "ddo": 2.8}


def stage(objective: str, args: argparse.Namespace) -> Finetuning:
    """A training with that objective; `plain` is the control."""
    compute = prepare(args.device, args.precision, args.threads)
    model = build_denoiser(DenoiserSettings(preset=args.preset), CHANNELS, SIDE)
    latents = torch.randn(4 * args.batch, CHANNELS, SIDE, SIDE, device=compute.device)
    opponent: Opponent | None = None
    if objective == "ddo":
        opponent = Itself(model, latents.clone(), AdversarialLoss(objective="ddo"))
    elif objective != "plain":
        noised = objective == "noised"
        loss = AdversarialLoss(objective="noised" if noised else "x0_bce")
        opponent = Critic(LatentDiscriminator(CHANNELS, noised=noised), loss)
    settings = FinetuneSettings(batch_size=args.batch, epochs=10**6, selection_samples=0)
    schedule = build_scheduler(NoiseScheduleSettings())
    data = Latents(latents, latents[: args.batch])
    return Finetuning(model, schedule, data, settings, compute, 0, ("bench",), opponent=opponent)


def main() -> None:
    """Measure and write bench/results/objective_cost_{device}.md."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--preset", default="unet32_d3")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--repeats", type=int, default=7)
    args = parser.parse_args()
    stages = {name: stage(name, args) for name in BOUNDS}
    steps = {name: iter(range(10**6)) for name in stages}

    def step(name: str) -> None:
        number = next(steps[name])
        per_epoch = stages[name].steps_per_epoch
        stages[name].step(number // per_epoch, number % per_epoch)

    found = alternated(
        {name: lambda name=name: step(name) for name in stages}, args.repeats, args.device
    )
    plain = found["plain"]
    table = [
        "| objective | s | CPU s | ratio | ratio of CPU s | bound |",
        "|---|---|---|---|---|---|",
    ]
    for name, s in found.items():
        ratios = f"{s.wall / plain.wall:.2f} | {s.cpu / plain.cpu:.2f}"
        table.append(f"| {name} | {s.wall:.3f} | {s.cpu:.3f} | {ratios} | {BOUNDS[name]:g} |")
    command = (
        f"python bench/objective_cost.py --preset {args.preset} --device {args.device} "
        f"--threads {args.threads} --batch {args.batch} --repeats {args.repeats}"
    )
    intro = (
        f"`{command}`. {machine(args.device)}. {args.preset} on latents {CHANNELS}x{SIDE}x{SIDE}; "
        "medians of steps in turn."
    )
    write_table(f"objective_cost_{args.device}", "Steps of the objectives", intro, table)


if __name__ == "__main__":
    main()
