"""One row per attempt, whatever ended it."""

import csv
import time

import pytest

from sparring.artefacts.atomic import Superseded
from sparring.artefacts.attempts import (
    COLUMNS,
    Attempt,
    attempts_file,
    attempts_of_outputs,
    read_attempts,
)
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


def test_the_time_of_the_cpu_is_that_of_the_work_and_not_of_waiting(log):
    with Attempt(log):
        time.sleep(0.3)
    with Attempt(log):
        ends = time.process_time() + 0.3
        while time.process_time() < ends:
            pass
    waited, worked = (float(row["device_seconds"]) for row in read_attempts(log))
    assert waited < 0.2
    assert 0.2 < worked < 1


def test_the_time_of_gpus_is_wall_time_on_each(log):
    with Attempt(log, "cuda", gpus=3):
        time.sleep(0.5)
    (row,) = read_attempts(log)
    assert row["device"] == "cuda"
    assert float(row["device_seconds"]) == pytest.approx(3 * float(row["seconds"]), abs=0.2)


def test_rows_of_earlier_versions_and_none_that_are_cut_short_are_read(log):
    assert read_attempts(log) == []
    old = "started,ended,seconds,outcome,host,job,max_rss_mb\n1,2,3.0,finished,here,,400\n"
    attempts_file(log).write_text(old)
    with Attempt(log, work="new"):
        pass
    with open(attempts_file(log), "a") as file:
        file.write("2026-01-01 00:0")
    first, second = read_attempts(log)
    assert (first["seconds"], first["device"], first["work"]) == ("3.0", "", "")
    assert (second["device"], second["work"]) == ("cpu", "new")


def test_outputs_were_made_by_the_attempts_at_their_work_since_other_work_was_finished(log):
    for outcome, work in [
        ("interrupted", "a"), ("finished", "a"),
        ("died", "b"), ("failed", "c"), ("already finished", "c"), ("interrupted", "b"),
        ("finished", "b"), ("already finished", "b"), ("interrupted", "d"),
    ]:  # fmt: skip
        with Attempt(log, work=work) as attempt:
            attempt.outcome = outcome
    made = [(row["outcome"], row["work"]) for row in attempts_of_outputs(read_attempts(log))]
    assert made == [("died", "b"), ("interrupted", "b"), ("finished", "b")]
    assert attempts_of_outputs(read_attempts(log)[:1]) == []
