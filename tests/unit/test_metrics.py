"""One table of figures: what it says fits together, and the documents know every row."""

import pytest
from workspace import REPOSITORY

from sparring.evaluation.comparing import BETTER, DECIDING
from sparring.evaluation.verdict import MARGINS
from sparring.metrics import METRICS, metric_of

DOCUMENTS = [(REPOSITORY / "docs" / name).read_text() for name in ("evaluation.md", "volumes.md")]


@pytest.mark.parametrize("row", METRICS, ids=lambda row: row.name)
def test_a_row_is_whole_and_documented(row):
    assert row.title
    assert row.caption
    name = f"{row.name}NAME" if row.name == "share_" else row.name
    assert any(f"`{name}" in text for text in DOCUMENTS)


def test_names_and_titles_are_told_apart():
    for values in ([row.name for row in METRICS], [row.title for row in METRICS]):
        assert len(set(values)) == len(values)


def test_what_leads_to_a_claim_and_what_guards_has_a_direction_and_they_are_not_the_same():
    assert {*DECIDING, *MARGINS} <= BETTER.keys()
    assert not set(DECIDING) & MARGINS.keys()


def test_what_is_compared_with_reals_layout_by_layout_is_the_better_the_less():
    compared = [row for row in METRICS if row.compares != "mean"]
    assert compared
    assert all(row.column and row.better == "lower" for row in compared)


@pytest.mark.parametrize(
    ("column", "name", "more"),
    [("kernel", "kernel", ""), ("kernel_above_null", "kernel", "above null"),
     ("share_bed_room", "share_", "bed room"), ("tissue_distance", "tissue_distance", ""),
     ("tissue_air", "tissue_", "air"), ("closed_open_doors", "closed_open_doors", "")],
)  # fmt: skip
def test_a_column_belongs_to_the_row_with_the_longest_name(column, name, more):
    found = metric_of(column)
    assert found is not None
    assert (found[0].name, found[1]) == (name, more)


def test_a_column_that_no_row_has_is_told():
    assert metric_of("something_new") is None
    assert metric_of("roomservice") is None
