r"""How often is the verdict wrong, and how often does it see what is there?

    python bench/calibration.py --kind mirror --repeats 300
    python bench/calibration.py --kind mirror --repeats 300 --cut 0.3   # power: a defect cut

A null is a pair of models that are equally far from the reals by construction; a false positive is
a 95 % interval of the difference of a figure that may lead to a claim which excludes 0. In `family`
whole experiments are judged, and a false positive is a verdict that claims anything.

Latents are 8x8x8: smooth random fields, squashed, a quarter of them of another mode; their
distribution is symmetric under flips. Models share nine tenths of the variance of the noise that a
sample begins from, as models of one start do. Where the defects of a pair differ in kind, their
sizes are tuned beforehand, figure by figure, until the figure's mean is the same. No figure of a
model depends on which others are compared (each has judges of its own), so that a pool of models
has no size that could matter; `pools` sends seven of one kind and three of the other through the
verdict's own comparison.

`--output` appends the rows to a file, so that a table can be made kind by kind. The last
line is `false positives X of Y`, of the worst figure.
"""

import argparse
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from math import sqrt
from pathlib import Path

import numpy as np

from sparring.artefacts.atomic import write_text
from sparring.evaluation.comparing import Model, differences
from sparring.evaluation.distances import kernel_figure
from sparring.evaluation.features import WIDTHS, RandomConvolutions
from sparring.evaluation.judges import LinearJudge
from sparring.evaluation.statistics import Estimate, Figure, Parts, estimate_of
from sparring.evaluation.two_sample import Rows, judge_seeds, own_auc
from sparring.evaluation.verdict import decide
from sparring.settings.parts import NULL

Array = np.ndarray
CHANNELS, SIDE = 8, 8
SHARED = 0.9
FIGURES = ("auc_linear", "kernel")
SIZE = 0.12
"""Of a shift, in standard deviations: judges tell it at about .7."""


def fields(base: Array, kind: Array) -> Array:
    """Latents `[N,8,8,8]` float32 from white noise; `kind` `[N]` below .25 is another mode."""
    mix = np.random.default_rng(0).normal(size=(CHANNELS, CHANNELS)) / sqrt(CHANNELS)
    x = np.einsum("nchw,cd->ndhw", base, mix)
    smooth = x + sum(np.roll(x, shift, axis) for axis in (2, 3) for shift in (1, -1)) / 2
    furnished = (kind < 0.25)[:, None, None, None]
    return (np.tanh(smooth) * np.where(furnished, 1.2, 0.9)).astype(np.float32)


def shifted(x: Array, size: float, half: slice = slice(None)) -> Array:
    """Plus `size` standard deviations of one channel, in a part of the columns."""
    x = x.copy()
    x[:, 0, :, half] += size * x[:, 0].std()
    return x


def blurred(x: Array, share: float) -> Array:
    """Mixed with the mean of the four neighbours."""
    near = sum(np.roll(x, shift, axis) for axis in (2, 3) for shift in (1, -1)) / 4
    return ((1 - share) * x + share * near).astype(np.float32)


@dataclass(frozen=True)
class World:
    """One trial: held-out reals, and the noise that all models begin from."""

    number: int
    reals: int = 300
    samples: int = 300

    def draw(self, what: str) -> np.random.Generator:
        """Random numbers of this trial for one purpose."""
        return np.random.default_rng([self.number, *what.encode()])

    def held_out(self) -> Rows:
        """Reals `[M,8,8,8]`."""
        draw = self.draw("reals")
        base = draw.normal(size=(self.reals, CHANNELS, SIDE, SIDE))
        return Rows(fields(base, draw.uniform(size=self.reals)), np.arange(self.reals))

    def model(self, name: str, kept: float = 1.0) -> Array:
        """Samples of a model without a defect, which has `kept` of the other mode."""
        shared, own = self.draw("noise"), self.draw(f"model {name}")
        size = (self.samples, CHANNELS, SIDE, SIDE)
        base = sqrt(SHARED) * shared.normal(size=size) + sqrt(1 - SHARED) * own.normal(size=size)
        kind = shared.uniform(size=self.samples)
        kind[(kind < 0.25) & (own.uniform(size=self.samples) > kept)] = 0.5
        return fields(base, kind)


