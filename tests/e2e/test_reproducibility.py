"""The same settings give the same bytes: run twice, killed halfway, sampled in other batches."""

import shlex
import shutil
import signal
import subprocess

import h5py
import numpy as np
from workspace import digests

ITERATION = "results/micro/adversarial/iteration_0"
FINETUNED = (
    "denoiser",
    "denoiser_latest",
    "samples",
    "diffusion_history.csv",
    "diffusion_history.png",
    "optimizer.safetensors",
)
OUTPUTS = {
    "sample_fake": ("fake_latents.h5",),
    "train_discriminator": (
        "discriminator",
        "discriminator_history.csv",
        "discriminator_history.png",
    ),
    "finetune_diffusion": FINETUNED,
}


def remove(folder, names):
    for name in names:
        path = folder / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def forget(run, place):
    """Let a stage do its work anew, instead of putting back what it made."""
    (run / f"state/micro/{place}/finished.json").unlink()


def test_stages_run_again_by_hand_give_the_same_bytes(finished_copy, command_of):
    """With the command that Snakemake prints, nothing of Snakemake around it."""
    before = digests(finished_copy / ITERATION)
    for rule, names in OUTPUTS.items():
        arm = {"arm": "adversarial"} if rule == "finetune_diffusion" else {}
        remove(finished_copy / ITERATION, names)
        forget(finished_copy, f"adversarial/iteration_0/{rule}")
        done = finished_copy.shell(command_of(rule, iteration=0, **arm))
        assert done.returncode == 0, done.stderr
        assert "finished before" not in done.stderr
    assert digests(finished_copy / ITERATION) == before


def test_deleted_outputs_of_finished_work_come_back_without_computing(finished_copy, command_of):
    """Snakemake deletes outputs before it starts a job again whose end it has not seen."""
    before = digests(finished_copy / ITERATION)
    remove(finished_copy / ITERATION, FINETUNED)
    done = finished_copy.shell(command_of("finetune_diffusion", iteration=0, arm="adversarial"))
    assert done.returncode == 0, done.stderr
    assert "epoch" not in done.stderr
    assert digests(finished_copy / ITERATION) == before


def test_another_batch_size_samples_the_same(finished_copy, command_of, change_job):
    path = finished_copy / ITERATION / "fake_latents.h5"
    with h5py.File(path) as file:
        before = file["latents"][:].astype(np.float32)
    place = "adversarial/iteration_0/sample_fake"
    sampling = {"num_steps": 4, "batch_size": 7}
    change_job(finished_copy, place, settings={"sampling": sampling})
    done = finished_copy.shell(command_of("sample_fake", iteration=0))
    assert done.returncode == 0, done.stderr
    with h5py.File(path) as file:
        after = file["latents"][:].astype(np.float32)
    assert np.allclose(after, before, rtol=2e-3, atol=2e-3 * before.std())


def start_stage(run, command, until, number):
    """Run a stage and send a signal when a line with `until` comes; return status and stderr."""
    process = subprocess.Popen(
        shlex.split(command), cwd=run.directory, stderr=subprocess.PIPE, text=True
    )
    lines = []
    for line in process.stderr:
        lines.append(line)
        if until in line:
            process.send_signal(number)
    return process.wait(), "".join(lines)


def test_a_stage_killed_twice_ends_as_if_undisturbed(finished_copy, command_of, change_job):
    """SIGTERM, as schedulers send before the end; then SIGKILL, as they send at it."""
    run, folder = finished_copy, finished_copy / ITERATION
    command = command_of("finetune_diffusion", arm="adversarial", iteration=0)
    place = "adversarial/iteration_0/finetune_diffusion"
    # Saving about every second step, so that SIGKILL finds a state from the middle of an epoch.
    training = {"epochs": 4, "batch_size": 32, "eval_interval": 2, "sample_interval": 0}
    settings = {"diffusion": training}
    change_job(run, place, settings=settings, checkpoint_minutes=0.005)
    remove(folder, FINETUNED)
    untouched = digests(folder)

    done = run.shell(command)
    assert done.returncode == 0, done.stderr
    undisturbed = digests(folder)
    assert len(undisturbed) == len(untouched) + 9
    remove(folder, set(FINETUNED) - {"samples"})
    forget(run, place)

    status, text = start_stage(run, command, "epoch 1/4", signal.SIGTERM)
    assert status == 75, text
    assert text.count("SIGTERM") == 1
    assert "Traceback" not in text
    checkpoint = run / f"state/micro/{place}/checkpoint.pt"
    assert checkpoint.is_file()
    assert digests(folder) == untouched

    status, text = start_stage(run, command, "epoch 3/4", signal.SIGKILL)
    assert status == -signal.SIGKILL, text
    assert "going on from epoch 1 step" in text
    assert "epoch 1/4" not in text  # it did not begin again
    assert digests(folder) == untouched

    done = run.shell(command)
    assert done.returncode == 0, done.stderr
    assert "going on from" in done.stderr
    assert digests(folder) == undisturbed
    assert not checkpoint.exists()
