"""A job whose work was taken over cannot put a file in place, wherever in writing it stands."""

import os
import subprocess
import sys

import pytest

from sparring.artefacts import atomic
from sparring.artefacts.atomic import Superseded, claiming, replacing, write_text
from sparring.artefacts.lock import Lock, claim_folders


@pytest.fixture
def state(tmp_path):
    return tmp_path / "state" / "stage"


@pytest.fixture
def results(tmp_path):
    return tmp_path / "results"


def files(folder) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def folders(folder) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_dir())


def claim(state, results):
    """As a job that holds the lock would; nobody tells it that it lost."""
    return claim_folders(Lock(state, "work", 60.0), state, results)


def test_files_are_published_and_nothing_else_is_left(state, results, tmp_path):
    with claiming(claim(state, results)) as claimed:
        write_text(results / "a" / "output.txt", "output")
        write_text(state / "checkpoint.pt", "state")
        assert not any(p.parent == results / "a" for p in claimed.folders.values())
    assert files(tmp_path) == ["results/a/output.txt", "state/stage/checkpoint.pt"]
    assert folders(tmp_path) == ["results", "results/a", "state", "state/stage"]


def test_what_was_published_is_known_by_its_path(state, results):
    with claiming(claim(state, results)) as claimed:
        for name in ("a.txt", "b.txt", "a.txt"):
            write_text(results / name, name)
        assert set(claimed.published) == {results / "a.txt", results / "b.txt"}


def test_a_published_file_that_is_deleted_is_still_at_hand(state, results):
    """Snakemake deletes outputs when it starts a copy of the job."""
    with claiming(claim(state, results)) as claimed:
        write_text(results / "a.txt", "old")
        write_text(results / "a.txt", "new")
        (results / "a.txt").unlink()
        assert claimed.published[results / "a.txt"].read_text() == "new"


