"""The page: whole, self-contained, of bounded size, for whatever there is."""

import csv
import io
import json
import re
from html.parser import HTMLParser

import made_results
import pytest

from sparring.graph import to_svg
from sparring.graph.nodes import Graph as JobGraph
from sparring.graph.nodes import Node
from sparring.report import collect, page_of, sweep_csv
from sparring.report.page import Graph
from sparring.report.times import span

WEIGHTS = [n / 100 for n in range(1, 21)]
SWEEP = {"kind": "sweep", "base": "micro", "vary": {"adversarial.weight": WEIGHTS}}
SEMANTIC = {"kind": "finetune", "start_from": "base"}


class Elements(HTMLParser):
    """Tags with their attributes, and the text."""

    def __init__(self, text):
        super().__init__()
        self.found, self.text, self.open = [], "", []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))
        if tag not in ("meta", "link", "img", "input", "wbr"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, self.getpos()

    def handle_data(self, data):
        self.text += data

    def values(self, key, *tags):
        return [a[key] for tag, a in self.found if key in a and (not tags or tag in tags)]


def page(rounds, graph=None):
    experiments, shared = collect(rounds)
    return page_of(experiments, shared, graph or Graph(), "config.yaml", "report.csv")


@pytest.fixture
def rounds(tmp_path):
    found = made_results.made_rounds(
        tmp_path, {"experiments": ["micro", "semantic"]}, semantic=SEMANTIC
    )
    made_results.make_results(found)
    return found


def test_the_page_asks_the_network_for_nothing(rounds):
    found = Elements(page(rounds))
    assert found.open == []  # well-formed
    sources = found.values("src") + [h for h in found.values("href") if not h.startswith("#")]
    assert sources
    assert all(source.startswith("data:") for source in sources)
    assert not {"iframe", "object", "embed", "form"} & {tag for tag, _ in found.found}
    # the browser is told so, too
    assert "default-src 'none'" in found.values("content", "meta")[-1]


def test_every_link_has_its_target_and_every_target_one_name(rounds):
    found = Elements(page(rounds))
    names = found.values("id")
    assert len(names) == len(set(names))
    links = [h.removeprefix("#") for h in found.values("href", "a")]
    assert len(links) > 5
    assert set(links) <= set(names)


def test_it_opens_with_a_sentence_per_experiment(rounds):
    text = " ".join(Elements(page(rounds)).text.split())
    opening = text[text.index("Did the rounds help?") : text.index("All experiments")]
    assert "micro did not help No reason." in opening
    assert "Against the start, the trained model is" in opening
    assert "Trained from scratch for 4 epochs" in opening


def test_all_parts_are_there(rounds):
    names = set(Elements(page(rounds)).values("id"))
    parts = ("samples", "neighbours", "discriminator", "denoiser", "figures", "time", "settings")
    assert {f"{part}-micro" for part in parts} <= names
    assert {"samples-semantic", "figures-semantic", "denoiser-base", "settings-base"} <= names
    assert not {"discriminator-semantic", "samples-base"} & names


def test_the_wanted_band_is_shaded_and_arms_are_told_apart(rounds):
    text = page(rounds)
    assert '<rect class="band"' in text
    assert 'class="line adversarial val"' in text
    assert 'class="line control train"' in text


def test_equal_files_make_equal_pages(rounds):
    assert page(rounds) == page(rounds)


def test_unfinished_experiments_say_how_far_they_are(tmp_path):
    rounds = made_results.made_rounds(tmp_path)
    made_results.make_results(rounds, without=("micro",))
    text = Elements(page(rounds)).text
    assert re.search(r"No verdict yet: 0 of \d+ jobs are done\.", text)
    assert "Trained from scratch" in text


def test_nothing_at_all_is_a_page_too(tmp_path):
    text = Elements(page(made_results.made_rounds(tmp_path))).text
    assert text.count("No verdict yet") >= 2


def test_a_damaged_file_is_named_and_the_rest_is_shown(rounds, tmp_path):
    (tmp_path / "results/micro/samples.h5").write_bytes(b"nothing")
    (tmp_path / "results/micro/comparisons.json").write_text("[")
    found = Elements(page(rounds))
    assert "samples.h5: not a readable HDF5 file" in found.text
    assert "comparisons.json: not readable JSON" in found.text
    assert "figures-micro" in found.values("id")
    assert "samples-micro" not in found.values("id")


def test_comparisons_give_the_verdict_and_a_table_of_differences(rounds, tmp_path):
    model = "adversarial/iteration_1"
    row = {"model": model, "against": "control", "figure": "frechet", "difference": -0.5,
           "low": -0.7, "high": -0.3, "better": "lower"}  # fmt: skip
    content = {"verdict": "Iteration 1 beats its control", "selected": model,
               "outcome": "helped", "differences": [row]}  # fmt: skip
    (tmp_path / "results/micro/comparisons.json").write_text(json.dumps(content))
    text = Elements(page(rounds)).text
    assert "Iteration 1 beats its control." in text
    assert "Paired differences to the control" in text
    assert "−0.5 ▲ [−0.7, −0.3]" in text
    experiments, _ = collect(rounds)
    rows = list(csv.DictReader(io.StringIO(sweep_csv(experiments))))
    (found,) = [r for r in rows if r["experiment"] == "micro" and r["model"] == model]
    assert found["outcome"] == "helped"
    assert (found["frechet_against"], found["frechet_difference"]) == ("control", "-0.5")
    assert found["stands_for_experiment"] == "1"


def test_names_from_files_are_text(rounds, tmp_path):
    content = {"verdict": "<script>alert(1)</script>", "selected": "start", "outcome": "kept",
               "differences": []}  # fmt: skip
    (tmp_path / "results/micro/comparisons.json").write_text(json.dumps(content))
    assert "<script>alert" not in page(rounds)


def test_the_graph_is_embedded_and_staleness_told(rounds):
    node = Node("evaluate/micro/start", "evaluate", "micro", None, None, ("a",), "evaluate")
    graph = Graph(to_svg(JobGraph((node,), ()), {node.id: "stale"}), {"micro": 3})
    found = Elements(page(rounds, graph))
    assert "3 jobs would run again" in found.text
    assert any(s.startswith("data:image/svg+xml;base64,") for s in found.values("src", "img"))
    assert "snakemake: no" in Elements(page(rounds, Graph(problem="snakemake: no"))).text


class TestSweep:
    @pytest.fixture(scope="class")
    def sweep(self, tmp_path_factory):
        found = made_results.made_rounds(
            tmp_path_factory.mktemp("sweep"), {"experiments": ["many"]}, many=SWEEP
        )
        made_results.make_results(found)
        return found

    def test_twenty_experiments_make_one_page_of_bounded_size(self, sweep):
        text = page(sweep)
        found = Elements(text)
        assert sum(name.startswith("e-many__weight_") for name in found.values("id")) == 20
        assert len(text) < 20e6

    def test_pictures_share_one_budget(self, sweep, monkeypatch):
        def size():
            return sum(len(s) for s in Elements(page(sweep)).values("src", "img"))

        plenty = size()
        monkeypatch.setattr("sparring.report.experiments._PICTURES_BUDGET", plenty // 2)
        assert size() <= plenty // 2

    def test_the_table_has_every_model_and_the_varied_values(self, sweep):
        experiments, _ = collect(sweep)
        rows = list(csv.DictReader(io.StringIO(sweep_csv(experiments))))
        assert len(rows) == 20 * 8  # reals, start, baselines, two iterations of both arms
        standing = [row for row in rows if row["stands_for_experiment"] == "1"]
        assert [row["model"] for row in standing] == ["adversarial/iteration_1"] * 20
        weights = [float(row["adversarial.weight"]) for row in standing]
        assert weights == WEIGHTS
        for row in rows:
            assert float(row["frechet_low"]) <= float(row["frechet"]) <= float(row["frechet_high"])

    def test_the_page_shows_the_same_values(self, sweep):
        found = Elements(page(sweep))
        shown = [float(v) for v in found.values("data-v", "td")]
        experiments, _ = collect(sweep)
        rows = csv.DictReader(io.StringIO(sweep_csv(experiments)))
        assert {float(row["frechet"]) for row in rows} <= set(shown)


def test_times_add_up_over_attempts(rounds, tmp_path):
    attempts = tmp_path / "logs/micro/adversarial/iteration_0/finetune_diffusion.attempts.csv"
    with attempts.open("a") as file:
        file.write("2026-01-01 01:00:00,2026-01-01 02:00:00,3600.0,finished,host,,900\n")
    micro = next(shown for shown in collect(rounds)[0] if shown.name == "micro")
    found = next(row for row in micro.times if row.stage == "finetune_diffusion")
    assert (found.jobs, found.attempts, found.peak_mb) == (4, 5, 900)
    assert found.seconds == 4 * 60 + 3600
    assert found.gpu_seconds == 0


def test_gpu_time_counts_the_gpus_of_training(tmp_path):
    rounds = made_results.made_rounds(tmp_path, {"device": "cuda", "gpus": 2})
    made_results.make_results(rounds)
    for record in (tmp_path / "results").rglob("settings/*.json"):
        record.write_text(json.dumps({"settings": {}, "device": "cuda"}))
    micro = next(shown for shown in collect(rounds)[0] if shown.name == "micro")
    by_stage = {row.stage: row for row in micro.times}
    assert by_stage["finetune_diffusion"].gpu_seconds == 2 * by_stage["finetune_diffusion"].seconds
    assert by_stage["sample_fake"].gpu_seconds == by_stage["sample_fake"].seconds
    assert by_stage["evaluate"].gpu_seconds == 0


def test_times_are_in_the_unit_that_suits_them():
    assert [span(s) for s in (5, 119, 600, 86400)] == ["5 s", "119 s", "10 min", "24.0 h"]
