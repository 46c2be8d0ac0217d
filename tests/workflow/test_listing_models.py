"""The list of presets that `make models` prints."""

import subprocess
import sys

import pytest
from workspace import REPOSITORY

from sparring.models.presets import PRESETS


def list_models(*options):
    program = REPOSITORY / "workflow" / "scripts" / "list_models.py"
    command = [sys.executable, str(program), *options]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.mark.parametrize(
    ("dims", "options"),
    [(2, ("--channels", "16", "--side", "4")), (3, ("--volumes", "--patch-size", "16"))],
)
def test_every_preset_is_listed_also_where_it_does_not_fit(dims, options):
    # The latents of both have a side of 4.
    done = list_models(*options, "--batch-size", "1")
    assert done.returncode == 0, done.stderr
    for name, preset in PRESETS.items():
        if preset.dims != dims:
            assert f"\n{name} " not in done.stdout
            continue
        (line,) = [line for line in done.stdout.splitlines() if line.split()[:1] == [name]]
        if preset.factor <= 4:
            assert f"{preset.parameters:,}" in line
        else:
            assert f"multiple of {preset.factor}" in line


def test_a_shape_that_is_none_is_refused():
    done = list_models("--side", "0")
    assert done.returncode != 0
    assert "--side" in done.stderr
    assert "Traceback" not in done.stderr


def test_vqgans_are_listed_beside_the_usual_widths():
    done = list_models("--volumes", "--patch-size", "32", "--batch-size", "1")
    assert done.returncode == 0, done.stderr
    assert "0-64-128" in done.stdout
    assert "64-128-256" in done.stdout
    assert "2,763,585" in done.stdout
    assert "11,048,769" in done.stdout
