"""Files appear complete or not at all, and the operating system's refusals are one clear line."""

import errno
import os
import subprocess
import sys

import pytest

from sparring.artefacts.atomic import explaining, replacing, write_text
from sparring.errors import UserError


def names(folder) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


class KilledError(Exception):
    """Stands for whatever stops a stage half-way."""


def fail_half_way(path, error=KilledError) -> None:
    with replacing(path) as aside:
        aside.write_text("half")
        raise error


def test_a_file_is_not_seen_before_it_is_complete(tmp_path):
    path = tmp_path / "a.txt"
    with replacing(path) as aside:
        aside.write_text("half")
        assert not path.exists()
        aside.write_text("whole")
    assert path.read_text() == "whole"
    assert names(tmp_path) == ["a.txt"]


def test_a_failure_leaves_nothing(tmp_path):
    with pytest.raises(KilledError):
        fail_half_way(tmp_path / "a.txt")
    assert names(tmp_path) == []


def test_a_failure_keeps_the_file_that_stood_there(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(KilledError):
        fail_half_way(path)
    assert path.read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


def test_a_keyboard_interrupt_leaves_nothing_either(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        fail_half_way(tmp_path / "a.txt", KeyboardInterrupt)
    assert names(tmp_path) == []


def test_folders_are_made(tmp_path):
    write_text(tmp_path / "b" / "c" / "a.txt", "text")
    assert (tmp_path / "b" / "c" / "a.txt").read_text() == "text"


def test_text_is_utf_8_whatever_the_locale(tmp_path):
    write_text(tmp_path / "a.txt", "Küche")
    assert (tmp_path / "a.txt").read_bytes() == "Küche".encode()


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (errno.ENOSPC, "the disk is full; free space and run again"),
        (errno.EDQUOT, "the disk quota is used up; free space and run again"),
        (errno.EACCES, "no write permission"),
        (errno.EROFS, "the file system is read-only"),
    ],
)
@pytest.mark.parametrize("hdf5", [False, True])
def test_a_refusal_of_the_system_names_the_file_and_the_way_out(tmp_path, code, expected, hdf5):
    """HDF5 gives the cause in its text only."""
    text = f"Can't write data (errno = {code}, error message = '{os.strerror(code)}')"
    error = OSError(text) if hdf5 else OSError(code, os.strerror(code))
    path = tmp_path / "a.h5"
    path.write_text("old")
    with pytest.raises(UserError) as caught:
        fail_half_way(path, error)
    assert str(caught.value).startswith(f"{path}: cannot be written: {expected}")
    assert path.read_text() == "old"
    assert names(tmp_path) == ["a.h5"]


def test_a_full_disk_at_the_last_moment_is_met_before_the_file_appears(tmp_path, monkeypatch):
    """Network file systems report a full disk only when data are forced out."""

    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UserError, match="the disk is full"):
        write_text(tmp_path / "a.txt", "text")
    assert names(tmp_path) == []


@pytest.mark.parametrize("below", ["a.txt", "b/a.txt"])
def test_a_path_below_a_file_is_explained(tmp_path, below):
    (tmp_path / "file").write_text("I am no folder")
    path = tmp_path / "file" / below
    with pytest.raises(UserError) as caught:
        write_text(path, "text")
    assert f"{path}: cannot be written: part of its path is a file" in str(caught.value)


def test_a_folder_in_the_file_s_place_is_explained(tmp_path):
    (tmp_path / "a.txt").mkdir()
    with pytest.raises(UserError, match=r"a\.txt: cannot be written: a folder of that name"):
        write_text(tmp_path / "a.txt", "text")
    assert names(tmp_path) == ["a.txt"]


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write anywhere")
def test_a_folder_without_write_permission_is_explained(tmp_path):
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(UserError, match="no write permission"):
            write_text(tmp_path / "a.txt", "text")
    finally:
        tmp_path.chmod(0o700)


def test_other_errors_are_not_dressed_up(tmp_path):
    """A bug must stay a traceback."""
    with pytest.raises(OSError, match="Broken pipe"), explaining(tmp_path / "a.txt"):
        raise OSError(errno.EPIPE, "Broken pipe")


LIMITED = """
import resource, sys
from pathlib import Path
import numpy as np
from sparring.artefacts.atomic import write_text
from sparring.artefacts.latents import writing_latents
from sparring.errors import UserError
path = Path(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))
try:
    if path.suffix == ".txt":
        write_text(path, "x" * 100_000)
    else:
        with writing_latents(path, 1600, {}) as writer:
            for batch in range(100):
                writer.append(np.zeros((16, 4, 32, 32)))
            print("stopped only at the end")
except UserError as error:
    print(error)
"""


@pytest.mark.parametrize("name", ["a.txt", "a.h5"])
def test_a_file_that_the_system_cuts_short_leaves_nothing_and_one_line(tmp_path, name):
    """Real refusals of the kernel, in the middle of writing.

    HDF5 itself would go on trying, fill stderr and end in a segmentation fault.
    """
    path = tmp_path / name
    path.write_text("old")
    command = [sys.executable, "-c", LIMITED, str(path)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert run.stdout.splitlines() == [
        f"{path}: cannot be written: the file would exceed the allowed size (ulimit -f)"
    ]
    assert run.stderr == ""
    assert path.read_text() == "old"
    assert names(tmp_path) == [name]
