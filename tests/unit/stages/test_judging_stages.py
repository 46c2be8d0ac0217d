"""The stages that judge, on files: planted bugs are refused or make the null fail visibly."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sparring.artefacts.conditions import COLUMN, conditions_attribute
from sparring.artefacts.decoded_statistics import write_statistics
from sparring.artefacts.latents import writing_latents
from sparring.artefacts.model_files import DENOISER_FILES
from sparring.errors import UserError
from sparring.evaluation.comparing import DECODED
from sparring.evaluation.judges import JUDGES, CnnJudge
from sparring.evaluation.judging import figures_json
from sparring.evaluation.layout_statistics import layout_statistics
from sparring.evaluation.statistics import Figure
from sparring.evaluation.verdict import MARGINS
from sparring.settings.parts import DECODED_REALS, EvaluationSettings
from sparring.settings.stages import CompareModels, Evaluate, SelectBest, Summarise
from sparring.stages.job import Job
from sparring.stages.judging import evaluate
from sparring.stages.verdict import Files, compare_models, select_best, summarise

SETTINGS = EvaluationSettings(feature_dim=8, judge_seeds=2, num_samples=100)


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
        self.folder, self.evaluations = folder, {}
        self.train = write(folder / "train.h5", fields(200, 1), "train")
        self.held_out = write(folder / "test.h5", fields(100, 2), "test")

    def judge(self, name, latents=None):
        """The figures, by name, of a model's samples or of the null."""
        stem = name.replace("/", "_")
        output, neighbours = (self.folder / f"{stem}{end}.json" for end in ("", "_neighbours"))
        samples = None if latents is None else write(self.folder / f"{stem}.h5", latents)
        job = Job(Evaluate(evaluation=SETTINGS), self.folder / "job.json", {})
        evaluate(job, samples, self.held_out, self.train, output, neighbours)
        self.evaluations[name] = output
        return json.loads(output.read_text())["figures"]

    def compare(self, decoded=None):
        """The comparison of what was judged; `decoded` are layouts by model."""
        statistics = {}
        for number, (name, maps) in enumerate((decoded or {}).items()):
            statistics[name] = self.folder / f"statistics_{number}.h5"
            columns = {"samples": maps}
            if name == "reals":
                columns |= {"held_out": layouts(8), DECODED_REALS: layouts(8)}
            write_statistics(statistics[name], {w: columns_of(ids) for w, ids in columns.items()})
        output = self.folder / "comparisons.json"
        job = Job(CompareModels(evaluation=SETTINGS), self.folder / "job.json", {})
        compare_models(job, Files(self.evaluations, statistics), output)
        return json.loads(output.read_text())


def layouts(seed, specks=0):
    """Class ids `[40,16,16]`: two classes, the second from somewhere on, and specks of a third."""
    draw = np.random.default_rng(seed)
    starts = draw.integers(4, 12, size=40)
    ids = (np.arange(16) >= starts[:, None, None]).repeat(16, axis=1).astype(np.uint8)
    for layout in ids:
        layout[tuple(draw.integers(16, size=(2, specks)))] = 2
    return ids


def columns_of(ids):
    return layout_statistics(ids, 3) | {"maps": ids, "group": np.arange(len(ids))}


