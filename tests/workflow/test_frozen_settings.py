"""A job reads what was planned, however the configuration is edited while it waits."""

import json
from copy import deepcopy

import pytest
from workspace import CONFIG, EXPERIMENTS, Workspace

from sparring.rounds import freeze_job, job_files, load_rounds, stage_settings
from sparring.settings.stages import TrainDiscriminator

RULE, WILDCARDS = "train_discriminator", {"experiment": "micro", "iteration": "1"}


@pytest.fixture
def inside(tmp_path, monkeypatch):
    """A workspace that is the current directory."""
    monkeypatch.chdir(tmp_path)
    workspace = Workspace(tmp_path, tmp_path, deepcopy(CONFIG), deepcopy(EXPERIMENTS))
    workspace.write()
    return workspace


def load(workspace):
    workspace.write()
    return load_rounds(workspace.config)


def frozen(rounds):
    settings = stage_settings(rounds, RULE, WILDCARDS)
    freeze_job(rounds, RULE, WILDCARDS, settings.to_json())
    return json.loads((_job_file(rounds)).read_text())


def _job_file(rounds):
    from pathlib import Path

    return Path(job_files(rounds, RULE, WILDCARDS).job)


def test_an_edit_after_the_start_does_not_reach_the_job(inside):
    rounds = load(inside)
    before = frozen(rounds)
    inside.experiments["micro"]["discriminator"]["epochs"] = 99
    edited = load(inside)  # what a cluster job does when it parses the workflow again
    path = _job_file(edited)
    assert path == _job_file(rounds)
    assert json.loads(path.read_text()) == before
    read = TrainDiscriminator.from_json(json.dumps(before["settings"]), str(path))
    assert read.discriminator.epochs == 2
    assert stage_settings(edited, RULE, WILDCARDS).discriminator.epochs == 99


def test_the_job_file_says_where_and_how_to_run(inside):
    inside.experiments["micro"]["device"] = "cuda"
    inside.config |= {"precision": "bf16", "checkpoint_minutes": 2.5}
    inside.config["tracker"] = "tensorboard"
    content = frozen(load(inside))
    place = "micro/adversarial/iteration_1"
    assert content["device"] == "cuda"
    assert content["precision"] == "bf16"
    assert content["checkpoint_minutes"] == 2.5
    assert content["tracker"] == "tensorboard"
    assert content["record"] == f"results/{place}/settings/{RULE}.json"
    assert content["log"] == f"logs/{place}/{RULE}.log"


def test_settings_survive_the_way_through_the_file(inside):
    rounds = load(inside)
    planned = stage_settings(rounds, RULE, WILDCARDS)
    content = frozen(rounds)
    assert TrainDiscriminator.from_json(json.dumps(content["settings"]), "x") == planned


def test_the_record_beside_the_results_is_what_was_planned(shared_run):
    """For every job of the run: record, frozen settings and the present plan agree."""
    jobs = sorted((shared_run / "state").rglob("job.json"))
    assert len(jobs) == 41
    for path in jobs:
        content = json.loads(path.read_text())
        record = json.loads((shared_run / content["record"]).read_text())
        assert record["settings"] == content["settings"]
        assert record["settings"]["stage"] == path.parent.name
        assert record["device"] == "cpu"
        assert record["precision"] == "fp32"
        assert set(record["versions"]) == {"sparring", "torch", "diffusers"}
