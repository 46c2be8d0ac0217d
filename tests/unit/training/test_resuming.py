"""A run stopped anywhere, any number of times, ends with the same bytes as an undisturbed one."""

import logging
import os
import random
import signal

import pytest
import rivals
import torch

from sparring.interrupts import EXIT_STATUS, InterruptedRun
from sparring.settings.objective import AdversarialLoss
from sparring.training.state import ResumeState

STAGES = [
    "pretraining", "finetuning", "control", "ddo", "online", "discriminating", "noised",
    "backbone", "autoencoding", "vqgan", "vqgan_control",
]  # fmt: skip


@pytest.fixture
def make(request, tiny, autoencoding):
    """A function that makes a fresh stage of each kind."""
    wide = AdversarialLoss(objective="x0_bce", timesteps=(0.0, 1.0), weight=0.5)
    return {
        "pretraining": lambda: tiny.pretraining(lr_schedule="cosine", lr_warmup_steps=2),
        "finetuning": lambda: tiny.finetuning(adversarial=wide, carry_optimizer=True),
        "control": lambda: tiny.finetuning(control=True, **tiny.SELECTED),
        "ddo": lambda: tiny.finetuning(
            rival=tiny.itself(), carry_optimizer=True, lr_schedule="cosine", **tiny.SELECTED
        ),
        "online": lambda: tiny.finetuning(rival=rivals.online),
        "discriminating": tiny.discriminating,
        "noised": lambda: tiny.discriminating_noised(spectral=True),
        "backbone": lambda: tiny.discriminating_noised(model=rivals.backbone(tiny.unet())),
        "autoencoding": autoencoding,
        "vqgan": tiny.vqgan,
        "vqgan_control": lambda: tiny.vqgan(adversarial=False),
    }[request.param]


def assert_same_ending(tiny, first, second):
    (stage_a, a), (stage_b, b) = first, second
    assert a.history == b.history
    assert a.best_epoch == b.best_epoch
    assert tiny.same(a.best, b.best)
    assert tiny.same(a.extra, b.extra)
    assert tiny.same(stage_a.state(), stage_b.state())


@pytest.fixture(scope="module")
def endings():
    """How undisturbed runs end, by kind of stage."""
    return {}


@pytest.fixture
def undisturbed(request, tiny, make, endings, tmp_path):
    """The ending of a run that nobody stops."""
    kind = request.node.callspec.params["make"]
    if kind not in endings:
        endings[kind] = tiny.run_interrupted(make, tmp_path / "undisturbed", [])
    return endings[kind]


@pytest.mark.parametrize("make", STAGES, indirect=True)
@pytest.mark.parametrize("steps", [(1, 0, 2), (2, 2), "random"])
def test_interrupted_runs_end_with_the_same_bytes(tiny, make, undisturbed, tmp_path, steps):
    """In the first step, at an epoch's last one (before validation), again and again."""
    if steps == "random":
        draw = random.Random(1)
        steps = [draw.randrange(2) for _ in range(4)]
    assert_same_ending(tiny, undisturbed, tiny.run_interrupted(make, tmp_path, steps))


@pytest.mark.parametrize("make", STAGES, indirect=True)
@pytest.mark.parametrize("minutes", [0, 1e9], ids=["saved every step", "never saved"])
def test_power_cuts_end_with_the_same_bytes(tiny, make, undisturbed, tmp_path, minutes):
    """A killed process saves nothing: the next goes on from the last checkpoint or starts over."""
    cut = tiny.run_interrupted(
        make, tmp_path, [3, 1, 2], tiny.cut_power, checkpoint_minutes=minutes
    )
    assert_same_ending(tiny, undisturbed, cut)
    assert (tmp_path / "checkpoint.pt").exists() == (minutes == 0)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR2, signal.SIGINT])
def test_a_signal_finishes_the_step_saves_and_says_so(tiny, tmp_path, number):
    stage = tiny.stopping_at(tiny.pretraining(), {1}, lambda: os.kill(os.getpid(), number))
    before = signal.getsignal(number)
    with pytest.raises(InterruptedRun, match=f"{number.name} came: stopped in good order"):
        tiny.run(stage, tmp_path)
    assert signal.getsignal(number) is before
    saved = ResumeState(tmp_path, "d").load()
    assert (saved["epoch"], saved["step"]) == (0, 2)
    assert stage.average.updates == 2
    assert EXIT_STATUS == 75


