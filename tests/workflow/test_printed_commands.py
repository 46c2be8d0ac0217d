"""What `snakemake -n -p` prints can be pasted and run, in a directory where nothing has run."""

import json
import sys

import pytest
from workspace import LOCAL, digests, job, shell_commands

PLACE = {"experiment": "micro", "iteration": 0}
FIRST = [
    job("pack_layouts", dataset="tiny"),
    job("train_autoencoder", autoencoder="tiny"),
    job("encode_layouts", dataset="tiny", autoencoder="tiny"),
]


def printed(run, *options):
    done = run.snakemake(*LOCAL, "--dry-run", "--printshellcmds", *options)
    assert done.returncode == 0, done.stderr
    return shell_commands(done.stdout + done.stderr)


def test_a_dry_run_writes_no_files(workspace):
    printed(workspace)
    left = {path.name for path in workspace.directory.iterdir()}
    assert left == {".snakemake", "config.yaml", "experiments"}


def test_pasted_commands_make_what_the_workflow_makes(workspace, shared_run):
    commands = printed(workspace)
    for planned in FIRST:
        done = workspace.shell(commands[planned])
        assert done.returncode == 0, done.stderr
    made = digests(workspace / "results")
    expected = digests(shared_run / "results")
    assert len(made) == 11
    assert made == {name: expected[name] for name in made}
    for path in (workspace / "results").rglob("settings/*.json"):
        same = shared_run / str(path.relative_to(workspace.directory))
        assert json.loads(path.read_text()) == json.loads(same.read_text())
    # Snakemake finds them up to date, and so does the stage should Snakemake ask for it.
    assert not {planned for planned, _ in printed(workspace).items()} & set(FIRST)
    (workspace / "results/datasets/tiny/layouts.h5").unlink()
    again = workspace.snakemake(*LOCAL, "results/datasets/tiny/layouts.h5")
    assert again.returncode == 0, again.stderr
    assert "pack_layouts] finished before" in again.stderr


def test_after_an_edit_they_do_what_the_plan_shows(finished_copy):
    """Not what an earlier run has frozen."""
    run = finished_copy
    run.experiments["micro"]["num_samples"] = 32
    command = printed(run)[job("encode_real", **PLACE)]
    done = run.shell(command)
    assert done.returncode == 0, done.stderr
    record = run / "results/micro/adversarial/iteration_0/settings/encode_real.json"
    assert json.loads(record.read_text())["settings"]["num_samples"] == 32
    assert "32 of 128 training latents drawn" in done.stderr


def test_device_and_precision_are_part_of_them(workspace):
    workspace.config |= {"precision": "bf16", "checkpoint_minutes": 2.5, "device": "cuda"}
    command = printed(workspace)[FIRST[1]]
    assert " --precision bf16 --checkpoint-minutes 2.5 " in command
    assert "--device" not in command  # the default by hand, too


def test_a_run_prints_commands_that_read_the_job_file(workspace):
    """A cluster job starts hours later, and must do what was planned."""
    target = "results/datasets/tiny/layouts.h5"
    done = workspace.snakemake(*LOCAL, "--printshellcmds", target)
    assert done.returncode == 0, done.stderr
    command = shell_commands(done.stdout + done.stderr)[FIRST[0]]
    assert "--job state/datasets/tiny/pack_layouts/job.json" in command
    assert "--settings" not in command


@pytest.mark.parametrize("name", ["a b", "it's", "$HOME"])
def test_a_given_model_s_path_is_quoted(finished, shared_run, tmp_path, name):
    given = tmp_path / name / "model"
    given.parent.mkdir()
    given.symlink_to(shared_run / "results/base/denoiser")
    micro = finished.experiments["micro"]
    micro |= {"start_from": str(given), "dataset": "tiny", "autoencoder": "tiny"}
    command = finished.commands()[job("sample_fake", **PLACE)]
    words = finished.shell(command.replace(sys.executable, "printf '%s\\n'", 1)).stdout.splitlines()
    assert words[words.index("--denoiser") + 1] == str(given)
    assert json.loads(words[words.index("--settings") + 1])["stage"] == "sample_fake"
