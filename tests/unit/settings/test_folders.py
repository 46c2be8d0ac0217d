"""Folders of results stand in shell commands as they are."""

import string
import subprocess

import pytest

from sparring.errors import UserError
from sparring.settings.config import Config
from sparring.settings.reading import validate

KEYS = ("results", "state", "logs")
CONFIG = {"experiments": ["e"], "datasets": {}, "autoencoders": {}}
PLACES = [place for c in string.printable for place in (f"{c}b", f"a{c}b", f"a/{c}")]


def accepted(key, place):
    try:
        return getattr(validate(CONFIG | {key: place}, Config, "config.yaml"), key) == place
    except UserError:
        return False


@pytest.mark.parametrize("key", KEYS)
def test_a_shell_takes_every_accepted_folder_for_what_it_is(key, tmp_path):
    taken = [place for place in PLACES if accepted(key, place)]
    assert {"a/b", "a.b", "a~b"} <= set(taken)
    command = ["sh", "-c", "printf '%s\\n' " + " ".join(taken)]
    said = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=True).stdout
    assert said.splitlines() == taken


@pytest.mark.parametrize(
    "place", ["my results", "~/results", "a;b", "$HOME/x", "a*", "it's", "{x}"]
)
def test_what_a_shell_would_change_is_refused(place):
    assert not any(accepted(key, place) for key in KEYS)


@pytest.mark.parametrize(
    "place", ["results", "/scratch/u/run_1", "../a.b-c/d", "/data/näher", "a~b"]
)
def test_usual_folders_are_accepted(place):
    assert all(accepted(key, place) for key in KEYS)
