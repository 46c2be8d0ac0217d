"""One row per attempt, whatever ended it."""

import csv

import pytest

from sparring.artefacts.atomic import Superseded
from sparring.artefacts.attempts import COLUMNS, Attempt, attempts_file
from sparring.artefacts.lock import Holder
from sparring.artefacts.processes import Process
from sparring.errors import UserError
from sparring.interrupts import InterruptedRun


@pytest.fixture
def log(tmp_path):
    return tmp_path / "stage.log"


def rows(log) -> list[dict[str, str]]:
    with open(attempts_file(log), newline="") as file:
        reader = csv.DictReader(file)
        assert tuple(reader.fieldnames) == COLUMNS
        return list(reader)


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (None, "finished"),
        (InterruptedRun(), "interrupted"),
        (Superseded(), "superseded"),
        (UserError("disk full"), "failed"),
        (ValueError(), "failed"),
        (MemoryError(), "failed"),
        (SystemExit(1), "failed"),
    ],
)
def test_every_ending_leaves_one_row_that_names_it(log, error, outcome):
    def attempt() -> None:
        with Attempt(log):
            if error is not None:
                raise error

    if error is None:
        attempt()
    else:
        with pytest.raises(type(error)):
            attempt()
    (row,) = rows(log)
    assert row["outcome"] == outcome
    assert float(row["seconds"]) >= 0
    assert row["started"] <= row["ended"]
    assert row["host"] == Process.own().host
    assert int(row["max_rss_mb"]) > 1


def test_an_outcome_can_be_named_by_the_work(log):
    with Attempt(log) as attempt:
        attempt.outcome = "already finished"
    assert rows(log)[0]["outcome"] == "already finished"


def test_rows_are_kept_over_attempts_under_one_heading(log):
    for _ in range(3):
        with Attempt(log):
            pass
    assert len(rows(log)) == 3
    assert attempts_file(log).read_text().count("outcome") == 1


def test_a_dead_attempt_is_recorded_by_who_follows_it(log):
    process = Process("node7", 4, "pid:[1]", 99, "LSF job 17")
    dead = Holder("token", process, "work", since=1000.0, beat=3, time=1090.5)
    attempt = Attempt(log)
    attempt.record_death(dead)
    with attempt:
        pass
    died, finished = rows(log)
    assert finished["outcome"] == "finished"
    assert (died["outcome"], died["host"], died["job"]) == ("died", "node7", "LSF job 17")
    assert float(died["seconds"]) == 90.5
    assert died["max_rss_mb"] == ""


def test_attempts_lie_beside_the_log(tmp_path):
    """Also where a name has dots of its own: no two stages share a file."""
    names = ["a.log", "b.log", "sample_fake_0_of_2.log", "sample_fake_1_of_2.log"]
    found = {attempts_file(tmp_path / name) for name in names}
    assert len(found) == len(names)
    assert {path.parent for path in found} == {tmp_path}