@dataclass(frozen=True)
class Judges:
    """How many judges a figure has, and the widths of their random convolutions."""

    count: int
    widths: tuple[int, ...]


def figures(
    world: World, held_out: Rows, samples: Array, judges: Judges, wanted: tuple[str, ...] = FIGURES
) -> dict[str, Figure]:
    """The two that decide."""
    rows, found = Rows(samples, np.arange(len(samples))), {}
    if "auc_linear" in wanted:
        parts = Parts.of(rows.groups, held_out.groups, world.number)
        chosen = judge_seeds(world.number, judges.count)
        found["auc_linear"] = own_auc(LinearJudge(judges.widths), held_out, rows, parts, chosen)
    if "kernel" in wanted:
        # The same features in every trial, as a product's settings have one seed: they are what the
        # distance is by, and by others two defects that differ in kind are not equally large.
        features = RandomConvolutions(CHANNELS, 64, 0, widths=judges.widths)
        x, y = features(rows.latents), features(held_out.latents)
        mean, std = y.mean(0), y.std(0)
        x, y = (x - mean) / std, (y - mean) / std
        found["kernel"] = kernel_figure(x, y, rows.groups, held_out.groups)
    return found


Maker = Callable[[World, str, float], Array]
"""Samples of a model, by name, with a defect of some size."""


