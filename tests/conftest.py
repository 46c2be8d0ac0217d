"""One thread per test process, and one finished micro run that all tests share."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # torch takes it up when first imported

import pytest
from workspace import LOCAL, Workspace


@pytest.fixture
def workspace(tmp_path):
    """Micro settings in an empty directory: nothing has run."""
    return Workspace(tmp_path, tmp_path)


@pytest.fixture(scope="session")
def shared_run(tmp_path_factory):
    """The micro experiment, run to its end once. Only to be looked at.

    Mark tests with `xdist_group("run")`, so that under `--dist loadgroup` one worker makes it.
    """
    directory = tmp_path_factory.mktemp("run")
    run = Workspace(directory, directory)
    done = run.snakemake(*LOCAL)
    assert done.returncode == 0, done.stdout + done.stderr
    return run


@pytest.fixture
def finished(shared_run, tmp_path):
    """The shared run under settings that a test may change; nothing but dry runs."""
    return shared_run.varied(tmp_path / "settings")


@pytest.fixture
def finished_copy(shared_run, tmp_path):
    """A copy of the shared run that a test may change."""
    return shared_run.copied(tmp_path / "copy")