def test_resuming_repeats_no_step(tiny, tmp_path):
    seen = []

    def make():
        stage = tiny.pretraining()
        plain = stage.step

        def step(epoch, number):
            seen.append((epoch, number))
            return plain(epoch, number)

        stage.step = step
        return stage

    tiny.run_interrupted(make, tmp_path, [1, 0, 0])
    assert seen == [(epoch, number) for epoch in range(2) for number in range(3)]


def test_pictures_do_not_disturb_training(tiny, tmp_path):
    drawn = []

    def make(interval):
        return tiny.pretraining(
            picture=lambda epoch, samples: drawn.append((epoch, samples)),
            sample_interval=interval,
            sample_grid={"num_samples": 3, "sampler": "ddpm", "num_steps": 2},
        )

    plain = tiny.run_interrupted(lambda: make(0), tmp_path / "a", [])
    assert drawn == []
    pictured = tiny.run_interrupted(lambda: make(1), tmp_path / "b", [])
    assert_same_ending(tiny, plain, pictured)
    assert [epoch for epoch, _ in drawn] == [1, 2]
    assert drawn[0][1].shape == (3, 4, 8, 8)


def test_a_state_of_other_settings_is_discarded(tiny, tmp_path, caplog):
    stage = tiny.stopping_at(tiny.pretraining(), {1}, tiny.terminate)
    with pytest.raises(InterruptedRun):
        tiny.run(stage, tmp_path, digest="before")
    with caplog.at_level(logging.INFO, "sparring"):
        found = tiny.run(tiny.pretraining(), tmp_path, digest="after")
    assert "other settings, inputs or another revision" in caplog.text
    assert "starting over" in caplog.text
    assert tiny.same(found.best, tiny.run(tiny.pretraining(), tmp_path / "plain").best)


def damages(content):
    """Ways in which a checkpoint gets lost, by name."""
    for keep in (0, 1, 100, len(content) // 2, len(content) - 1):
        yield f"cut to {keep}", content[:keep]
    yield "zeros", bytes(len(content))
    yield "text", b"not a checkpoint"
    draw = random.Random(0)
    structure = content.index(b"data.pkl")  # a small part of the file, so visited on purpose
    near = [structure + draw.randrange(2000) for _ in range(60)]
    for place in near + [draw.randrange(len(content)) for _ in range(60)]:
        flipped = bytes([content[place] ^ 0x41])
        yield f"byte {place} flipped", content[:place] + flipped + content[place + 1 :]


def test_a_damaged_state_is_discarded_and_said(tiny, tmp_path, caplog):
    """Never half a state and never another one: a flipped bit in a weight counts too."""
    stage = tiny.stopping_at(tiny.discriminating(), {1}, tiny.terminate)
    with pytest.raises(InterruptedRun):
        tiny.run(stage, tmp_path)
    state = ResumeState(tmp_path, "d")
    content = state.path.read_bytes()
    whole, discarded = state.load(), 0
    for name, damaged in damages(content):
        state.path.write_bytes(damaged)
        caplog.clear()
        found = state.load()
        if found is None:
            discarded += 1
            assert "starting over" in caplog.text, name
            assert caplog.text.count("\n") == 1, name
        else:  # padding between the records
            assert tiny.same(found, whole), name
    assert discarded > 60


def test_after_damage_the_run_starts_over_and_ends_the_same(tiny, tmp_path):
    stage = tiny.stopping_at(tiny.pretraining(), {4}, tiny.terminate)
    with pytest.raises(InterruptedRun):
        tiny.run(stage, tmp_path)
    path = tmp_path / "checkpoint.pt"
    path.write_bytes(path.read_bytes()[:1000])
    found = tiny.run(tiny.pretraining(), tmp_path)
    undisturbed = tiny.run(tiny.pretraining(), tmp_path / "plain")
    assert found.history == undisturbed.history
    assert tiny.same(found.best, undisturbed.best)


def test_a_checkpoint_of_another_format_is_discarded(tmp_path, caplog):
    state = ResumeState(tmp_path, "d")
    for content in ({"epoch": 3}, [1, 2], None):
        torch.save(content, state.path)
        caplog.clear()
        assert state.load() is None
        assert "starting over" in caplog.text


def test_saving_leaves_nothing_but_the_state(tmp_path):
    state = ResumeState(tmp_path / "deep", "d")
    for epoch in (1, 2):
        state.save({"epoch": epoch})
    assert state.load() == {"epoch": 2}
    assert [p.name for p in state.path.parent.iterdir()] == ["checkpoint.pt"]