def left(world: World, name: str, size: float) -> Array:
    """Shifted in the left half."""
    return shifted(world.model(name), size, slice(0, SIDE // 2))


def right(world: World, name: str, size: float) -> Array:
    """Shifted in the right half: the mirror image."""
    return shifted(world.model(name), size, slice(SIDE // 2, None))


def everywhere(world: World, name: str, size: float) -> Array:
    """Shifted."""
    return shifted(world.model(name), size)


def blur(world: World, name: str, size: float) -> Array:
    """Blurred."""
    return blurred(world.model(name), size)


def dropped(world: World, name: str, size: float) -> Array:
    """With a share `size` of the other mode missing."""
    return world.model(name, kept=1 - size)


@dataclass(frozen=True)
class Kind:
    """Two models and the sizes of their defects; `tuned` adjusts the second's to the first's."""

    first: Maker
    second: Maker
    size: float
    second_size: float
    tuned: bool = False
    reals: int = 300
    samples: int = 300


KINDS = {
    "same": Kind(everywhere, everywhere, SIZE, SIZE),
    "mirror": Kind(left, right, 2 * SIZE, 2 * SIZE, tuned=True),
    "blur_shift": Kind(blur, everywhere, 0.18, SIZE, tuned=True),
    "mode_shift": Kind(dropped, everywhere, 0.9, SIZE, tuned=True),
    "few": Kind(left, right, 2 * SIZE, 2 * SIZE, tuned=True, reals=100, samples=400),
    "perfect": Kind(everywhere, everywhere, 0.0, 0.0),
    "runs": Kind(left, left, 2 * SIZE, 2 * SIZE),
    "pools": Kind(left, left, 2 * SIZE, 2 * SIZE),
    "family": Kind(left, left, 2 * SIZE, 2 * SIZE),
}


def tuned_size(kind: Kind, figure: str, trials: int, judges: Judges) -> float:
    """The second defect's size at which the mean of a figure is the first's. To the linear judges,
    whose features are drawn anew in every trial, mirrored defects are equal as they are."""
    if figure == "auc_linear" and kind.second is right:
        return kind.second_size
    worlds = [World(10**7 + n, kind.reals, kind.samples) for n in range(trials)]
    reals = [world.held_out() for world in worlds]

    def mean(make: Maker, name: str, size: float) -> float:
        found = [
            figures(w, r, make(w, name, size), judges, (figure,))[figure].value
            for w, r in zip(worlds, reals, strict=True)
        ]
        return float(np.mean(found))

    wanted = mean(kind.first, "a", kind.size)
    sizes = np.array([0.0, 0.5, 1, 2, 4]) * kind.second_size
    found = [mean(kind.second, "b", size) for size in sizes]
    for _ in range(2):  # once more around the first answer
        size = float(np.interp(wanted, found, sizes))
        sizes = np.array([0.85, 1.0, 1.15]) * size
        found = [mean(kind.second, "b", s) for s in sizes]
    return float(np.interp(wanted, found, sizes))


def pair(
    kind: Kind, sizes: dict[str, float], world: World, cut: float, judges: Judges
) -> dict[str, Estimate]:
    """Estimates of the second model's figures minus the first's, by figure."""
    held_out, found = world.held_out(), {}
    first = figures(world, held_out, kind.first(world, "a", kind.size), judges)
    for name, size in sizes.items():
        samples = kind.second(world, "b", (1 - cut) * size)
        second = figures(world, held_out, samples, judges, (name,))
        found[name] = estimate_of([second[name].minus(first[name])])
    return found


def of_runs(kind: Kind, world: World, cut: float, judges: Judges, runs: int) -> dict[str, Estimate]:
    """Differences over training runs whose defects vary by a fifth; all share the reals."""
    held_out, found = world.held_out(), {name: [] for name in FIGURES}
    spread = world.draw("spread")
    for run in range(runs):
        sizes = kind.size * (1 + 0.2 * spread.normal(size=2)) * (1, 1 - cut)
        first = figures(world, held_out, kind.first(world, f"a {run}", sizes[0]), judges)
        second = figures(world, held_out, kind.second(world, f"b {run}", sizes[1]), judges)
        for name, differences_ in found.items():
            differences_.append(second[name].minus(first[name]))
    return {name: estimate_of(runs_) for name, runs_ in found.items()}


def experiment(
    kind: Kind, world: World, cut: float, judges: Judges, makers: dict[str, Maker]
) -> tuple[list[Model], Model]:
    """Models of an experiment by place, and real against real."""
    held_out = world.held_out()
    models = []
    for place, make in makers.items():
        size = kind.size * (1 - cut if place.startswith("adversarial") else 1)
        found = figures(world, held_out, make(world, place, size), judges)
        models.append(Model(place, found))
    fresh = World(world.number + 2 * 10**6, kind.reals, kind.samples).model(NULL)
    return models, Model(NULL, figures(world, held_out, fresh, judges))


def pooled(kind: Kind, world: World, judges: Judges) -> dict[str, Estimate]:
    """The last iteration against its control, among seven of one kind and three of the other.

    The others stand there with the figures of the two, as theirs cannot matter.
    """
    held_out = world.held_out()
    first = figures(world, held_out, kind.first(world, "a", kind.size), judges)
    second = figures(world, held_out, kind.second(world, "b", kind.size), judges)
    models = [Model("start", first)]
    models += [Model(f"control/iteration_{n}", first) for n in range(6)]
    models += [Model(f"adversarial/iteration_{n}", second) for n in range(3)]
    found = differences(models, Model(NULL, first))
    return {
        d.figure: d.estimate
        for d in found
        if d.model == "adversarial/iteration_2" and d.against == "control"
    }


def claimed(kind: Kind, world: World, cut: float, judges: Judges) -> bool:
    """Whether the verdict of an experiment of two iterations claims anything."""
    makers = {"start": kind.first}
    for n in range(2):
        makers |= {f"control/iteration_{n}": kind.first, f"adversarial/iteration_{n}": kind.second}
    models, null = experiment(kind, world, cut, judges, makers)
    return decide(models, null, differences(models, null)).selected != "start"


def excludes_zero(estimate: Estimate) -> bool:
    """Whether the 95 % interval does."""
    low, high = estimate.interval
    return low > 0 or high < 0


def trials(args: argparse.Namespace, kind: Kind) -> dict[str, list[Estimate]]:
    """What every trial found, by figure."""
    sizes = dict.fromkeys(FIGURES, kind.second_size)
    if kind.tuned:
        sizes = {name: tuned_size(kind, name, args.tuning, args.judges) for name in FIGURES}
    found: dict[str, list[Estimate]] = {name: [] for name in FIGURES}
    for number in range(args.first, args.first + args.repeats):
        world = World(number, kind.reals, kind.samples)
        if args.kind == "runs":
            estimates = of_runs(kind, world, args.cut, args.judges, args.runs)
        elif args.kind == "pools":
            estimates = pooled(kind, world, args.judges)
        else:
            estimates = pair(kind, sizes, world, args.cut, args.judges)
        for name, values in found.items():
            values.append(estimates[name])
    return found


def row(args: argparse.Namespace, name: str, hits: int, calibration: str, seconds: float) -> str:
    """One line of the table; the error of a share is binomial."""
    share = hits / args.repeats
    error = sqrt(max(share * (1 - share), 1 / args.repeats**2) / args.repeats)
    features = 2 * sum(args.widths)
    return (
        f"| {args.kind} | {args.cut:.0%} | {features} | {name} | {hits} of {args.repeats} | "
        f"{share:.1%} ± {error:.1%} | {calibration} | {seconds / args.repeats:.2f} |"
    )


def rows_of(args: argparse.Namespace) -> tuple[list[str], int]:
    """The table's rows, and the most rejections of a figure."""
    kind, began = KINDS[args.kind], time.process_time()
    if args.kind == "family":
        worlds = range(args.first, args.first + args.repeats)
        hits = sum(claimed(kind, World(number), args.cut, args.judges) for number in worlds)
        return [row(args, "verdict", hits, "", time.process_time() - began)], hits
    rows, most = [], 0
    for name, estimates in trials(args, kind).items():
        values = np.array([e.value for e in estimates])
        errors = sqrt(np.mean([e.se**2 for e in estimates])) / values.std(ddof=1)
        hits = sum(map(excludes_zero, estimates))
        most = max(most, hits)
        calibration = f"{values.mean():+.5f} | {errors:.2f}"
        rows.append(row(args, name, hits, calibration, time.process_time() - began))
    return rows, most


def main() -> None:
    """Count and print."""
    import torch

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kind", choices=list(KINDS), required=True)
    parser.add_argument("--repeats", type=int, default=300)
    parser.add_argument("--first", type=int, default=0, help="number of the first trial")
    parser.add_argument("--cut", type=float, default=0.0, help="share that the defect is cut by")
    parser.add_argument("--seeds", type=int, default=5, help="judges per figure")
    parser.add_argument(
        "--widths",
        type=int,
        nargs="+",
        default=WIDTHS,
        help="of random convolutions; 8 16 16 are a fifth of the time",
    )
    parser.add_argument("--runs", type=int, default=3, help="training runs of kind runs")
    parser.add_argument("--tuning", type=int, default=40, help="trials that sizes are tuned on")
    parser.add_argument("--output", type=Path, help="file that the rows are appended to")
    args = parser.parse_args()
    args.judges = Judges(args.seeds, tuple(args.widths))
    torch.set_num_threads(1)
    rows, most = rows_of(args)
    if args.output:
        before = args.output.read_text(encoding="utf-8") if args.output.exists() else ""
        write_text(args.output, before + "\n".join(rows) + "\n")
    print(f"{platform.machine()}, Python {platform.python_version()}, torch {torch.__version__}")
    print("| kind | cut | features | figure | excludes 0 | share | mean | SE / true | CPU s each |")
    print("|---" * 9 + "|")
    print("\n".join(rows))
    print(f"false positives {most} of {args.repeats}")


if __name__ == "__main__":
    main()
