"""What the program refuses: one line, no traceback, a failing exit status, and no job started."""

import pytest
from workspace import LOCAL


def set_key(path, value):
    """An edit of the settings: `micro.diffusion.epochs` or `config.device`."""

    def edit(workspace):
        first, *keys = path.split(".")
        target = workspace.config if first == "config" else workspace.experiments[first]
        for key in keys[:-1]:
            target = target.setdefault(key, {})
        target[keys[-1]] = value

    return edit


def chained(workspace):
    workspace.experiments["micro"]["start_from"] = "second"
    workspace.experiments["second"] = workspace.experiments["micro"] | {"start_from": "micro"}


def no_manifest(workspace):
    workspace.config["datasets"]["tiny"] = {"kind": "manifest", "manifest": "absent/manifest.csv"}


REFUSALS = {
    "an unknown key": (
        set_key("micro.diffusion.epoch", 3),
        ("micro.yaml", "diffusion.epoch", "did you mean 'epochs'"),
    ),
    "a wrong type": (
        set_key("micro.discriminator.epochs", "many"),
        ("micro.yaml", "discriminator.epochs", '"many"', "integer"),
    ),
    "no iterations": (set_key("micro.iterations", 0), ("micro.yaml", "iterations", "found 0")),
    "an unknown kind": (set_key("micro.kind", "adverse"), ("micro.yaml", "kind", "adverse")),
    "an unknown starting experiment": (
        set_key("micro.start_from", "bass"),
        ("micro.yaml", "start_from", "'bass'", "base"),
    ),
    "an iteration that the start has not": (
        set_key("micro.start_from", "base@3"),
        ("micro.yaml", "start_from", "base@3", "without iterations"),
    ),
    "a cycle": (chained, ("cycle", "micro -> second -> micro")),
    "a missing manifest": (no_manifest, ("absent/manifest.csv",)),
    "fewer reals than num_samples": (
        set_key("micro.num_samples", 129),
        ("micro.yaml", "num_samples is 129", "128", "allow_fewer_reals"),
    ),
    "an override of an iteration that is not": (
        set_key("micro.overrides", [{"iteration": 2}]),
        ("micro.yaml", "iteration 2", "the last of 2 is 1"),
    ),
    "a start directory without a model": (
        set_key("micro.start_from", "./empty"),
        ("micro.yaml", "dataset"),
    ),
    "too few held-out layouts": (
        set_key("micro.evaluation.feature_dim", 64),
        ("micro.yaml", "feature_dim is 64", "16 test layouts", "at most 8"),
    ),
    "an unknown tracker": (
        set_key("config.tracker", "paper"),
        ("config.yaml", "tracker", '"paper"', "'tensorboard'"),
    ),
    "an unknown dataset": (
        set_key("base.dataset", "tinny"),
        ("dataset is 'tinny'", "config.yaml has only tiny"),
    ),
}


@pytest.mark.parametrize("what", REFUSALS)
def test_bad_settings_stop_the_program_before_any_job(workspace, what):
    edit, expected = REFUSALS[what]
    edit(workspace)
    done = workspace.snakemake("--cores", "1")
    assert done.returncode != 0
    errors = [line for line in done.stderr.splitlines() if all(part in line for part in expected)]
    assert len(errors) == 1, done.stderr
    assert "Traceback" not in done.stderr + done.stdout
    for name in ("results", "state", "logs"):
        assert not (workspace / name).exists()


def test_a_gpu_job_without_a_gpu_stops_with_a_clear_refusal(finished_copy):
    """Never silently on the CPU: training there would take weeks."""
    finished_copy.config["device"] = "cuda"
    done = finished_copy.snakemake(
        "--cores", "1", "--forcerun", "encode_layouts", CUDA_VISIBLE_DEVICES=""
    )
    assert done.returncode != 0
    refusals = [line for line in done.stderr.splitlines() if "torch sees no GPU" in line]
    assert len(refusals) == 1, done.stderr
    assert "'cuda'" in refusals[0]
    assert "device: cpu" in refusals[0]
    assert "Traceback" not in done.stderr


def test_broken_yaml_names_the_file(workspace):
    workspace.experiments["micro"] = "kind: adversarial\nstart_from: [base\n"
    done = workspace.snakemake("--cores", "1")
    assert done.returncode != 0
    lines = [line for line in done.stderr.splitlines() if "micro.yaml: not valid YAML" in line]
    assert len(lines) == 1, done.stderr
    assert "Traceback" not in done.stderr


def test_more_gpus_than_the_machine_has_are_refused(workspace):
    """Snakemake alone would start the job with fewer, silently."""
    workspace.config |= {"device": "cuda", "gpus": 2}
    done = workspace.snakemake(*LOCAL, "--dry-run")
    assert done.returncode == 1
    assert "gpus is 2, but this run may use 1 (resources: gpu=1 in the profile)" in (
        done.stdout + done.stderr
    )
    assert workspace.snakemake(*LOCAL, "--dry-run", "--resources", "gpu=2").returncode == 0
