"""The finished run's results, and running single stages of it by hand."""

import json
import re

import pytest
from workspace import job


@pytest.fixture(scope="session")
def results(shared_run):
    """The shared run's results, only to be looked at."""
    return shared_run / "results"


@pytest.fixture(scope="session")
def commands(shared_run):
    """The command that Snakemake prints for each job."""
    return shared_run.commands()


@pytest.fixture
def change_job():
    """Edit a stage's frozen settings: `change_job(run, "place/rule", key=value)`."""

    def change(run, place, **changes):
        path = run / f"state/micro/{place}/job.json"
        content = json.loads(path.read_text())
        for key, value in changes.items():
            content[key] = content[key] | value if isinstance(value, dict) else value
        path.write_text(json.dumps(content))

    return change


@pytest.fixture
def command_of(commands):
    """The command of an iteration's job in the micro experiment, as a run gives it.

    It reads the job file; a dry run's has options in its place.
    """

    def find(rule, **wildcards):
        command = commands[job(rule, experiment="micro", **wildcards)]
        return re.sub(r" --settings .*(?= --threads )", "", command)

    return find
