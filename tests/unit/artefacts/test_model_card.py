"""The model card quotes the records of its own model, and digests that the files really have."""

import hashlib
import json

import pytest

from sparring.artefacts.model_card import model_card, quoted_files, results_digest
from sparring.artefacts.model_files import MODEL_CARD, PIPELINE_FILES, PIPELINE_INDEX


def record(place, stage, **settings):
    folder = place / "settings"
    folder.mkdir(parents=True, exist_ok=True)
    content = {
        "settings": {"stage": stage, "revision": 1} | settings,
        "versions": {"torch": "9.9"},
    }
    (folder / f"{stage}.json").write_text(json.dumps(content))


@pytest.fixture
def results(tmp_path):
    """An experiment of three iterations of two arms, iteration 1 selected."""
    root = tmp_path / "results"
    exp = root / "exp"
    for n in range(3):
        for arm in ("adversarial", "control"):
            place = exp / arm / f"iteration_{n}"
            record(place, "finetune_diffusion", iteration=n, weight={"adversarial": 7}.get(arm, 8))
    (exp / "selected").mkdir()
    verdict = {"selected": "adversarial/iteration_1", "reason": "both distances"}
    (exp / "selected.json").write_text(json.dumps(verdict))
    (exp / "evaluation.csv").write_text("model,frechet\nstart,0.5\nadversarial/iteration_1,0.25\n")
    record(root / "datasets" / "plans", "pack_layouts", dataset={"kind": "procedural"})
    return root


@pytest.fixture
def pipeline(tmp_path):
    folder = tmp_path / "pipeline"
    for name in PIPELINE_FILES:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    return folder


def shown(files, root):
    return {str(file.relative_to(root)) for file in files}


def test_the_selected_model_brings_its_own_iterations_and_no_others(results):
    assert shown(quoted_files(results / "exp" / "selected"), results / "exp") == {
        "selected.json",
        "adversarial/iteration_0/settings/finetune_diffusion.json",
        "adversarial/iteration_1/settings/finetune_diffusion.json",
    }


def test_an_iteration_brings_those_before_it(results):
    place = results / "exp" / "control" / "iteration_2"
    expected = {f"iteration_{n}/settings/finetune_diffusion.json" for n in range(3)}
    assert shown(quoted_files(place), results / "exp" / "control") == expected


def test_a_start_that_was_kept_brings_no_iteration(results):
    verdict = {"selected": "start", "reason": "none qualifies"}
    (results / "exp" / "selected.json").write_text(json.dumps(verdict))
    assert shown(quoted_files(results / "exp" / "selected"), results / "exp") == {"selected.json"}


def test_the_digest_follows_whatever_is_quoted(results):
    place = results / "exp" / "selected"
    before = results_digest(place)
    record(results / "exp" / "adversarial" / "iteration_2", "finetune_diffusion", iteration=9)
    assert results_digest(place) == before
    record(results / "exp" / "adversarial" / "iteration_0", "finetune_diffusion", iteration=9)
    assert results_digest(place) != before


def test_an_export_does_not_quote_itself(results):
    """Else exporting again would never find its inputs unchanged."""
    before = results_digest(results / "exp")
    record(results / "exp", "export_pipeline")
    assert results_digest(results / "exp") == before


def test_the_card_says_data_settings_metrics_and_how_to_load(results, pipeline):
    places = [results / "exp" / "selected", results / "exp", results / "datasets" / "plans"]
    text = model_card(pipeline, "exp", {"images": "64 x 64"}, places)
    front = text.split("---")[1]
    assert "library_name: diffusers" in front
    assert "license" not in front
    assert "# exp" in text
    assert '- `plans`: `{"kind": "procedural"}`' in text
    assert "| start | 0.5 |" in text
    assert "Selected: adversarial/iteration_1 (both distances)." in text
    assert 'DiffusionPipeline.from_pretrained("path/to/this/folder")' in text
    assert "torch 9.9" in text
    assert str(results) not in text  # nobody's folders


def test_iterations_with_the_same_settings_share_a_row(results, pipeline):
    text = model_card(pipeline, "exp", {}, [results / "exp" / "adversarial" / "iteration_2"])
    (row,) = [line for line in text.splitlines() if line.startswith("| finetune_diffusion")]
    for n in range(3):
        assert f"exp/adversarial/iteration_{n}" in row
    assert '`{"weight": 7}`' in row


def test_digests_are_those_of_the_files(results, pipeline):
    text = model_card(pipeline, "exp", {}, [])
    for name in PIPELINE_FILES:
        digest = hashlib.sha256((pipeline / name).read_bytes()).hexdigest()
        assert (f"| `{name}` | `{digest}` |" in text) == (name not in (MODEL_CARD, PIPELINE_INDEX))


def test_what_is_not_recorded_is_not_made_up(pipeline):
    assert model_card(pipeline, "exp", {}, []).count("No record of it was given") == 3
