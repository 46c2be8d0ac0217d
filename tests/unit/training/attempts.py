"""Attempts at a training: to the end, stopped on the way, and whether two ended alike."""

import os
import signal

import torch

from sparring.interrupts import InterruptedRun
from sparring.training.loop import Loop
from sparring.training.state import ResumeState


def run(stage, directory, digest="d", checkpoint_minutes=1e9):
    """Train to the end, or until somebody stops it."""
    return Loop(stage, ResumeState(directory, digest), checkpoint_minutes).run()


def stopping_at(stage, steps, stop):
    """Calls `stop` within the numbered steps, counted over this attempt."""
    plain, count = stage.step, iter(range(10**6))

    def step(epoch, number):
        terms = plain(epoch, number)
        if next(count) in steps:
            stop()
        return terms

    stage.step = step
    return stage


def terminate():
    """What a cluster does ahead of the wall time."""
    os.kill(os.getpid(), signal.SIGTERM)


def run_interrupted(make, directory, survives, stop=terminate, **keys):
    """Attempts until one ends; attempt n is stopped in its step number survives[n].

    Every attempt starts from freshly made objects, as a new process would.
    """
    for steps in [*survives, None]:
        stage = make()
        if steps is not None:
            stopping_at(stage, {steps}, stop)
        try:
            return stage, run(stage, directory, **keys)
        except (InterruptedRun, PowerCut):
            continue
    raise AssertionError("the last attempt was stopped too")


class PowerCut(Exception):  # noqa: N818 - what happens, not what went wrong
    """Ends an attempt without any chance to save."""


def cut_power():
    raise PowerCut


def flat(tree, path=""):
    """Tensors and plain values of nested state by path."""
    if isinstance(tree, dict):
        for key, value in tree.items():
            yield from flat(value, f"{path}/{key}")
    elif isinstance(tree, list | tuple):
        yield from flat(dict(enumerate(tree)), path)
    else:
        yield path, tree


def same(a, b):
    """Bitwise equality of nested state."""
    a, b = dict(flat(a)), dict(flat(b))
    return a.keys() == b.keys() and all(
        torch.equal(a[k], b[k]) if isinstance(a[k], torch.Tensor) else a[k] == b[k] for k in a
    )
