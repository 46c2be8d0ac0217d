"""Do the instruments see what they promise to see, and no more? The full self-test.

Nulls: two halves of one set of generated layouts, over 20 seeds; z, the error in standard errors,
should have mean 0 and standard deviation 1, and no more than 3 anywhere. Defects: each at rising
sizes, with the figure that is meant to see it, and whether it is detected (z beyond 3). What is not
detected at a size is said to be so. Convolutional judges are not trained anew for the jackknife, so
their z are too large: they guard, and decide nothing.
"""

import argparse
import importlib.util
import platform
from pathlib import Path

import numpy as np

from sparring.artefacts.atomic import write_text
from sparring.evaluation.features import RandomConvolutions
from sparring.evaluation.judges import JUDGES
from sparring.evaluation.neighbours import (
    Projected,
    Projection,
    manifold_figures,
    memorisation_figure,
)
from sparring.evaluation.statistics import Figure, Parts, estimate_of
from sparring.evaluation.two_sample import Rows, judge_seeds

_spec = importlib.util.spec_from_file_location(
    "judge_power", Path(__file__).with_name("judge_power.py")
)
assert _spec is not None
assert _spec.loader is not None
power = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(power)

DIM = 64
SIZES = {
    "shift": ((0.002, 0.005, 0.01, 0.05), lambda x, s: x + s),
    "shrinkage": ((0.002, 0.005, 0.01, 0.05), lambda x, s: (1 - s) * x),
    "dropped mode": ((0.02, 0.05, 0.1, 0.2), power.without_mode),
}


def parts_of(samples: np.ndarray, reals: np.ndarray) -> Parts:
    """The groups that the jackknife leaves out; every row is an original of its own."""
    return Parts.of(np.arange(len(samples)), np.arange(len(reals)), 0)


def coverage(reals: np.ndarray, samples: np.ndarray) -> Figure:
    """On standardised random convolution features."""
    features = RandomConvolutions.like(reals, DIM, 0)
    x, y = features(samples), features(reals)
    mean, std = y.mean(0), y.std(0)
    x, y, groups = (x - mean) / std, (y - mean) / std, (np.arange(len(x)), np.arange(len(y)))
    return manifold_figures(x, y, groups, parts_of(x, y))["coverage"]


def memorised(train: np.ndarray, held_out: np.ndarray, samples: np.ndarray) -> Figure:
    """The memorisation share."""
    project = Projection(train.shape[1:], 0)
    at = [
        Projected(project(x), np.arange(len(x)) + place * 1_000_000)
        for place, x in enumerate((samples, train, held_out))
    ]
    parts = parts_of(samples, held_out)
    return memorisation_figure(at[0], at[1], at[2], parts, judge_seeds(0, 5))


def nulls(count: int, side: int, seeds: int, repeats: int) -> list[str]:
    """A row per family."""
    lines = ["| judge | mean | standard deviation | largest |", "|---|---|---|---|"]
    for family, judge in JUDGES.items():
        found = []
        for seed in range(repeats):
            both = power.latents(2 * count, side, 100 + seed).astype(np.float16)
            halves = [Rows(half, np.arange(count)) for half in (both[::2], both[1::2])]
            found.append(power.z(power.auc(judge, *halves, seeds, seed), 0.5))
        mean, spread = np.mean(found), np.std(found, ddof=1)
        lines.append(f"| {family} | {mean:+.2f} | {spread:.2f} | {np.abs(found).max():.2f} |")
        print(lines[-1], flush=True)
    return lines


def detections(count: int, side: int, seeds: int) -> list[str]:
    """A row per defect and size."""
    lines = ["| defect | size | figure | value | SE | z | detected |", "|---" * 7 + "|"]

    def add(defect: str, size: float, name: str, figure: Figure, null: float) -> None:
        score, e = power.z(figure, null), estimate_of([figure])
        verdict = "yes" if abs(score) > 3 else "no: undetectable at this number"
        cells = f"{e.value:.4f} | {e.se:.4f} | {score:+.1f} | {verdict}"
        lines.append(f"| {defect} | {size:g} | {name} | {cells} |")
        print(lines[-1], flush=True)

    reals = power.latents(count, side, 1).astype(np.float16)
    others, train = power.latents(count, side, 2), power.latents(count, side, 3)
    null_coverage = coverage(reals, others.astype(np.float16)).value
    for defect, (sizes, change) in SIZES.items():
        for size in sizes:
            samples = change(others, size).astype(np.float16)
            for family, judge in JUDGES.items():
                rows = [Rows(x, np.arange(count)) for x in (reals, samples)]
                add(defect, size, f"auc_{family}", power.auc(judge, *rows, seeds), 0.5)
            if defect == "dropped mode":
                add(defect, size, "coverage", coverage(reals, samples), null_coverage)
    for share in (0.02, 0.05, 0.1, 0.2):
        samples = others.astype(np.float16)
        copies = int(share * count)
        samples[:copies] = (train[:copies] + 0.1 * others[:copies]).astype(np.float16)
        found = memorised(train.astype(np.float16), reals, samples)
        add("memorised copies", share, "memorisation", found, 0.5)
    return lines


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--side", type=int, default=16)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=20)
    args = parser.parse_args()
    call = f"--count {args.count} --side {args.side} --seeds {args.seeds} --repeats {args.repeats}"
    head = [
        f"# Self-test of the instruments (twice {args.count} of 16x{args.side}x{args.side})",
        "",
        f"`python bench/instruments.py {call}`, {platform.machine()}.",
        "",
        f"Two halves of one set, {args.repeats} seeds, z of AUC - 0.5:",
        "",
    ]
    body = nulls(args.count, args.side, args.seeds, args.repeats)
    text = [*head, *body, "", "Defects:", "", *detections(args.count, args.side, args.seeds)]
    write_text(Path(__file__).parent / "results" / "instruments.md", "\n".join(text) + "\n")
