"""Trains every kind of stage in several processes, for test_several_processes.py.

    python train_in_processes.py COUNT DIRECTORY

Reads DIRECTORY/layouts.h5. Per kind, under DIRECTORY/KIND: `whole.RANK.pt`, how an undisturbed run
ends; `resumed.RANK.pt`, how one ends that goes on from given/checkpoint.pt; and left/, the state of
a run that is cut in its fifth step. At last, under DIRECTORY/stopped, a run that SIGTERM stops.
"""

import os
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import conftest as tiny
import torch

from sparring.artefacts.layouts import Layouts
from sparring.distributed import processes
from sparring.interrupts import EXIT_STATUS, InterruptedRun
from sparring.training import denoiser
from sparring.training.state import ResumeState


def train(make, folder, rank):
    """The runs of one kind."""
    for name, state in (("whole", "new"), ("resumed", "given")):
        stage = make()
        stage._picture = lambda epoch, *_: (folder / f"{epoch}.{rank}.png").touch()
        trained = tiny.run(stage, folder / state)
        torch.save(vars(trained) | {"state": stage.state()}, folder / f"{name}.{rank}.pt")
    with suppress(tiny.PowerCut):
        stage = tiny.stopping_at(make(), {4}, tiny.cut_power)
        tiny.run(stage, folder / "left", checkpoint_minutes=0)


def main(count, directory):
    with processes(count, "cpu") as group:
        torch.set_num_threads(1)
        denoiser._MIN_VALIDATION_DRAWS = 24  # as in the other tests
        (directory / f"pid.{group.rank}").write_text(str(os.getpid()))
        tiny.CPU = replace(tiny.CPU, group=group)
        group.finish = lambda: None  # there is more than one run
        if not group.is_main:
            ResumeState.save = None  # would fail, and the job with it
        for kind, make in tiny.uneven(Layouts(directory / "layouts.h5")).items():
            train(make, directory / kind, group.rank)
        stage = tiny.pretraining(epochs=100)
        if group.is_main:
            tiny.stopping_at(stage, {1}, tiny.terminate)
        tiny.run(stage, directory / "stopped")


if __name__ == "__main__":
    try:
        main(int(sys.argv[1]), Path(sys.argv[2]))
    except InterruptedRun as reason:
        print(reason)
        sys.exit(EXIT_STATUS)
