"""The table of an experiment on volumes."""

import csv
import io

from sparring.artefacts.volumes import NEW, SHARED
from sparring.evaluation.volume_report import entry, table
from sparring.evaluation.volumes import VolumeScores


def scored(name, group, psnr):
    return entry(name, group, VolumeScores(psnr, 0.5, 10.0, 0.9), 0.14)


def test_groups_are_told_apart_and_baselines_come_once():
    volumes = [scored("a", SHARED, 20.0), scored("b", SHARED, 30.0), scored("c", NEW, 40.0)]
    evaluation = {
        "volumes": volumes,
        "baselines": {"constant": [scored("a", SHARED, 5.0), scored("c", NEW, 6.0)]},
        "perplexity": 100.0,
        "codes_used": 120.0,
    }
    rows = list(csv.DictReader(io.StringIO(table({"one": evaluation, "two": evaluation}))))
    found = [(r["model"], r["group"], float(r["psnr"]), r["volumes"]) for r in rows]
    assert found == [
        ("one", NEW, 40, "1"), ("one", SHARED, 25, "2"),
        ("two", NEW, 40, "1"), ("two", SHARED, 25, "2"),
        ("constant", NEW, 6, "1"), ("constant", SHARED, 5, "1"),
    ]  # fmt: skip
    assert rows[0]["perplexity"] == "100.0"
    assert rows[-1]["perplexity"] == ""
