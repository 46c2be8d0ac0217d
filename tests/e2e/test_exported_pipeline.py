"""The pipelines of a finished run, as Snakemake makes them and by hand."""

import json
import subprocess
import sys

import pytest
from workspace import LOCAL, REPOSITORY

from sparring.artefacts.model_files import PIPELINE_FILES

TARGETS = [f"results/{name}/pipeline/model_index.json" for name in ("micro", "base")]


@pytest.fixture(scope="module")
def exported(shared_run, tmp_path_factory):
    """A copy of the run with both pipelines."""
    run = shared_run.copied(tmp_path_factory.mktemp("exported") / "copy")
    done = run.snakemake(*LOCAL, *TARGETS)
    assert done.returncode == 0, done.stdout + done.stderr
    return run


def test_all_files_are_there_and_nothing_is_left_to_do(exported):
    for name in ("micro", "base"):
        for file in PIPELINE_FILES:
            assert (exported / f"results/{name}/pipeline/{file}").stat().st_size > 0
    assert exported.plan(*TARGETS) == set()


def test_the_cards_speak_of_their_own_models(exported):
    rounds, stage_1 = (
        (exported / f"results/{name}/pipeline/README.md").read_text() for name in ("micro", "base")
    )
    verdict = json.loads((exported / "results/micro/selected.json").read_text())
    assert f"Selected: {verdict['selected']} (" in rounds
    assert "| adversarial/iteration_1 |" in rounds
    for text in (rounds, stage_1):
        assert "- `tiny`: `{" in text
        assert "| pretrain_diffusion | base |" in text
        assert "| train_autoencoder | autoencoders/tiny |" in text
        assert "Autoencoder on held-out layouts:" in text
    assert "finetune_diffusion" not in stage_1


def test_other_metrics_make_another_card(exported, tmp_path):
    """The job's own check of its inputs covers what it quotes."""
    run = exported.copied(tmp_path / "copy")
    card = run / "results/micro/pipeline/README.md"
    table = run / "results/micro/evaluation.csv"
    before = card.read_text()
    header, *rows = table.read_text().splitlines()
    table.write_text("\n".join([header, *reversed(rows)]) + "\n")
    done = run.snakemake(*LOCAL, "--allowed-rules", "export_pipeline", "--", TARGETS[0])
    assert done.returncode == 0, done.stdout + done.stderr
    assert card.read_text() != before


def test_any_iteration_is_exported_by_hand(exported):
    place = "results/micro/adversarial/iteration_0"
    command = [sys.executable, str(REPOSITORY / "workflow/scripts/export_pipeline.py")]
    command += ["--denoiser", f"{place}/denoiser", "--autoencoder", "results/autoencoders/tiny"]
    command += ["--output", "by_hand", "--results", "results/micro", "results/base"]
    done = subprocess.run(command, cwd=exported.directory, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    text = (exported / "by_hand/README.md").read_text()
    assert "# by_hand" in text
    assert "| finetune_diffusion | micro/adversarial/iteration_0 |" in text
    assert "Selected" not in text
    unet = "unet/diffusion_pytorch_model.safetensors"
    denoiser = exported / place / "denoiser/diffusion_pytorch_model.safetensors"
    assert (exported / "by_hand" / unet).read_bytes() == denoiser.read_bytes()
