"""Experiments on volumes: the sentence, the groups apart, and the page with them."""

import csv
import io
import json
import re
from pathlib import Path

import made_results
import pytest
from made_results import PHANTOMS, VQGAN
from test_report_page import Elements, page

from sparring.artefacts.digests import file_digest, model_digest
from sparring.artefacts.model_files import MODEL_FILES
from sparring.artefacts.state_files import FINISHED
from sparring.artefacts.volumes import NEW, SHARED
from sparring.errors import UserError
from sparring.report import collect, sweep_csv, volumes_csv
from sparring.report.charts import svg
from sparring.report.volume_curves import volume_charts
from sparring.report.volume_verdicts import volumes_verdict
from sparring.report.volumes import read_judged, read_table
from sparring.rounds import job_files

HEADER = "model,group,volumes,psnr,ssim,mae_hu,gradient_ratio,bits_per_voxel,perplexity,codes_used"


def table(tmp_path, *rows):
    """Rows are (model, group, PSNR, gradient ratio)."""
    lines = [f"{m},{g},1,{psnr},0.9,20,{ratio},0.14,," for m, g, psnr, ratio in rows]
    path = tmp_path / "volumes.csv"
    path.write_text("\n".join([HEADER, *lines]) + "\n")
    return read_table(path)


def sentence(tmp_path, *rows):
    found = volumes_verdict([], table(tmp_path, *rows))
    assert found.outcome == "trained"
    return found.sentence


class TestSentence:
    def test_sharpness_and_what_it_cost_are_said_for_each_group(self, tmp_path):
        text = sentence(
            tmp_path,
            ("reconstruction", NEW, 32.2, 0.7), ("reconstruction", SHARED, 25, 0.28),
            ("adversarial", NEW, 31.2, 0.95), ("adversarial", SHARED, 24, 0.5),
            ("control", SHARED, 24.5, 0.29), ("control", NEW, 32, 0.72),
            ("trilinear_equal_bits", NEW, 28, 0.3),
        )  # fmt: skip
        assert text == (
            "Against the control, the adversarial phase moved the gradient ratio from 0.72 to 0.95 "
            "(nearer to 1) at −0.8 dB PSNR on new patients (1 volume); from 0.29 to 0.50 (nearer "
            "to 1) at −0.5 dB PSNR on held-out slabs of trained volumes (1). In PSNR, beside "
            "trilinear interpolation at equal bits: reconstruction 4.2 dB above it and adversarial "
            "3.2 dB above it on new patients."
        )

    @pytest.mark.parametrize(
        ("control", "adversarial", "words"),
        [
            (0.7, 0.9, "(nearer to 1)"),
            (0.7, 0.6, "(worse: farther from 1)"),
            (0.7, 0.7, "(as far from 1)"),
            (0.7, 1.2, "(nearer to 1; above 1 is noise or invented texture)"),
            (0.7, 1.4, "(worse: farther from 1; above 1 is noise or invented texture)"),
            (1.4, 1.2, "(nearer to 1; above 1 is noise or invented texture)"),
        ],
    )
    def test_farther_from_one_is_worse_whichever_side(self, tmp_path, control, adversarial, words):
        text = sentence(
            tmp_path, ("adversarial", NEW, 30, adversarial), ("control", NEW, 30, control)
        )
        assert f"from {control:.2f} to {adversarial:.2f} {words}" in text
        assert "±0.0 dB" in text

    def test_a_model_below_simple_interpolation_is_told(self, tmp_path):
        rows = [("adversarial", NEW, 27, 1), ("trilinear_equal_bits", NEW, 28.1, 0.3)]
        text = sentence(tmp_path, ("reconstruction", NEW, 28.1, 0.5), *rows)
        assert "reconstruction level with it and adversarial 1.1 dB below it on new" in text

    def test_without_a_control_more_training_may_be_the_reason(self, tmp_path):
        text = sentence(tmp_path, ("reconstruction", NEW, 30, 0.5), ("adversarial", NEW, 29, 0.8))
        assert text.startswith("There is no control, so more training may have done part of it:")

    def test_one_phase_alone_is_compared_with_nothing(self, tmp_path):
        text = sentence(tmp_path, ("reconstruction", SHARED, 30, 0.5))
        assert text.startswith("Trained without discriminators: gradient ratio 0.50 at 30.0 dB")
        assert "held-out slabs of trained volumes" in text

    def test_figures_that_are_not_there_are_left_out(self, tmp_path):
        assert "nan" not in sentence(tmp_path, ("adversarial", NEW, "", ""), ("control", NEW, 3, 1))

    def test_before_the_table_it_says_how_far_it_is(self):
        assert volumes_verdict([], None).outcome == "unfinished"


