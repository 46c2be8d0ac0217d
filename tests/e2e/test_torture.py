"""Stages and Snakemake itself killed at random moments; torture.py has the long form."""

import shutil

from torture import Torture, leftovers
from workspace import digests

ITERATION = "micro/adversarial/iteration_0"
MADE = ("fake_latents.h5", "discriminator", "discriminator_history.csv",
        "discriminator_history.png", "denoiser", "denoiser_latest", "diffusion_history.csv",
        "diffusion_history.png", "optimizer.safetensors", "samples")  # fmt: skip


def test_a_tortured_iteration_ends_with_the_same_bytes(finished_copy):
    before = digests(finished_copy / "results")
    for name in MADE:
        path = finished_copy / "results" / ITERATION / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    for stage in ("sample_fake", "train_discriminator", "finetune_diffusion"):
        shutil.rmtree(finished_copy / "state" / ITERATION / stage)
    finished_copy.config["checkpoint_minutes"] = 0.002
    torture = Torture(finished_copy, kills=5, seed=3)
    torture.run(f"results/{ITERATION}/denoiser/config.json")
    assert torture.sent.total() >= 3  # it may end before all are sent
    assert digests(finished_copy / "results") == before
    assert leftovers(finished_copy.directory) == []
