"""Every program explains itself, and its example is a command that it takes."""

import ast
import re
import shlex
import subprocess
import sys

import pytest
from workspace import REPOSITORY

from sparring.settings import stages, stages_by_hand, volume_stages, vqgan_stages
from sparring.settings.documentation import keys_of

SCRIPTS = REPOSITORY / "workflow" / "scripts"
PROGRAMS = sorted(path.stem for path in SCRIPTS.glob("*.py"))
STAGES = [name for name in PROGRAMS if "StageParser(" in (SCRIPTS / f"{name}.py").read_text()]
# `document_settings` takes no options.
EXPLAINED = [name for name in PROGRAMS if "ArgumentParser" in (SCRIPTS / f"{name}.py").read_text()]
DOCUMENT = REPOSITORY / "docs" / "programs.md"
COMING_FROM_SCRIPTS = REPOSITORY / "docs" / "coming-from-scripts.md"


def text_of(*command):
    done = subprocess.run([sys.executable, *command], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def examples(name):
    """Words of each command in the example of a program."""
    tree = ast.parse((SCRIPTS / f"{name}.py").read_text())
    (text,) = (
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and node.targets[0].id == "EXAMPLE"
    )
    return commands_in(text)


def commands_in(text):
    joined = text.replace("\\\n", " ")
    lines = [line.strip() for line in joined.splitlines()]
    return [shlex.split(line) for line in lines if line.startswith("python workflow/scripts/")]


def stage_of(name):
    return next(
        k
        for module in (stages, stages_by_hand, volume_stages, vqgan_stages)
        for k in vars(module).values()
        if getattr(k, "stage", None) == name
    )


@pytest.mark.parametrize("name", STAGES)
def test_help_lists_every_setting_and_an_example(name):
    text = text_of(str(SCRIPTS / f"{name}.py"), "--help")
    listed = re.findall(r"(?m)^  ([a-z0-9_.]+)  \(", text)
    stage = stage_of(name)
    assert listed == [key.path for key in keys_of(stage) if key.path not in stage.elsewhere]
    assert f"python workflow/scripts/{name}.py" in text.partition("example:")[2]


@pytest.mark.parametrize("name", STAGES)
def test_help_says_a_meaning_for_every_option(name):
    text = text_of(str(SCRIPTS / f"{name}.py"), "--help").partition("\nexample:")[0]
    after_usage = text.partition("\n\n")[2]
    options = re.findall(r"(?m)^  (-[^\n]*?)(?:\s{2,}(\S.*))?\n(\s{20,}\S)?", after_usage)
    assert len(options) > 12
    for option, beside, below in options:
        assert beside or below, option


@pytest.mark.parametrize("name", EXPLAINED)
def test_other_programs_have_help_too(name):
    assert "usage:" in text_of(str(SCRIPTS / f"{name}.py"), "--help")


ACCEPT = """
import runpy, sys
import sparring.stages.job as job
from sparring.stages.by_hand import content_by_hand, settings_by_hand

def accept(kind, parser, run):
    args = parser.read(kind)
    content_by_hand(settings_by_hand(kind, parser, args), parser, args)
    print("taken")

job.run_job = accept
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.mark.parametrize("name", STAGES)
def test_examples_are_commands_that_the_program_takes(name):
    assert examples(name)
    for _, program, *words in examples(name):
        assert program == f"workflow/scripts/{name}.py"
        assert text_of("-c", ACCEPT, str(SCRIPTS / f"{name}.py"), *words) == "taken\n"


def test_commands_in_the_documentation_are_taken():
    text = DOCUMENT.read_text() + COMING_FROM_SCRIPTS.read_text()
    commands = [c for c in commands_in(text) if c[1].split("/")[-1][:-3] in STAGES]
    assert len(commands) > 5
    for _, program, *words in commands:
        if "--help" not in words:
            assert text_of("-c", ACCEPT, str(REPOSITORY / program), *words) == "taken\n"


def test_every_program_is_in_the_table():
    text = DOCUMENT.read_text()
    assert [name for name in PROGRAMS if f"`{name}.py`" not in text] == []
