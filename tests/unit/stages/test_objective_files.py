"""Which files each objective reads, and what it refuses among them; what guidance hands on."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from sparring.artefacts.histories import write_history
from sparring.artefacts.latents import writing_latents
from sparring.artefacts.models import save_model
from sparring.compute import Compute
from sparring.errors import UserError
from sparring.models.denoiser import build_denoiser, build_scheduler, load_denoiser, save_denoiser
from sparring.models.discriminator import LatentDiscriminator
from sparring.models.guided import GuidedDenoiser
from sparring.randomness import seeded_initialisation
from sparring.settings.objective import AdversarialLoss
from sparring.settings.parts import DenoiserSettings, NoiseScheduleSettings
from sparring.settings.stages import FinetuneDiffusion, GuideDenoiser
from sparring.stages.denoiser import DenoiserInputs, OpponentFiles, _opponent, trainable
from sparring.stages.guidance import guide_denoiser
from sparring.training.opponents import Critic, Itself

CPU = Compute(torch.device("cpu"), bf16=False)


def latents_file(path, count=8, channels=4):
    draw = torch.Generator().manual_seed(0)
    with writing_latents(path, count, {"kind": "real", "autoencoder_digest": "abc"}) as writer:
        writer.append(torch.randn(count, channels, 8, 8, generator=draw).numpy())
        writer.column("noise_index", np.arange(count))
    return path


@pytest.fixture
def files(tmp_path):
    """Latents, fakes, a denoiser, and discriminators of clean and of noised latents."""
    with seeded_initialisation(0, "files"):
        model = build_denoiser(DenoiserSettings(preset="unet_tiny"), 4, 8)
        for name, noised in (("clean", False), ("noised", True)):
            save_model(LatentDiscriminator(4, 8, 2, noised=noised), tmp_path / name)
    save_denoiser(tmp_path / "denoiser", model, build_scheduler(NoiseScheduleSettings()))
    for name in ("train.h5", "fake.h5"):
        latents_file(tmp_path / name)
    return tmp_path


def opponent(files, objective, discriminator=None, fakes=None):
    settings = FinetuneDiffusion(
        seed=0, iteration=0, adversarial=AdversarialLoss(objective=objective)
    )
    inputs = DenoiserInputs(files / "train.h5", files / "train.h5", files / "autoencoder")
    against = OpponentFiles(
        discriminator and files / discriminator, None if fakes is None else files / fakes
    )
    return _opponent(settings, inputs, files / "denoiser", against, CPU)


@pytest.mark.parametrize(("objective", "kind"), [("x0_bce", "clean"), ("noised", "noised")])
def test_a_discriminator_of_the_objective_s_own_latents_is_taken(files, objective, kind):
    found = opponent(files, objective, kind)
    assert isinstance(found, Critic)
    assert found.discriminator.config.noised == (kind == "noised")


@pytest.mark.parametrize(("objective", "kind"), [("x0_bce", "noised"), ("noised", "clean")])
def test_one_of_other_latents_is_refused(files, objective, kind):
    with pytest.raises(UserError, match=f"a discriminator of {kind} latents, but the objective"):
        opponent(files, objective, kind)


def test_ddo_reads_fakes_and_no_discriminator(files):
    assert isinstance(opponent(files, "ddo", fakes="fake.h5"), Itself)
    with pytest.raises(UserError, match="--fake-latents is missing"):
        opponent(files, "ddo")
    latents_file(files / "few.h5", count=7)
    with pytest.raises(UserError, match=r"has 7 fakes, but objective ddo .* sample at least 8"):
        opponent(files, "ddo", fakes="few.h5")
    latents_file(files / "other.h5", channels=3)
    with pytest.raises(UserError, match=r"\[3, 8, 8\]"):
        opponent(files, "ddo", fakes="other.h5")


def test_guidance_trains_no_denoiser(files):
    with pytest.raises(UserError, match=r"trains no denoiser; use guide_denoiser\.py"):
        opponent(files, "guidance", "noised")


def guide(files, val_loss, denoiser="denoiser", output="guided"):
    history = [{"epoch": n, "step": n, "val_loss": loss} for n, loss in enumerate(val_loss)]
    write_history(files / "history.csv", history)
    job = SimpleNamespace(settings=GuideDenoiser(guidance_weight=0.5, timesteps=(0.0, 0.9)))
    guide_denoiser(
        job, files / denoiser, files / "noised", files / "history.csv", files / "train.h5",
        files / output,
    )  # fmt: skip
    return load_denoiser(files / output)[0]


def test_a_discriminator_that_tells_held_out_latents_guides(files):
    model = guide(files, [0.69, 0.6, 0.9])
    assert isinstance(model, GuidedDenoiser)
    assert (model.config.weights, model.config.ranges) == ([0.5], [[0.0, 0.9]])
    again = guide(files, [0.69, 0.5], "guided", "twice")
    assert len(again.guides) == 2
    with pytest.raises(UserError, match="is sampled, not trained"):
        trainable(files / "guided")


def test_one_no_better_than_a_coin_does_not(files, caplog):
    """What enters is handed on: its gradient would mean nothing."""
    model = guide(files, [0.9, 0.7, 0.8])
    assert not isinstance(model, GuidedDenoiser)
    assert "no better than a coin's" in caplog.text
    before, after = (files / name / "config.json" for name in ("denoiser", "guided"))
    assert before.read_bytes() == after.read_bytes()


def test_one_of_clean_latents_is_refused(files):
    with pytest.raises(UserError, match="a discriminator of clean latents"):
        guide_denoiser(
            SimpleNamespace(settings=GuideDenoiser()), files / "denoiser", files / "clean",
            files / "history.csv", files / "train.h5", files / "guided",
        )  # fmt: skip