def test_a_relative_path_is_as_good(state, results, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    relative = results.relative_to(tmp_path)
    with claiming(claim(state.relative_to(tmp_path), relative)) as claimed:
        write_text(relative / "a.txt", "text")
        assert set(claimed.published) == {results / "a.txt"}
    assert (results / "a.txt").read_text() == "text"


def test_a_failure_inside_leaves_the_old_file_alone(state, results, tmp_path):
    results.mkdir()
    (results / "a.txt").write_text("old")

    def fail() -> None:
        with claiming(claim(state, results)), replacing(results / "a.txt") as aside:
            aside.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert files(tmp_path) == ["results/a.txt"]
    assert (results / "a.txt").read_text() == "old"


@pytest.fixture
def take_over(state, results):
    """What a successor does first. It then publishes its own file."""

    def take() -> None:
        present = atomic._claim
        atomic._claim = None  # the successor is another process
        with claiming(claim(state, results)):
            write_text(results / "output.txt", "the successor's")
        atomic._claim = present

    return take


def lose_before_opening(path, take_over):
    with replacing(path) as aside:
        take_over()
        aside.write_text("stale")


def lose_while_writing(path, take_over):
    with replacing(path) as aside, open(aside, "w") as file:
        file.write("st")
        file.flush()
        take_over()
        file.write("ale")


def lose_when_written(path, take_over):
    with replacing(path) as aside:
        aside.write_text("stale")
        take_over()


def lose_before_the_block(path, take_over):
    take_over()
    with replacing(path) as aside:
        aside.write_text("stale")


MOMENTS = [lose_before_the_block, lose_before_opening, lose_while_writing, lose_when_written]


@pytest.mark.parametrize("lose", MOMENTS)
@pytest.mark.parametrize("name", ["output.txt", "deep/er/output.txt"])
def test_whoever_lost_its_claim_publishes_nothing(state, results, tmp_path, take_over, lose, name):
    with claiming(claim(state, results)), pytest.raises(Superseded) as caught:
        lose(results / name, take_over)
    assert str(results / name) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert files(tmp_path) == ["results/output.txt"]
    assert (results / "output.txt").read_text() == "the successor's"


@pytest.mark.parametrize("call", ["fsync", "link", "replace"])
def test_nor_in_the_very_last_moments(state, results, tmp_path, take_over, monkeypatch, call):
    """Just before the data are forced to disk, linked, renamed."""
    plain = getattr(os, call)

    def late(*arguments, **keys):
        monkeypatch.setattr(os, call, plain)
        take_over()
        return plain(*arguments, **keys)

    with claiming(claim(state, results)):
        monkeypatch.setattr(os, call, late)
        with pytest.raises(Superseded):
            write_text(results / "output.txt", "stale")
    assert files(tmp_path) == ["results/output.txt"]
    assert (results / "output.txt").read_text() == "the successor's"


@pytest.mark.parametrize("lose", MOMENTS)
def test_nor_does_it_replace_its_successor_s_state(state, results, take_over, lose):
    write_text(state / "checkpoint.pt", "the successor's")
    with claiming(claim(state, results)), pytest.raises(Superseded):
        lose(state / "checkpoint.pt", take_over)
    assert (state / "checkpoint.pt").read_text() == "the successor's"


def test_whoever_knows_that_it_lost_does_not_even_begin(state, results, tmp_path):
    claimed = claim(state, results)
    claimed.held = lambda: False
    with claiming(claimed), pytest.raises(Superseded):
        write_text(tmp_path / "elsewhere" / "a.txt", "stale")
    assert files(tmp_path) == []


def test_stages_that_share_a_folder_of_results_leave_each_other_alone(tmp_path, results):
    """Even where one's name begins with the other's."""
    first, second = tmp_path / "state" / "sample", tmp_path / "state" / "sample_more"
    other = claim(second, results)
    with claiming(claim(first, results)):
        write_text(results / "a.txt", "a")
    with claiming(other):
        write_text(results / "b.txt", "b")
    assert files(results) == ["a.txt", "b.txt"]


def test_a_folder_that_its_owner_clears_meanwhile_is_no_error(state, results, monkeypatch):
    """A holder that just lost ends while its successor renames its folders away."""
    claim(state, results)
    plain = os.replace

    def beaten(source, target):
        plain(source, f"{target}-cleared")
        raise FileNotFoundError(source)

    monkeypatch.setattr(os, "replace", beaten)
    claimed = claim(state, results)
    assert all(folder.is_dir() for folder in claimed.folders.values())


MASKED = """
import os, sys
from pathlib import Path
os.umask(0o027)
from sparring.artefacts.atomic import claiming, replacing
from sparring.artefacts.lock import Lock, claim_folders
base = Path(sys.argv[1])
lock = Lock(base / "state", "work", 60.0)
def write(path):
    with replacing(path) as aside:
        os.close(os.open(aside, os.O_CREAT | os.O_WRONLY, 0o600))
write(base / "plain.txt")
with claiming(claim_folders(lock, base / "state", base / "results")):
    write(base / "results" / "claimed.txt")
"""


def test_files_have_the_mode_that_the_user_s_umask_gives(tmp_path):
    """Some libraries write files that only their owner can read."""
    subprocess.run([sys.executable, "-c", MASKED, str(tmp_path)], check=True, timeout=60)
    for path in (tmp_path / "plain.txt", tmp_path / "results" / "claimed.txt"):
        assert path.stat().st_mode & 0o777 == 0o640


def test_who_lost_the_lock_before_claiming_leaves_its_successor_alone(state, results):
    """Frozen between taking the lock and claiming, and woken up after another job took over."""
    frozen, successor = Lock(state, "work", 60.0), Lock(state, "work", 60.0)
    successor.acquire(lambda: None)
    with claiming(claim_folders(successor, state, results)) as claimed:
        with pytest.raises(Superseded, match="taken over by"):
            claim_folders(frozen, state, results)
        assert all(folder.is_dir() for folder in claimed.folders.values())
