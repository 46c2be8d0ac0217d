"""Stages by hand, with settings as options: the workflow's bytes, also after being killed."""

import os
import signal
import subprocess
import sys

import pytest
from workspace import REPOSITORY, digests

SCRIPTS = REPOSITORY / "workflow" / "scripts"
ITERATION = "results/micro/adversarial/iteration_0"
LATENTS = "results/latents/tiny-tiny"
AUTOENCODER = "results/autoencoders/tiny"
ON_CPU = ("--device", "cpu", "--precision", "fp32")
FINETUNE = (
    *("--train-latents", f"{LATENTS}/train.h5", "--val-latents", f"{LATENTS}/val.h5"),
    *("--autoencoder", AUTOENCODER, "--denoiser", "results/base/denoiser"),
    *("--discriminator", f"{ITERATION}/discriminator", "--settings", "finetune.yaml"),
)
SETTINGS = """
diffusion:
  epochs: 3
  batch_size: 64
  eval_interval: 2
  sample_interval: 3
  sample_grid: {num_samples: 4, sampler: ddim, num_steps: 2}
  selection_samples: 16
  selection_steps: 4
adversarial: {objective: x0_bce}
"""


@pytest.fixture
def by_hand(shared_run, tmp_path):
    """`by_hand(program, *options)` starts a program in a folder that sees the results."""
    (tmp_path / "results").symlink_to(shared_run / "results")
    (tmp_path / "finetune.yaml").write_text(SETTINGS)

    def start(program, *options, **environment):
        command = [sys.executable, str(SCRIPTS / f"{program}.py"), *ON_CPU, *options]
        return subprocess.Popen(
            command,
            cwd=tmp_path,
            env=os.environ | environment,
            stderr=subprocess.PIPE,
            text=True,
        )

    return start


def ended(process):
    errors = process.communicate(timeout=300)[1]
    assert process.returncode == 0, errors
    return errors


def of_workflow(shared_run, *names):
    made = digests(shared_run / ITERATION)
    return {path: digest for path, digest in made.items() if path.startswith(names)}


def test_a_discriminator_has_the_bytes_of_the_workflow_s(by_hand, shared_run, tmp_path):
    """With the options that older programs of this kind have."""
    latents = [f"--{kind}_latents={ITERATION}/{kind}_latents.h5" for kind in ("real", "fake")]
    small = ("--set", "discriminator.num_layers=3", "--set", "discriminator.base_channels=8")
    ended(by_hand("train_discriminator", *latents, "--output_dir=mine", "--epochs=2", *small))
    assert digests(tmp_path / "mine") == of_workflow(shared_run, "discriminator")


def test_a_fine_tuning_killed_twice_has_them_too(by_hand, shared_run, tmp_path):
    command = ("finetune_diffusion", *FINETUNE, "--output-dir", "mine")
    command += ("--checkpoint-minutes", "0.001")
    for number, until in ((signal.SIGKILL, "epoch 1/3"), (signal.SIGTERM, "epoch 2/3")):
        process = by_hand(*command)
        for line in process.stderr:
            if until in line:
                process.send_signal(number)
        assert process.wait() == (75 if number == signal.SIGTERM else -signal.SIGKILL)
    assert "going on from" in ended(by_hand(*command))
    names = ("denoiser", "diffusion_history", "optimizer", "samples")
    assert digests(tmp_path / "mine") == of_workflow(shared_run, *names)
    assert "finished before" in ended(by_hand(*command))


def test_in_two_processes_it_is_the_same_up_to_rounding(by_hand, tmp_path):
    """The second one is started with the same command line."""
    command = ("finetune_diffusion", *FINETUNE, "--set", "diffusion.epochs=1")
    one = ended(by_hand(*command, "--output-dir", "one"))
    two = ended(by_hand(*command, "--output-dir", "two", "--processes", "2"))
    assert "2 processes, each" in two
    losses = [
        [float(word) for word in line.split()[4::2]]
        for text in (one, two)
        for line in text.splitlines()
        if "epoch 1/1" in line
    ]
    assert losses[0] == pytest.approx(losses[1], rel=1e-2)
    assert len(list((tmp_path / "state/by_hand").glob("finetune_diffusion-*/job.json"))) == 2


def test_samples_are_drawn_decoded_and_kept(by_hand, tmp_path):
    models = ("--denoiser", "results/base/denoiser", "--autoencoder", AUTOENCODER)
    ended(by_hand("sample", *models, "--output", "mine", "--num-samples=5", "--num-steps=2"))
    before = digests(tmp_path / "mine")
    assert len(before) == 5 + 2
    (tmp_path / "mine/grid.png").unlink()
    assert "finished before" in ended(
        by_hand("sample", *models, "--output", "mine", "--num-samples=5", "--num-steps=2")
    )
    assert digests(tmp_path / "mine") == before
    ended(by_hand("decode", "--latents", "mine/latents.h5", "--autoencoder", AUTOENCODER,
                  "--output", "again"))  # fmt: skip
    del before["latents.h5"]
    assert digests(tmp_path / "again") == before


def test_without_a_gpu_it_refuses_and_names_the_way_out(by_hand):
    options = ("--latents", f"{LATENTS}/test.h5", "--autoencoder", AUTOENCODER, "--output", "mine")
    process = by_hand("decode", *options, "--device", "cuda", CUDA_VISIBLE_DEVICES="")
    errors = process.communicate(timeout=300)[1]
    assert process.returncode == 2
    assert "torch sees no GPU here" in errors
    assert "by hand: --device cpu" in errors