def test_groups_stay_apart(tmp_path):
    found = table(tmp_path, ("adversarial", NEW, 30, 1), ("adversarial", SHARED, 20, 0.5))
    assert found.groups == [NEW, SHARED]
    assert found.at("adversarial", SHARED).values["psnr"] == 20
    assert [row.values["psnr"] for row in found.of(NEW)] == [30]


@pytest.mark.parametrize("text", ["", "model,psnr\na,1\n", HEADER + "\na,b,one,x,,,,,,\n", "\0"])
def test_a_damaged_table_is_refused_with_the_file(tmp_path, text):
    (tmp_path / "volumes.csv").write_text(text)
    with pytest.raises(UserError, match=r"volumes\.csv: not a table of volumes .*run snakemake"):
        read_table(tmp_path / "volumes.csv")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"volumes": [{}]}', '{"volumes": 3}'])
def test_a_damaged_evaluation_is_refused_with_the_file(tmp_path, text):
    (tmp_path / "evaluation.json").write_text(text)
    with pytest.raises(UserError, match=r"evaluation\.json: not an evaluation of volumes"):
        read_judged(tmp_path / "evaluation.json")


def test_both_arms_go_on_where_phase_one_ended():
    def rows(*values):
        return [{"epoch": n, "step": 10 * n, "val_psnr": v} for n, v in enumerate(values)]

    histories = {"reconstruction": rows(10, 20, 25), "adversarial": rows(25, 22)}
    (chart,) = volume_charts(histories | {"control": rows(25, 26)})["Reconstruction"]
    places = {line.name: [p.x for p in line.points] for line in chart.lines}
    assert places == {
        "reconstruction, validation": [0, 10, 20],
        "adversarial, validation": [20, 30],
        "control, validation": [20, 30],
    }
    assert chart.cuts == (20,)
    assert ">step<" in svg(chart)


def test_a_term_that_is_not_known_is_shown_too():
    rows = [{"epoch": 0, "step": 0, "val_new_term": 1.0}]
    (chart,) = volume_charts({"reconstruction": rows})["Reconstruction"]
    assert chart.title == "new term"


@pytest.fixture
def rounds(tmp_path):
    config = {"experiments": ["vol", "micro"]}
    found = made_results.made_rounds(tmp_path, config, PHANTOMS, vol=VQGAN)
    made_results.make_results(found)
    return found


