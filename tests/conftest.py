"""One thread per test process, and one finished micro run that all tests share."""

import os
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")  # torch takes it up when first imported

import pytest
from workspace import LOCAL, Workspace


@pytest.fixture
def workspace(tmp_path):
    """Micro settings in an empty directory: nothing has run."""
    return Workspace(tmp_path, tmp_path)


@pytest.fixture(scope="session")
def shared_run(tmp_path_factory):
    """The micro experiment, run to its end once for all test processes. Only to be looked at."""
    base = tmp_path_factory.getbasetemp()
    directory = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "shared_run"
    run, ended = Workspace(directory, directory), directory / "ended"
    try:
        directory.mkdir()
    except FileExistsError:  # another process is at it
        deadline = time.monotonic() + 900
        while not ended.exists():
            assert time.monotonic() < deadline, "the process that makes the shared run is gone"
            time.sleep(0.5)
    else:
        done = run.snakemake(*LOCAL)
        ended.write_text("" if done.returncode == 0 else done.stdout + done.stderr)
    assert ended.read_text() == ""
    return run


@pytest.fixture
def finished(shared_run, tmp_path):
    """The shared run under settings that a test may change; nothing but dry runs."""
    return shared_run.varied(tmp_path / "settings")


@pytest.fixture
def finished_copy(shared_run, tmp_path):
    """A copy of the shared run that a test may change."""
    return shared_run.copied(tmp_path / "copy")
