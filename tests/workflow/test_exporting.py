"""Exports are made only when asked for, from the model that an experiment hands on."""

import pytest
from workspace import job

from sparring.artefacts.model_files import PIPELINE_FILES

ROUNDS = "results/micro/pipeline/model_index.json"
STAGE_1 = "results/base/pipeline/model_index.json"


def test_nothing_is_exported_unasked(workspace):
    assert not [planned for planned in workspace.plan() if planned[0] == "export_pipeline"]


def test_rounds_are_exported_after_the_choice(workspace):
    """All that `rule all` needs but the pictures."""
    unasked = workspace.plan() - {job("compare_samples", experiment="micro")}
    assert workspace.plan(ROUNDS) == unasked | {job("export_pipeline", experiment="micro")}
    command = workspace.commands(ROUNDS)[job("export_pipeline", experiment="micro")]
    assert "--denoiser results/micro/selected/denoiser " in command
    assert "--autoencoder results/autoencoders/tiny " in command
    for place in ("micro/selected", "micro", "base", "datasets/tiny", "autoencoders/tiny"):
        assert f" results/{place} " in command


def test_stage_1_is_exported_without_any_rounds(workspace):
    assert workspace.plan(STAGE_1) == {
        job("pack_layouts", dataset="tiny"),
        job("train_autoencoder", autoencoder="tiny"),
        job("encode_layouts", dataset="tiny", autoencoder="tiny"),
        job("pretrain_diffusion", experiment="base"),
        job("export_pipeline", experiment="base"),
    }


@pytest.mark.parametrize("name", PIPELINE_FILES)
def test_every_file_of_a_pipeline_is_declared(workspace, name):
    """Snakemake deletes and protects only what it knows of."""
    target = f"results/base/pipeline/{name}"
    assert job("export_pipeline", experiment="base") in workspace.plan(target)