class TestPage:
    def test_it_opens_with_the_warning_and_the_sentence(self, rounds):
        text = " ".join(Elements(page(rounds)).text.split())
        opening = text[: text.index("All experiments")]
        assert re.search(r"NOT SPLIT BY PATIENT: slabs of p1\. Against the control", opening)
        assert "micro did not help" in opening

    def test_groups_have_tables_and_pictures_of_their_own(self, rounds):
        found = Elements(page(rounds))
        parts = ("figures", "reconstructions", "codes", "training", "time", "settings")
        assert {f"{part}-vol" for part in parts} <= set(found.values("id"))
        pictures = [alt for alt in found.values("alt", "img") if alt.startswith("volume_")]
        assert len(pictures) == 2 * (1 + 3 * 2)  # the original, then each phase and its error
        text = " ".join(found.text.split())
        assert "volume_1: held-out slabs of trained volumes not split by patient" in text
        assert "volume_0: new patients original" in text

    def test_it_is_well_formed_and_every_link_leads_somewhere(self, rounds):
        found = Elements(page(rounds))
        names = found.values("id")
        assert found.open == []
        assert len(names) == len(set(names))
        assert {h.removeprefix("#") for h in found.values("href", "a")} <= set(names)

    def test_split_by_patient_no_alarm_is_given(self, rounds, tmp_path):
        made_results.volumes(tmp_path / "results/vol", rounds.vqgan("vol").phases, groups=(NEW,))
        found = Elements(page(rounds))
        assert "NOT SPLIT BY PATIENT" not in found.text
        assert "not split by patient" not in found.text

    def test_the_table_alone_gives_the_alarm(self, rounds, tmp_path):
        for phase in rounds.vqgan("vol").phases:
            (tmp_path / f"results/vol/{phase}/evaluation.json").unlink()
        assert "NOT SPLIT BY PATIENT: some held-out slabs" in Elements(page(rounds)).text

    def test_unfinished_ones_say_how_far_they_are_and_show_what_there_is(self, rounds, tmp_path):
        (tmp_path / "results/vol/volumes.csv").unlink()
        found = Elements(page(rounds))
        assert re.search(r"No verdict yet: \d+ of 10 jobs are done", found.text)
        assert "training-vol" in found.values("id")
        assert "NOT SPLIT BY PATIENT" in found.text
        assert not {"figures-vol", "volumes"} & set(found.values("id"))

    @pytest.mark.parametrize(
        ("file", "lost"),
        [("volumes.csv", "figures"), ("adversarial/evaluation.json", None),
         ("control/reconstructions/volume_0.png", None), ("adversarial/history.csv", None)],
    )  # fmt: skip
    def test_a_damaged_file_is_named_and_the_rest_is_shown(self, rounds, tmp_path, file, lost):
        (tmp_path / "results/vol" / file).write_bytes(b"\x89PNG broken")
        found = Elements(page(rounds))
        assert f"vol/{file}: " in found.text
        kept = {"figures-vol", "reconstructions-vol", "training-vol"} - {f"{lost}-vol"}
        assert kept <= set(found.values("id"))

    def test_all_jobs_and_their_times_are_counted(self, tmp_path):
        config = {"experiments": ["vol"], "device": "cuda", "gpus": 2}
        rounds = made_results.made_rounds(tmp_path, config, PHANTOMS, vol=VQGAN)
        made_results.make_results(rounds)
        for record in (tmp_path / "results").rglob("settings/*.json"):
            record.write_text(json.dumps({"settings": {}, "device": "cuda"}))
        (vol,), shared = collect(rounds)
        gpus = {row.stage: row.gpu_seconds / row.seconds for row in [*vol.times, *shared]}
        assert gpus == {
            "train_vqgan_reconstruction": 2, "train_vqgan_adversarial": 2,
            "reconstruct_volumes": 1, "evaluate_vqgan": 1, "summarise_volumes": 0,
            "pack_volumes": 0,
        }  # fmt: skip

    def test_digests_are_those_of_the_files(self, rounds, tmp_path):
        folder = tmp_path / "results/vol/control/vqgan"
        folder.mkdir()
        for name in MODEL_FILES:
            (folder / name).write_text(name)
        wildcards = {"experiment": "vol", "phase": "control"}
        job = Path(job_files(rounds, "train_vqgan_adversarial", wildcards).job)
        contents = {str(folder / name): file_digest(folder / name) for name in MODEL_FILES}
        record = {"digest": "", "outputs": contents}
        job.parent.mkdir(parents=True)
        (job.parent / FINISHED).write_text(json.dumps(record))
        vol = next(shown for shown in collect(rounds)[0] if shown.name == "vol")
        assert vol.provenance.digests == {"model control": model_digest(folder)}


def test_a_volume_that_one_phase_lacks_is_shown_for_the_others(rounds, tmp_path):
    path = tmp_path / "results/vol/reconstruction/evaluation.json"
    path.write_text(json.dumps({"volumes": [], "baselines": {}, "warning": None}))
    vol = next(shown for shown in collect(rounds)[0] if shown.name == "vol")
    assert [one.group for one in vol.volumes.pictures] == [NEW, SHARED]


def test_the_csv_has_every_row_with_the_values_that_a_sweep_varies(tmp_path):
    sweep = {"kind": "sweep", "base": "vol", "vary": {"adversarial.image_weight": [0.5, 1.0]}}
    config = {"experiments": ["many", "micro"]}
    rounds = made_results.made_rounds(tmp_path, config, PHANTOMS, vol=VQGAN, many=sweep)
    made_results.make_results(rounds)
    experiments, _ = collect(rounds)
    rows = list(csv.DictReader(io.StringIO(volumes_csv(experiments))))
    assert len(rows) == 2 * 5 * 2  # experiments, models, groups
    assert {row["adversarial.image_weight"] for row in rows} == {"0.5", "1.0"}
    standing = [row for row in rows if row["stands_for_experiment"] == "1"]
    assert {(row["model"], row["group"]) for row in standing} == {
        ("adversarial", NEW), ("adversarial", SHARED),
    }  # fmt: skip
    assert {row["model"] for row in rows if row["is_baseline"] == "1"} == {
        "constant", "trilinear_equal_bits",
    }  # fmt: skip
    others = {row["experiment"] for row in csv.DictReader(io.StringIO(sweep_csv(experiments)))}
    assert others == {"micro"}


def test_pictures_keep_within_the_budget(rounds, monkeypatch):
    def size():
        found = Elements(page(rounds))
        images = [a for tag, a in found.found if tag == "img" and a["alt"].startswith("volume_")]
        return sum(len(image["src"]) for image in images)

    plenty = size()
    monkeypatch.setattr("sparring.report.experiments._MOST_PER_EXPERIMENT", 0)
    assert 0 < size() < plenty
