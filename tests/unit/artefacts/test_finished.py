"""Finished work is recognised and put back, whatever became of its outputs; other work is not."""

import errno
import os
import shutil

import pytest

from sparring.artefacts.finished import Finished


@pytest.fixture
def work(tmp_path, monkeypatch):
    """Two outputs and their kept record, seen from the directory that the workflow runs in."""
    monkeypatch.chdir(tmp_path)
    return Work(tmp_path)


class Work:
    """A stage with two outputs."""

    def __init__(self, folder) -> None:
        self.state = folder / "state" / "stage"
        self.outputs = [folder / "results" / "a.bin", folder / "results" / "deep" / "b.bin"]
        self.contents = [b"a" * 1000, b"b" * 1000]

    def do(self, digest="work") -> None:
        for path, content in zip(self.outputs, self.contents, strict=True):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.unlink(missing_ok=True)
            path.write_bytes(content)
        self.keep(digest)

    def keep(self, digest="work", seconds=()) -> None:
        """With second links to the outputs, as a claim has them, or none."""
        published = dict(zip(self.outputs, seconds or self.outputs, strict=True))
        Finished(self.state).keep(digest, published)

    def restored(self, digest="work") -> bool:
        return Finished(self.state).restore(digest)

    @property
    def is_intact(self) -> bool:
        return [p.is_file() and p.read_bytes() for p in self.outputs] == self.contents

    @property
    def links(self) -> list:
        folder = self.state / "finished"
        return list(folder.iterdir()) if folder.is_dir() else []


@pytest.fixture
def no_hard_links(monkeypatch):
    def refuse(*_, **__):
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)


def test_work_that_was_never_finished_is_not_restored(work):
    assert not work.restored()
    assert Finished(work.state).outputs == []


def test_outputs_in_place_are_left_alone(work):
    work.do()
    before = [path.stat() for path in work.outputs]
    assert work.restored()
    assert [path.stat() for path in work.outputs] == before


@pytest.mark.parametrize("missing", [[0], [1], [0, 1]])
def test_deleted_outputs_are_put_back(work, missing):
    work.do()
    for index in missing:
        work.outputs[index].unlink()
    assert work.restored()
    assert work.is_intact


def test_deleted_folders_are_put_back(work):
    work.do()
    shutil.rmtree(work.outputs[0].parent)
    assert work.restored()
    assert work.is_intact


def test_outputs_are_put_back_as_often_as_they_are_deleted(work):
    work.do()
    for _ in range(3):
        work.outputs[0].unlink()
        assert work.restored()
        assert work.is_intact


def test_restored_outputs_look_as_new_as_they_are(work):
    """Snakemake compares times with those of the inputs."""
    work.do()
    os.utime(work.outputs[0], (0, 0))
    work.outputs[0].unlink()
    assert work.restored()
    assert work.outputs[0].stat().st_mtime > 1e9


def test_outputs_deleted_before_they_are_kept_are_put_back(work, tmp_path):
    """Snakemake starts a copy of the job while the job ends."""
    work.do()
    seconds = [tmp_path / "1.kept", tmp_path / "2.kept"]
    for path, second in zip(work.outputs, seconds, strict=True):
        os.link(path, second)
        path.unlink()
    work.keep("other work", seconds)
    assert work.is_intact
    assert work.restored("other work")


def test_a_file_that_replaced_an_output_is_not_taken_for_it(work):
    work.do()
    work.outputs[0].unlink()
    work.outputs[0].write_bytes(b"something else")
    assert work.restored()
    assert work.is_intact


def test_damage_to_the_content_itself_means_work(work):
    """The link shares its bytes with the output."""
    work.do()
    work.outputs[0].write_bytes(b"x" * 1000)
    assert not work.restored()
    assert work.links == []
    work.do()
    assert work.restored()
    assert work.is_intact


def test_damage_to_the_kept_content_means_work_only_where_it_is_needed(work):
    work.do()
    for link in work.links:
        link.unlink()
        link.write_bytes(b"damaged")
    assert work.restored()
    work.outputs[0].unlink()
    assert not work.restored()
    assert not work.outputs[0].exists()


def test_other_work_is_not_restored_but_an_edit_may_be_taken_back(work):
    """Work with edited settings began, and Snakemake deleted the outputs for it."""
    work.do()
    for output in work.outputs:
        output.unlink()
    assert not work.restored("other settings")
    assert not any(output.exists() for output in work.outputs)
    assert work.restored()
    assert work.is_intact


def test_links_of_the_previous_work_are_removed(work):
    work.do("first")
    kept = {path.name for path in work.links}
    work.contents = [b"c" * 1000, b"b" * 1000]
    work.do("second")
    assert len(work.links) == 2
    assert len(kept & {path.name for path in work.links}) == 1
    work.outputs[0].unlink()
    assert work.restored("second")
    assert work.is_intact


def test_kept_content_takes_no_space(work):
    work.do()
    assert {p.stat().st_ino for p in work.links} == {p.stat().st_ino for p in work.outputs}


def test_two_outputs_of_the_same_content_are_both_put_back(work):
    work.contents = [b"same", b"same"]
    work.do()
    for path in work.outputs:
        path.unlink()
    assert work.restored()
    assert work.is_intact


def test_the_directory_may_be_moved(work, tmp_path, monkeypatch):
    work.do()
    moved = tmp_path / "moved"
    moved.mkdir()
    for name in ("state", "results"):
        (tmp_path / name).rename(moved / name)
    monkeypatch.chdir(moved)
    (moved / "results" / "a.bin").unlink()
    assert Finished(moved / "state" / "stage").restore("work")
    assert (moved / "results" / "a.bin").read_bytes() == work.contents[0]


@pytest.mark.usefixtures("no_hard_links")
def test_without_hard_links_intact_outputs_are_still_recognised(work):
    """State on another file system than the results."""
    work.do()
    assert work.restored()
    work.outputs[0].unlink()
    assert not work.restored()


def test_results_moved_to_another_file_system_are_restored_by_copying(work, request):
    work.do()
    work.outputs[0].unlink()
    request.getfixturevalue("no_hard_links")
    assert work.restored()
    assert work.is_intact


@pytest.mark.parametrize("content", ["", "{", "[]", "null", '{"digest": "work"}'])
def test_a_damaged_record_means_work(work, content):
    work.do()
    (work.state / "finished.json").write_text(content)
    assert not work.restored()
    work.do()
    assert work.restored()


def test_what_the_user_wants_done_again_is_forgotten(work):
    work.do()
    Finished(work.state).forget()
    Finished(work.state).forget()
    assert work.links == []
    assert not work.restored()


def test_the_outputs_are_known_from_outside(work):
    work.do()
    assert [path.resolve() for path in Finished(work.state).outputs] == work.outputs
