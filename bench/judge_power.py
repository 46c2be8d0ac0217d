"""Which judge sees most per CPU second? Probe networks against defects of known size.

Reals are generated layouts as latents: one-hot classes, averaged to the latent's side and mixed
into its channels by a fixed random map, standardised. Samples are other layouts of the same kind
with one defect. `z` is (AUC - 0.5) / standard error of a cross-fitted two-sample test with several
seeds, as a normal variable: a standard error of few groups counts for less. `null` must lie within
3 of 0. Only the linear judge is trained anew for each group that the jackknife leaves out; the
others' z are too large by what that leaves unseen. The chosen ones are
sparring.evaluation.judges.JUDGES.
"""

import argparse
import platform
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
from scipy.stats import norm

from sparring.artefacts.atomic import write_text
from sparring.data.procedural import CLASSES, generate_layout
from sparring.evaluation.judges import CnnJudge, Judge, LinearJudge
from sparring.evaluation.statistics import Figure, Parts, estimate_of
from sparring.evaluation.two_sample import Rows, judge_seeds, own_auc

CHANNELS = 16
Array = np.ndarray


def latents(count: int, side: int, seed: int) -> Array:
    """Generated layouts as latents `[N,16,side,side]`, float32, with a little noise."""
    mean, std = scale(side)
    found = (encoded(count, side, seed) - mean) / std
    noise = np.random.default_rng(seed).normal(size=found.shape).astype(np.float32)
    return found + np.float32(0.1) * noise


@cache
def scale(side: int) -> tuple[Array, Array]:
    """Mean and standard deviation per channel, `[1,16,1,1]`, of layouts that are in no test.

    One scale for all, as an autoencoder has: sets that are each standardised by themselves are
    told apart by it, for a cell of one class has one value in each set and another in the next.
    """
    found = encoded(500, side, 0)
    mean, std = (f((0, 2, 3), keepdims=True) for f in (found.mean, found.std))
    return mean, std


def encoded(count: int, side: int, seed: int) -> Array:
    """Classes of layouts `[N,2s,2s]`, averaged and mixed to `[N,16,s,s]`, float32."""
    mix = np.random.default_rng(0).normal(size=(CHANNELS, len(CLASSES))).astype(np.float32)
    found = np.empty((count, CHANNELS, side, side), np.float32)
    eye = np.eye(len(CLASSES), dtype=np.float32)
    for row in range(count):
        ids = generate_layout(seed, row, 2 * side)
        cells = eye[ids].reshape(side, 2, side, 2, -1).mean((1, 3))
        found[row] = np.moveaxis(cells @ mix.T, -1, 0)
    return found


def blurred(x: Array, share: float) -> Array:
    """Mixed with the mean of the four neighbours."""
    near = sum(np.roll(x, shift, axis) for axis in (2, 3) for shift in (1, -1)) / 4
    return (1 - share) * x + share * near


def patterned(x: Array, size: float) -> Array:
    """With a checkerboard on one channel, as adversarial patterns have."""
    x = x.copy()
    x[:, 0] += size * (np.indices(x.shape[-2:]).sum(0) % 2 * 2 - 1)
    return x


def without_mode(x: Array, share: float) -> Array:
    """A share of the most furnished layouts replaced by others."""
    busy = np.argsort(-np.abs(np.diff(x, axis=-1)).mean((1, 2, 3)), kind="stable")
    gone = busy[: int(share * len(x))]
    x = x.copy()
    x[gone] = x[np.setdiff1d(np.arange(len(x)), gone)[: len(gone)]]
    return x


DEFECTS: dict[str, Callable[[Array], Array]] = {
    "null": lambda x: x,
    "shift 0.01": lambda x: x + 0.01,
    "shrinkage 1 %": lambda x: 0.99 * x,
    "blur 5 %": lambda x: blurred(x, 0.05),
    "pattern 0.02": lambda x: patterned(x, 0.02),
    "mode 20 % dropped": lambda x: without_mode(x, 0.2),
}
SLOW = 1e-3
JUDGES: dict[str, Judge] = {
    "linear, 320 random features (chosen)": LinearJudge(),
    "cnn 16-32": CnnJudge(learning_rate=SLOW),
    "cnn 32-64": CnnJudge((32, 64), learning_rate=SLOW),
    "cnn 64-128": CnnJudge((64, 128), learning_rate=SLOW),
    "cnn 32-64, half the steps": CnnJudge((32, 64), epochs=4, min_steps=30, learning_rate=SLOW),
    "cnn 32-64, twice the steps": CnnJudge((32, 64), epochs=16, min_steps=120, learning_rate=SLOW),
    "cnn 16-32, 3 times the rate (chosen)": CnnJudge(),
    "cnn 32-64, 3 times the rate": CnnJudge((32, 64)),
    "cnn 16-32-64": CnnJudge((16, 32, 64), learning_rate=SLOW),
    "cnn 16-32, full resolution": CnnJudge(first_stride=1, learning_rate=SLOW),
}


def auc(judge: Judge, reals: Rows, samples: Rows, seeds: int, seed: int = 0) -> Figure:
    """The two-sample test."""
    parts = Parts.of(samples.groups, reals.groups, seed)
    return own_auc(judge, reals, samples, parts, judge_seeds(seed, seeds))


def z(figure: Figure, null: float) -> float:
    """Standard errors from the null, of a normal variable as rare as this of Student's t.

    Infinite where every sample is told from every real.
    """
    e = estimate_of([figure])
    side = e.p_above(null) if e.value > null else e.p_below(null)
    return float(norm.isf(side)) * (1 if e.value > null else -1)


def table(count: int, side: int, seeds: int, only: list[str]) -> str:
    """Markdown with a row per judge."""
    import torch

    torch.set_num_threads(1)
    reals = Rows(latents(count, side, 1).astype(np.float16), np.arange(count))
    others = latents(count, side, 2)
    judges = {name: judge for name, judge in JUDGES.items() if not only or name in only}
    lines = [
        f"# Power of judges per CPU second ({count} + {count} of {CHANNELS}x{side}x{side})",
        "",
        f"`python bench/judge_power.py --count {count} --side {side} --seeds {seeds}`, "
        f"{platform.machine()}, Python {platform.python_version()}, torch {torch.__version__}, one "
        f"thread. z of each defect, {seeds} seeds; CPU seconds of one test; the mean of z over the "
        "five defects per CPU second.",
        "",
        f"| judge | {' | '.join(DEFECTS)} | CPU s | z per CPU s |",
        "|---" * (len(DEFECTS) + 3) + "|",
    ]
    print("\n".join(lines), flush=True)
    for name, judge in judges.items():
        began, found = time.process_time(), []
        for defect in DEFECTS.values():
            samples = Rows(defect(others).astype(np.float16), np.arange(count))
            found.append(z(auc(judge, reals, samples, seeds), 0.5))
        seconds = (time.process_time() - began) / len(DEFECTS)
        shown = " | ".join(f"{value:.1f}" for value in found)
        lines.append(f"| {name} | {shown} | {seconds:.1f} | {np.mean(found[1:]) / seconds:.2f} |")
        print(lines[-1], flush=True)
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--side", type=int, default=32)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--only", action="append", default=[], help="name of a judge; repeatable")
    args = parser.parse_args()
    text = table(args.count, args.side, args.seeds, args.only)
    write_text(Path(__file__).parent / "results" / "judge_power.md", text)
