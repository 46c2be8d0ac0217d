"""Training in two processes: the losses of one, its files, and nobody left behind."""

import math
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from sparring.distributed import Group
from sparring.interrupts import EXIT_STATUS
from sparring.training.loop import Mean
from sparring.training.state import ResumeState

KINDS = [
    "pretraining", "finetuning", "ddo", "overdone", "online", "discriminating", "noised", "pairs",
    "online pairs", "autoencoding", "vqgan",
]  # fmt: skip
ROUNDING = ("to_k.bias", "ddo_accuracy")
PROGRAM = Path(__file__).with_name("train_in_processes.py")


def ending(tiny, stage, folder):
    """All that a run in this process ends with."""
    return vars(tiny.run(stage, folder)) | {"state": stage.state()}


@pytest.fixture(scope="module")
def one(tiny, layouts, tmp_path_factory):
    """A folder with the state of a cut run per kind, and how each kind ends, in one process."""
    folder, endings = tmp_path_factory.mktemp("one"), {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sparring.training.denoiser._MIN_VALIDATION_DRAWS", 24)
        for kind, make in tiny.uneven(layouts).items():
            endings[kind] = ending(tiny, make(), folder / "new" / kind)
            cut = tiny.stopping_at(make(), {4}, tiny.cut_power)
            with pytest.raises(tiny.PowerCut):
                tiny.run(cut, folder / kind, checkpoint_minutes=0)
    return folder, endings


@pytest.fixture(scope="module")
def two(one, layouts, tmp_path_factory):
    """The folder and the words of the program that trains in two processes."""
    folder = tmp_path_factory.mktemp("two")
    shutil.copy(layouts.path, folder / "layouts.h5")
    for kind in KINDS:
        shutil.copytree(one[0] / kind, folder / kind / "given")
    command = [sys.executable, str(PROGRAM), "2", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=1200)
    assert done.returncode == EXIT_STATUS, done.stdout + done.stderr
    return folder, done.stdout


# A row that counts twice or not at all moves a gradient by a tenth and more.
APART = 0.05


def assert_close(tiny, found, expected):
    """The same names, shapes and plain values; tensors up to the order of their sums.

    A tensor is compared as a whole: Adam divides a gradient by its size, so that where one is next
    to nothing its rounding moves a single weight as far as a large gradient would. Some have
    nothing but rounding: an attention's key bias, with which softmax does not change, and ddo's
    accuracy, the sign of a difference that begins at 0.
    """
    found, expected = dict(tiny.flat(found)), dict(tiny.flat(expected))
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        if name.endswith(ROUNDING):
            continue
        if (
            value is None
            or isinstance(value, str)
            or (isinstance(value, float) and math.isinf(value))
        ):
            assert found[name] == value, name
            continue
        given, wanted = (torch.as_tensor(x).double() for x in (found[name], value))
        assert given.shape == wanted.shape, name
        distance = float((given - wanted).norm())
        assert distance <= 1e-5 + APART * float(wanted.norm()), f"{name}: {distance:g} apart"


@pytest.mark.parametrize("kind", KINDS)
def test_two_processes_end_as_one(tiny, one, two, kind):
    """History, best and last weights, and the moments, which scale with the gradient."""
    assert_close(tiny, torch.load(two[0] / kind / "whole.0.pt"), one[1][kind])


@pytest.mark.parametrize("kind", KINDS)
def test_processes_do_not_drift_apart(tiny, two, kind):
    """Models, optimisers and schedules stay bitwise equal, whatever only one has measured."""
    for run in ("whole", "resumed"):
        states = [torch.load(two[0] / kind / f"{run}.{rank}.pt")["state"] for rank in (0, 1)]
        assert tiny.same(*states)


def test_processes_end_early_together(one, two):
    """Where only the main one has seen that the validation noise loss rose too far."""
    for run in ("whole", "resumed"):
        ended = [torch.load(two[0] / "overdone" / f"{run}.{rank}.pt") for rank in (0, 1)]
        for found in ended:
            assert [row["epoch"] for row in found["history"]] == [0, 1, 2]
        assert ended[0]["history"] == ended[1]["history"]
        assert ended[0]["best_epoch"] == one[1]["overdone"]["best_epoch"] == 1


def test_only_the_main_process_draws(two):
    pictures = (two[0] / "pretraining").glob("*.png")
    assert sorted(path.name for path in pictures) == ["1.0.png", "2.0.png"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_state_does_not_tell_how_many_saved_it(tiny, one, two, kind):
    folders = one[0] / kind, two[0] / kind / "left"
    by_one, by_two = (ResumeState(folder, "d").load() for folder in folders)
    assert_close(tiny, by_two, by_one)
    assert (by_one["epoch"], by_one["step"]) == (by_two["epoch"], by_two["step"])
    assert [path.name for path in folders[1].iterdir()] == ["checkpoint.pt"]


@pytest.mark.parametrize("kind", KINDS)
def test_two_go_on_from_one_and_one_from_two(tiny, layouts, one, two, tmp_path, kind):
    assert_close(tiny, torch.load(two[0] / kind / "resumed.0.pt"), one[1][kind])
    left = two[0] / kind / "left"
    shutil.copytree(left, tmp_path / "state")
    stage = tiny.uneven(layouts)[kind]()
    assert_close(tiny, ending(tiny, stage, tmp_path / "state"), one[1][kind])


@pytest.mark.parametrize("kind", KINDS)
def test_a_process_without_rows_adds_nothing(tiny, layouts, kind):
    """The last batch of an epoch may have fewer rows than there are processes."""
    pairs = kind in ("discriminating", "noised", "pairs")
    stage = tiny.uneven(layouts, batch_size=4 if pairs else 2)[kind]()
    stage.group = Group(2, 3)
    terms = stage.step(0, 0)
    assert terms
    assert not any(term.value if isinstance(term, Mean) else term for term in terms.values())
    gradients = [p.grad for group in stage.optimizer.param_groups for p in group["params"]]
    assert not any(gradient.any() for gradient in gradients)


def test_a_signal_to_the_main_process_saves_and_ends_all(tiny, two):
    folder, said = two
    assert said.splitlines() == ["SIGTERM came: stopped in good order, run again to go on"]
    saved = ResumeState(folder / "stopped", "d").load()
    assert (saved["epoch"], saved["step"], len(saved["losses"])) == (0, 2, 2)
    for rank in (0, 1):
        with pytest.raises(ProcessLookupError):
            os.kill(int((folder / f"pid.{rank}").read_text()), 0)
