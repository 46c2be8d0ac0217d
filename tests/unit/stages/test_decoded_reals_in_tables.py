"""The table has a row of what the autoencoder alone does: of decoded figures, and no others."""

import json

import numpy as np
import pandas as pd

from sparring.evaluation.report import table_text
from sparring.report.curves import figure_charts
from sparring.report.figures import read_evaluation
from sparring.settings.stages import Summarise
from sparring.stages.job import Job
from sparring.stages.verdict import summarise

OF_LATENTS = ("auc_linear", "auc_cnn", "frechet", "kernel", "coverage")
MODELS = ("reals", "start", "adversarial/iteration_0", "control/iteration_0")


def figure(value):
    return {"value": value, "se": 0.1, "low": value - 0.2, "high": value + 0.2}


def table_of(folder):
    evaluations, layouts = {}, {}
    for n, name in enumerate(MODELS):
        content = {"num_samples": 64, "num_held_out": 16}
        content["figures"] = {key: figure(0.5 + n / 10) for key in OF_LATENTS}
        evaluations[name], layouts[name] = folder / f"{n}.json", folder / f"layouts{n}.json"
        evaluations[name].write_text(json.dumps(content))
        of_decoded = {whose: {"class_shares": [0.4, 0.6]} for whose in ("samples", "decoded_reals")}
        layouts[name].write_text(json.dumps(of_decoded | {"classes": {"1": "door"}}))
    more = {name: {"closed": figure(1.0), "closed_gap": figure(0.1)} for name in MODELS}
    for name in MODELS[1:]:
        more[name] |= {"decoded_auc_linear": figure(0.7), "decoded_kernel": figure(0.6)}
    more["decoded_reals"] = {"closed": figure(0.76), "closed_gap": figure(0.24)}
    (folder / "comparisons.json").write_text(json.dumps({"figures": more}))
    job, table = Job(Summarise(), folder / "job.json", {}), folder / "evaluation.csv"
    files = (folder / "comparisons.json", layouts, table, folder / "evaluation.png")
    summarise(job, evaluations, *files)
    return table


def test_it_stands_beside_the_null_with_decoded_figures_only(tmp_path):
    table = pd.read_csv(table_of(tmp_path)).set_index("model")
    assert list(table.index) == ["reals", "decoded_reals", *MODELS[1:]]
    row = table.loc["decoded_reals"]
    assert (row["closed"], row["closed_gap"], row["share_door"]) == (0.76, 0.24, 0.6)
    assert row["num_samples"] == 16
    assert row[list(OF_LATENTS)].isna().all()
    assert np.isnan(row["seed"])


def test_texts_and_charts_leave_its_gaps_out(tmp_path):
    path = table_of(tmp_path)
    assert "nan" not in table_text(pd.read_csv(path)).lower()
    evaluation = read_evaluation(path)
    assert evaluation.reals.name == "reals"
    shown = [line.name for chart in figure_charts(evaluation) for line in chart.lines]
    assert not any("decoded" in name for name in shown)
