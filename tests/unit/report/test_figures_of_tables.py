"""What a table and its comparisons say, whichever figures they hold."""

import json

import pytest

from sparring.errors import UserError
from sparring.report.curves import figure_charts
from sparring.report.figures import (
    Difference,
    Estimate,
    figure_of,
    number,
    read_comparisons,
    read_evaluation,
)


def evaluation(tmp_path, text):
    path = tmp_path / "evaluation.csv"
    path.write_text(text)
    return read_evaluation(path)


def test_intervals_come_as_ends_or_as_standard_errors(tmp_path):
    found = evaluation(
        tmp_path,
        "model,arm,iteration,frechet,frechet_low,frechet_high,auc_cnn,auc_cnn_se,purity\n"
        "start,start,,2,1.5,3,0.6,0.01,0.9\n",
    )
    assert [f.key for f in found.figures] == ["frechet", "auc_cnn", "purity"]
    assert [f.has_interval for f in found.figures] == [True, True, False]
    values = found.start.values
    assert values["frechet"] == Estimate(2, 1.5, 3)
    assert values["auc_cnn"].high - 0.6 == pytest.approx(0.0196)
    assert values["purity"] == Estimate(0.9, 0.9, 0.9)


def test_cells_may_be_empty_and_columns_may_hold_words(tmp_path):
    found = evaluation(
        tmp_path,
        "model,arm,iteration,frechet,remark\nreals,reals,,,fine\nadversarial/iteration_1,adversarial,1,2,\n",
    )
    assert [f.key for f in found.figures] == ["frechet"]
    assert found.reals.values == {}
    assert found.rows("adversarial")[0].iteration == 1


def test_a_table_without_models_is_refused_with_the_file(tmp_path):
    with pytest.raises(UserError, match=r"evaluation\.csv: has columns .* expected also"):
        evaluation(tmp_path, "name,frechet\nstart,1\n")


@pytest.mark.parametrize(
    ("column", "better"),
    [("frechet_above_null", "lower"), ("coverage_to_null", "higher"), ("share_bed", "real"),
     ("memorisation", "lower"), ("palette_purity", "higher"), ("auc_linear", "lower"),
     ("isolated_pixels", "real"), ("something_new", None)],
)  # fmt: skip
def test_known_figures_have_a_direction(column, better):
    assert figure_of(column, True).better == better


def test_titles_tell_variants_apart():
    columns = ("auc_linear", "auc_cnn", "decoded_auc_linear", "kernel", "decoded_kernel",
               "closed", "closed_gap", "closed_open_doors", "frechet", "frechet_above_null",
               "share_bed_room", "share_wall", "tissue_air", "tissue_distance")  # fmt: skip
    assert len({figure_of(column, True).title for column in columns}) == len(columns)
    assert figure_of("share_bed_room", False).title == "share of pixels, bed room"
    assert figure_of("tissue_distance", True).title == "HU ranges, distance"


@pytest.mark.parametrize(
    ("low", "high", "better", "judgement"),
    [(-2, -1, "lower", "better"), (-2, -1, "higher", "worse"), (1, 2, "lower", "worse"),
     (1, 2, "higher", "better"), (-1, 1, "lower", "undecided"), (1, 2, None, "undecided")],
)  # fmt: skip
def test_a_difference_is_judged_only_where_its_interval_excludes_nought(
    low, high, better, judgement
):
    middle = Estimate((low + high) / 2, low, high)
    assert Difference("m", "control", "f", middle, better).judgement == judgement


def test_comparisons_are_read(tmp_path):
    path = tmp_path / "comparisons.json"
    row = {"model": "a", "against": "control", "figure": "frechet", "difference": -1,
           "low": -2, "high": -0.5}  # fmt: skip
    content = {"verdict": "It helped.", "selected": "a", "outcome": "helped"}
    path.write_text(json.dumps(content | {"differences": [row]}))
    found = read_comparisons(path)
    assert (found.verdict, found.selected, found.outcome) == ("It helped.", "a", "helped")
    assert found.differences[0].judgement == "better"  # the direction is the table's


@pytest.mark.parametrize("text", ["[]", "{", '{"differences": [{"model": "a"}]}'])
def test_damaged_comparisons_are_refused_with_the_file(tmp_path, text):
    path = tmp_path / "comparisons.json"
    path.write_text(text)
    with pytest.raises(UserError, match=r"comparisons\.json: not .*run snakemake again"):
        read_comparisons(path)


def test_numbers_are_short():
    shown = [number(v) for v in (0.123456, -2.0, 1234567.0, float("nan"))]
    assert shown == ["0.1235", "−2", "1.235e6", "–"]


def test_runs_with_several_training_seeds_are_lines_of_their_own(tmp_path):
    rows = ["model,arm,iteration,seed,frechet,frechet_above_null", "start,start,,42,3,1"]
    for seed, prefix in ((42, ""), (43, "seed_43/")):
        rows += [f"{prefix}adversarial/iteration_{n},adversarial,{n},{seed},2,1" for n in (0, 1)]
    found = evaluation(tmp_path, "\n".join(rows) + "\n")
    (chart,) = figure_charts(found)  # what stands beside the null's is in the tables only
    assert [len(line.points) for line in chart.lines] == [3, 3]
    for line in chart.lines:
        assert [p.x for p in line.points] == sorted({p.x for p in line.points})
