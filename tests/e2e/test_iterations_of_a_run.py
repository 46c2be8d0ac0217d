"""Iterations of a finished run: what enters one, and what the histories say."""

import pytest
from run_files import ARMS, attributes, rows_of

from sparring.artefacts.digests import model_digest

EPOCHS, EVAL_INTERVAL, STEPS_PER_EPOCH = 3, 2, 2  # 128 training latents in batches of 64


def test_fakes_of_the_first_come_from_the_start(results):
    fakes = attributes(results / "micro/adversarial/iteration_0/fake_latents.h5")
    assert fakes["source_digest"] == model_digest(results / "base/denoiser")


def test_fakes_of_the_next_come_from_the_denoiser_that_left_the_previous(results):
    fakes = attributes(results / "micro/adversarial/iteration_1/fake_latents.h5")
    left = model_digest(results / "micro/adversarial/iteration_0/denoiser")
    assert fakes["source_digest"] == left
    assert left != model_digest(results / "base/denoiser")


def test_both_arms_start_from_the_same_denoiser(command_of, results):
    commands = [command_of("finetune_diffusion", arm=arm, iteration=0) for arm in ARMS]
    assert all(" --denoiser results/base/denoiser " in command for command in commands)
    adversarial, control = (
        rows_of(results / f"micro/{arm}/iteration_0/diffusion_history.csv")[0] for arm in ARMS
    )
    assert adversarial["val_noise_loss"] == control["val_noise_loss"]


@pytest.mark.parametrize("arm", ARMS)
def test_an_iteration_goes_on_from_the_best_of_the_previous(results, arm):
    """Validation has fixed noise, so the kept epoch's figures return as the next baseline."""
    before, after = (
        rows_of(results / f"micro/{arm}/iteration_{n}/diffusion_history.csv") for n in range(2)
    )
    validated = [row for row in before[1:] if row["val_kernel"]]
    kept = min(validated, key=lambda row: float(row["val_kernel"]))
    for figure in ("val_kernel", "val_noise_loss"):
        assert float(after[0][figure]) == pytest.approx(float(kept[figure]), rel=1e-3)


def test_only_the_adversarial_arm_meets_a_discriminator(command_of):
    for n in range(2):
        ours = command_of("finetune_diffusion", arm="adversarial", iteration=n)
        opponent = f"results/micro/adversarial/iteration_{n}/discriminator"
        assert f" --discriminator {opponent} " in ours
        theirs = command_of("finetune_diffusion", arm="control", iteration=n)
        assert "--discriminator" not in theirs


@pytest.mark.parametrize("n", [0, 1])
@pytest.mark.parametrize("arm", ARMS)
def test_one_row_per_epoch_after_a_baseline(results, arm, n):
    rows = rows_of(results / f"micro/{arm}/iteration_{n}/diffusion_history.csv")
    assert [int(row["epoch"]) for row in rows] == list(range(EPOCHS + 1))


@pytest.mark.parametrize("n", [0, 1])
def test_the_control_makes_as_many_updates(results, n):
    steps = [
        [
            int(row["step"])
            for row in rows_of(results / f"micro/{arm}/iteration_{n}/diffusion_history.csv")
        ]
        for arm in ARMS
    ]
    assert steps[0] == steps[1] == [e * STEPS_PER_EPOCH for e in range(EPOCHS + 1)]


def test_columns(results):
    adversarial, control = (
        set(rows_of(results / f"micro/{arm}/iteration_0/diffusion_history.csv")[0]) for arm in ARMS
    )
    own = {"epoch", "step", "learning_rate", "train_noise_loss", "val_noise_loss", "val_kernel"}
    assert control == own
    terms = {"discriminator_loss", "viability_score"}
    assert adversarial == own | {f"{s}_{t}" for s in ("train", "val") for t in terms}


@pytest.mark.parametrize("arm", ARMS)
def test_validation_every_eval_interval_and_after_the_last_epoch(results, arm):
    rows = rows_of(results / f"micro/{arm}/iteration_0/diffusion_history.csv")
    validated = [int(row["epoch"]) for row in rows if row["val_noise_loss"]]
    assert validated == [0, EVAL_INTERVAL, EPOCHS]


@pytest.mark.parametrize("n", [0, 1])
def test_discriminator_history(results, n):
    rows = rows_of(results / f"micro/adversarial/iteration_{n}/discriminator_history.csv")
    assert [int(row["epoch"]) for row in rows] == [0, 1, 2]
    for row in rows[1:]:
        for split in ("train", "val"):
            assert float(row[f"{split}_loss"]) > 0
            assert 0 <= float(row[f"{split}_accuracy"]) <= 1


def test_stage_one_and_autoencoder_histories(results):
    denoiser = rows_of(results / "base/diffusion_history.csv")
    assert float(denoiser[-1]["val_noise_loss"]) < float(denoiser[0]["val_noise_loss"])
    autoencoder = rows_of(results / "autoencoders/tiny/history.csv")
    assert float(autoencoder[-1]["val_loss"]) < float(autoencoder[0]["val_loss"])
