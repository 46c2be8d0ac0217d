"""The stages that judge, on files: planted bugs are refused or make the null fail visibly."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sparring.artefacts.conditions import COLUMN, conditions_attribute
from sparring.artefacts.latents import writing_latents
from sparring.artefacts.model_files import DENOISER_FILES
from sparring.errors import UserError
from sparring.evaluation.judging import figures_json
from sparring.evaluation.statistics import Figure
from sparring.settings.parts import EvaluationSettings
from sparring.settings.stages import CompareModels, Evaluate, SelectBest, Summarise
from sparring.stages.job import Job
from sparring.stages.judging import evaluate
from sparring.stages.verdict import Files, compare_models, select_best, summarise

SETTINGS = EvaluationSettings(feature_dim=8, bootstrap=30, judge_seeds=2, num_samples=100)


def fields(count, seed, mean=0.0):
    raw = np.random.default_rng(seed).normal(size=(count, 4, 9, 9))
    return (raw[:, :, 1:, 1:] + raw[:, :, :-1, :-1]) / 2**0.5 + mean


def write(path, latents, name="", conditions=None):
    """Latents of layouts, or with no name those of a model."""
    attributes = {"autoencoder_digest": "a"}
    if conditions is not None:
        attributes |= conditions_attribute(["one", "two"])
    with writing_latents(path, len(latents), attributes) as writer:
        writer.append(latents)
        if name:
            ids = [f"{name}{n}" for n in range(len(latents))]
            writer.column("sample_id", ids)
            writer.column("original_id", ids)
            writer.column("is_augmented", np.zeros(len(latents), dtype=bool))
        if conditions is not None:
            writer.column(COLUMN, conditions)
    return path


class Evaluation:
    """Splits and samples in a folder, and the stages on them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.train = write(folder / "train.h5", fields(200, 1), "train")
        self.held_out = write(folder / "test.h5", fields(100, 2), "test")

    def samples(self, name, latents):
        return write(self.folder / f"{name}.h5", latents)

    def judge(self, name, samples=None):
        """The figures, by name, of samples or of the null."""
        output = self.folder / f"{name}.json"
        job = Job(Evaluate(evaluation=SETTINGS), self.folder / "job.json", {})
        neighbours = self.folder / f"{name}_neighbours.json"
        evaluate(job, samples, self.held_out, self.train, output, neighbours)
        return json.loads(output.read_text())["figures"]

    def compare(self, **samples):
        """The comparison of models that were judged."""
        names = {name.replace("__", "/"): name for name in samples}
        evaluations = {shown: self.folder / f"{name}.json" for shown, name in names.items()}
        files = Files(
            {shown: samples[name] for shown, name in names.items()},
            {"reals": self.folder / "reals.json", **evaluations},
            self.held_out,
            {},
        )
        output = self.folder / "comparisons.json"
        job = Job(CompareModels(evaluation=SETTINGS), self.folder / "job.json", {})
        compare_models(job, files, output)
        return json.loads(output.read_text())


@pytest.fixture
def evaluation(tmp_path):
    return Evaluation(tmp_path)


def differs(figure):
    return abs(figure["value"] - 0.5) > 3 * figure["se"]


def test_the_null_is_near_its_ideal_and_neighbours_are_never_itself(evaluation):
    figures = evaluation.judge("reals")
    assert not differs(figures["auc_linear"])
    assert not differs(figures["auc_cnn"])
    assert abs(figures["memorisation"]["value"] - 0.5) < 0.2


def test_neighbours_of_copies_are_their_originals(evaluation):
    copies = fields(200, 1)[:40] + 0.05 * fields(40, 9)
    evaluation.judge("copies", evaluation.samples("copied", copies))
    found = json.loads((evaluation.folder / "copies_neighbours.json").read_text())
    assert [row[0] for row in found["rows"]] == list(range(40))
    assert [ids[0] for ids in found["sample_ids"]] == [f"train{n}" for n in range(40)]


def test_memorised_samples_are_told(evaluation):
    copies = fields(200, 1)[:100] + 0.05 * fields(100, 9)
    share = evaluation.judge("copies", evaluation.samples("copied", copies))["memorisation"]
    assert share["low"] > 0.5


def test_planted_reals_of_the_train_split_in_the_held_out_set_are_refused(evaluation):
    leaked = np.concatenate([fields(70, 2), fields(200, 1)[:30]])
    evaluation.held_out = write(evaluation.folder / "leaked.h5", leaked, "test")
    with pytest.raises(UserError, match="30 of 100 latents are, value for value"):
        evaluation.judge("reals")


def test_planted_samples_at_another_scale_are_refused(evaluation):
    samples = evaluation.samples("raw", 5.5 * fields(100, 3))
    with pytest.raises(UserError, match="another scale"):
        evaluation.judge("start", samples)


