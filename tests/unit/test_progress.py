"""Progress passes items through, and without a terminal speaks in whole log lines."""

import logging

from sparring import progress as module
from sparring.progress import progress


def test_items_pass_through_in_order(capsys):
    assert list(progress(iter("abc"), "working", 3)) == ["a", "b", "c"]
    assert "\r" not in capsys.readouterr().err  # no bar where there is no terminal


def test_long_work_logs_lines_with_what_is_left(monkeypatch, caplog):
    monkeypatch.setattr(module, "_LINE_EVERY_SECONDS", 0.0)
    with caplog.at_level(logging.INFO, logger="sparring"):
        list(progress(range(3), "sampling", 3))
    assert [r.getMessage().split(",")[0] for r in caplog.records] == [
        "sampling: 1 of 3",
        "sampling: 2 of 3",
    ]


def test_short_work_is_silent(caplog):
    with caplog.at_level(logging.INFO, logger="sparring"):
        list(progress(range(3), "sampling", 3))
    assert caplog.records == []