@pytest.fixture(scope="module", autouse=True)
def quickly():
    """A small network; and memorisation is not told to within .05 by a hundred layouts."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(JUDGES, "cnn", CnnJudge(widths=(8, 8), epochs=2, min_steps=30))
        patch.setitem(MARGINS, "memorisation", 0.5)
        yield


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
    evaluation.judge("copies", copies)
    found = json.loads((evaluation.folder / "copies_neighbours.json").read_text())
    assert [row[0] for row in found["rows"]] == list(range(40))
    assert [ids[0] for ids in found["sample_ids"]] == [f"train{n}" for n in range(40)]


def test_memorised_samples_are_told(evaluation):
    copies = fields(200, 1)[:100] + 0.05 * fields(100, 9)
    share = evaluation.judge("copies", copies)["memorisation"]
    assert share["low"] > 0.5


def test_planted_reals_of_the_train_split_in_the_held_out_set_are_refused(evaluation):
    leaked = np.concatenate([fields(70, 2), fields(200, 1)[:30]])
    evaluation.held_out = write(evaluation.folder / "leaked.h5", leaked, "test")
    with pytest.raises(UserError, match="30 of 100 latents are, value for value"):
        evaluation.judge("reals")


def test_planted_samples_at_another_scale_are_refused(evaluation):
    with pytest.raises(UserError, match="another scale"):
        evaluation.judge("start", 5.5 * fields(100, 3))


START, FIRST, CONTROL = "start", "adversarial/iteration_0", "control/iteration_0"
NOISE = fields(100, 3)


def test_planted_held_out_set_of_one_class_makes_the_null_fail_and_the_verdict_say_so(evaluation):
    """Two kinds of layouts are trained on, the rarer of them is held out."""
    kinds = (np.arange(200) % 4 == 0).astype(int)
    both = fields(200, 1) + (kinds - 0.5)[:, None, None, None]
    evaluation.train = write(evaluation.folder / "two.h5", both, "train", kinds)
    one = write(evaluation.folder / "one.h5", fields(100, 2, 0.5), "test", np.ones(100, dtype=int))
    evaluation.held_out = one
    assert differs(evaluation.judge("reals")["auc_linear"])
    for name, mean in ((START, 0.0), (FIRST, 0.5), (CONTROL, 0.0)):
        evaluation.judge(name, NOISE + mean)
    found = evaluation.compare()
    assert (found["selected"], found["outcome"]) == ("start", "undecided")
    assert "Nothing can be concluded" in found["verdict"]


class TestGain:
    """Nearer to the reals by half a standard deviation, all from the same noise."""

    @pytest.fixture(scope="class")
    def judged(self, tmp_path_factory):
        found = Evaluation(tmp_path_factory.mktemp("gain"))
        found.judge("reals")
        for name, mean in ((START, 0.6), (FIRST, 0.05), (CONTROL, 0.55)):
            found.judge(name, NOISE + mean)
        return found

    def test_it_is_accepted_and_its_differences_are_paired(self, judged):
        found = judged.compare()
        assert (found["selected"], found["outcome"]) == (FIRST, "indication")
        assert found["p"][FIRST] < 0.01 < found["p"][CONTROL]
        rows = {(d["model"], d["against"], d["figure"]): d for d in found["differences"]}
        assert rows[FIRST, "control", "auc_linear"]["high"] < 0
        start = json.loads(judged.evaluations[START].read_text())["figures"]["kernel"]
        assert rows[CONTROL, "start", "kernel"]["se"] < 0.5 * start["se"]
        assert found["figures"] == {}  # nobody decoded anything

    def test_what_is_decoded_decides_too(self, judged):
        """Better latents that decode to what the control's do are no gain."""
        bad, good = layouts(5, specks=15), layouts(6)
        others = {"reals": layouts(7), START: bad, CONTROL: bad}
        assert judged.compare(others | {FIRST: good})["selected"] == FIRST
        found = judged.compare(others | {FIRST: bad})
        assert found["selected"] == "start"
        assert "decoded kernel distance" in found["reasons"][FIRST]
        assert found["figures"].keys() == {*others, FIRST, DECODED_REALS}
        for figures in found["figures"].values():
            assert figures.keys() >= {*DECODED, "isolated_gap", "class_distance"}

    def test_a_damaged_evaluation_is_refused_with_its_name(self, judged, tmp_path):
        (tmp_path / "reals.json").write_text("{")
        damaged = Files(judged.evaluations | {"reals": tmp_path / "reals.json"}, {})
        job = Job(CompareModels(evaluation=SETTINGS), tmp_path / "job.json", {})
        with pytest.raises(UserError, match=r"reals\.json: not readable JSON .* delete it and run"):
            compare_models(job, damaged, tmp_path / "comparisons.json")


def test_evaluation_ends_with_the_same_bytes(evaluation):
    for name in ("first", "second"):
        evaluation.judge(name, NOISE)
    first, second = (path.read_bytes() for path in evaluation.evaluations.values())
    assert first == second


NAMES = ("auc_linear", "auc_cnn", "frechet", "kernel", "precision", "recall", "density", "coverage")


def figures_of(value):
    """All figures of a model, with groups that mean nothing."""
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
    decoded = {"value": 0.9, "se": 0.1, "low": 0.7, "high": 1.1}
    compared = tmp_path / "comparisons.json"
    compared.write_text(json.dumps({
        "verdict": "Because.", "selected": "adversarial/iteration_0", "reasons": {},
        "figures": {n: dict.fromkeys(DECODED, decoded) for n in values if n != "reals"},
    }))  # fmt: skip
    table, plot = tmp_path / "t.csv", tmp_path / "p.png"
    job = Job(Summarise(seed=42), tmp_path / "job.json", {})
    summarise(job, evaluations, compared, layouts, table, plot)
    read = pd.read_csv(table).set_index("model")
    assert list(read.index) == list(values)
    assert read["auc_linear"].tolist() == pytest.approx(list(values.values()))
    assert read["seed"].tolist()[1:] == [42, 42, 43]
    assert read["share_door"].tolist() == [0.3] * 4
    assert read["decoded_auc_linear_se"].isna().tolist() == [True, False, False, False]
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
