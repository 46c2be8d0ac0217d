"""Browsers that hang cost a little time, never the run. Stand-ins for a browser: shell scripts."""

import os
import time

import headless
import pytest


def stand_in(folder, *lines):
    """A program that counts its starts in `starts`, then does as the lines say."""
    program = folder / "browser"
    counts = f"cd {folder}\necho x >> starts\nstarts=$(wc -l < starts)"
    program.write_text("\n".join(["#!/bin/bash", counts, *lines]))
    program.chmod(0o755)
    return str(program)


SAYS = """echo '[1:2:INFO:CONSOLE(7)] "seen:%7B%22a%22%3A1%7D", source: file:///p.html (7)' >&2"""


def test_what_a_page_says_arrives_with_the_lines_before_it(tmp_path):
    error = """echo '[1:2:ERROR:CONSOLE(3)] "broken", source: p (3)'"""
    browser = stand_in(tmp_path, "echo noise", error, SAYS, error, "sleep 100")
    seen, console = headless.opened(tmp_path, "p", browser=browser, patience=(20,))
    assert seen == {"a": 1}
    assert len(console) == 1
    assert "broken" in console[0]


def test_a_browser_that_hangs_is_ended_with_its_processes_and_started_anew(tmp_path):
    hangs = "if [ $starts = 1 ]; then sleep 100 & echo $! > child; wait; fi"
    browser = stand_in(tmp_path, hangs, SAYS)
    seen, _ = headless.opened(tmp_path, "p", browser=browser, patience=(2, 20))
    assert seen == {"a": 1}
    assert (tmp_path / "starts").read_text().split() == ["x", "x"]
    child = int((tmp_path / "child").read_text())
    until = time.monotonic() + 20
    while is_running(child) and time.monotonic() < until:
        time.sleep(0.05)
    assert not is_running(child)


def test_a_browser_that_ends_at_once_is_started_anew(tmp_path):
    browser = stand_in(tmp_path, "if [ $starts = 1 ]; then exit 1; fi", SAYS)
    assert headless.opened(tmp_path, "p", browser=browser, patience=(20, 20))[0] == {"a": 1}


def test_where_none_says_anything_the_last_words_are_shown(tmp_path):
    browser = stand_in(tmp_path, "echo no display >&2")
    with pytest.raises(AssertionError, match=r"2 browsers said nothing of p.*\n.*no display"):
        headless.opened(tmp_path, "p", browser=browser, patience=(20, 20))


def is_running(pid):
    """Whether there is such a process that has not ended (a zombie has)."""
    try:
        os.kill(pid, 0)
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False