def test_planted_held_out_set_of_one_class_makes_the_null_fail_and_the_verdict_say_so(evaluation):
    """Two kinds of layouts are trained on, one of them is held out."""
    kinds = np.arange(200) % 2
    both = fields(200, 1) + 1.0 * (kinds - 0.5)[:, None, None, None]
    evaluation.train = write(evaluation.folder / "two.h5", both, "train", kinds)
    one = write(evaluation.folder / "one.h5", fields(100, 2, 0.5), "test", np.ones(100, dtype=int))
    evaluation.held_out = one
    assert differs(evaluation.judge("reals")["auc_linear"])
    samples = {
        "start": evaluation.samples("s", fields(100, 3)),
        "adversarial__iteration_0": evaluation.samples("a", fields(100, 3, 0.5)),
        "control__iteration_0": evaluation.samples("c", fields(100, 3)),
    }
    for name, path in samples.items():
        evaluation.judge(name, path)
    found = evaluation.compare(**samples)
    assert found["selected"] == "start"
    assert "Nothing can be concluded" in found["verdict"]


def test_a_real_gain_is_accepted_and_its_differences_are_paired(evaluation):
    noise = fields(100, 3)
    samples = {
        "start": evaluation.samples("s", noise + 0.6),
        "adversarial__iteration_0": evaluation.samples("a", noise + 0.05),
        "control__iteration_0": evaluation.samples("c", noise + 0.55),
    }
    evaluation.judge("reals")
    for name, path in samples.items():
        evaluation.judge(name, path)
    found = evaluation.compare(**samples)
    assert found["selected"] == "adversarial/iteration_0"
    rows = {(d["model"], d["against"], d["figure"]): d for d in found["differences"]}
    gain = rows["adversarial/iteration_0", "control", "fixed_auc_linear"]
    assert gain["high"] < 0
    own = found["figures"]["adversarial/iteration_0"]["fixed_auc_linear"]
    theirs = found["figures"]["control/iteration_0"]["fixed_auc_linear"]
    assert gain["se"] < (own["se"] ** 2 + theirs["se"] ** 2) ** 0.5


def test_evaluation_ends_with_the_same_bytes(evaluation):
    samples = evaluation.samples("s", fields(100, 3))
    evaluation.judge("first", samples)
    evaluation.judge("second", samples)
    first, second = ((evaluation.folder / f"{n}.json").read_bytes() for n in ("first", "second"))
    assert first == second


NAMES = ("auc_linear", "auc_cnn", "frechet", "kernel", "precision", "recall", "density", "coverage")


def figures_of(value):
    """All figures of a model, with resamples that mean nothing."""
    rows = np.random.default_rng(0).normal(scale=0.01, size=20)
    return {name: Figure.of(value, value + rows) for name in NAMES}


def test_the_table_has_what_each_file_says_and_the_best_is_copied(tmp_path):
    values = {"reals": 0.5, "start": 0.8, "adversarial/iteration_0": 0.7,
              "seed_43/adversarial/iteration_0": 0.6}  # fmt: skip
    evaluations, layouts = {}, {}
    for n, (name, value) in enumerate(values.items()):
        evaluations[name], layouts[name] = tmp_path / f"{n}.json", tmp_path / f"layouts{n}.json"
        content = {"num_samples": 9, "num_held_out": 8, "figures": figures_json(figures_of(value))}
        evaluations[name].write_text(json.dumps(content))
        measured = {"classes": {"0": "wall", "2": "door"},
                    "samples": {"class_shares": [0.7, 0.0, 0.3]}}  # fmt: skip
        layouts[name].write_text(json.dumps(measured))
    fixed = {"value": 0.9, "se": 0.1, "low": 0.7, "high": 1.1}
    compared = tmp_path / "comparisons.json"
    compared.write_text(json.dumps({
        "verdict": "Because.", "selected": "adversarial/iteration_0", "reasons": {},
        "figures": {n: {f"fixed_auc_{k}": fixed for k in ("linear", "cnn")}
                    for n in values if n != "reals"},
    }))  # fmt: skip
    table, plot = tmp_path / "t.csv", tmp_path / "p.png"
    job = Job(Summarise(seed=42), tmp_path / "job.json", {})
    summarise(job, evaluations, compared, layouts, table, plot)
    read = pd.read_csv(table).set_index("model")
    assert list(read.index) == list(values)
    assert read["auc_linear"].tolist() == pytest.approx(list(values.values()))
    assert read["seed"].tolist()[1:] == [42, 42, 43]
    assert read["share_door"].tolist() == [0.3] * 4
    assert read["fixed_auc_cnn_se"].isna().tolist() == [True, False, False, False]
    assert plot.read_bytes().startswith(b"\x89PNG")
    for place in ("start", "chosen"):
        (tmp_path / place).mkdir()
        for name in DENOISER_FILES:
            (tmp_path / place / name).write_text(place)
    denoisers = {"start": tmp_path / "start", "adversarial/iteration_0": tmp_path / "chosen"}
    job = Job(SelectBest(), tmp_path / "job.json", {})
    select_best(job, compared, denoisers, tmp_path / "selected", tmp_path / "selected.json")
    assert (tmp_path / "selected" / DENOISER_FILES[0]).read_text() == "chosen"
    verdict = json.loads((tmp_path / "selected.json").read_text())
    assert (verdict["selected"], verdict["reason"]) == ("adversarial/iteration_0", "Because.")
