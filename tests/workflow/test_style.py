"""The rules themselves: lint, declared resources, profiles."""

import re

import pytest
import yaml
from workspace import REPOSITORY

# Titles of `snakemake --lint` that this workflow accepts, and why.
ACCEPTED = {
    "Specify a conda environment or container for each rule.": (
        "one environment, activated before snakemake starts, serves all rules"
    ),
    "No log directive defined": (
        "Snakemake wipes a rule's log before each attempt; stages append to logs of their own"
    ),
    "Mixed rules and functions in same snakefile.": (
        "an input function reads best beside the rule that it serves"
    ),
    "Path composition with '+'": "the folder of results is configured, the pattern below is fixed",
    "Absolute path": "false alarm: the right-hand side of such a composition",
    "Param place is a prefix of input or output file but hardcoded": (
        "a model is listed as its files; the program takes the directory that they lie in"
    ),
}
PROFILES = REPOSITORY / "profiles"


def rules():
    """Name and text of every rule with a command."""
    found = {}
    for path in sorted((REPOSITORY / "rules").glob("*.smk")):
        for block in re.split(r"(?m)^(?=rule \w+:)", path.read_text())[1:]:
            found[re.match(r"rule (\w+):", block).group(1)] = block
    return found


def test_lint_says_only_what_is_accepted(workspace):
    done = workspace.snakemake("--lint")
    titles = re.findall(r"(?m)^    \* (.*?)(?: (?:\".*\" )?in line \d+)?:$", done.stderr)
    titles = [re.sub(r' ".*"$', "", title) for title in titles]
    assert "Specify a conda environment or container for each rule." in titles  # it did lint
    assert set(titles) - set(ACCEPTED) == set()


@pytest.mark.parametrize("name", rules())
def test_every_rule_says_what_it_needs(name):
    for declared in ("mem_mb=", "runtime=", "settings=", "job=", "program="):
        assert declared in rules()[name]


@pytest.mark.parametrize("name", rules())
def test_threads_are_passed_on(name):
    """Programs obey the rule's thread count instead of taking every core there is."""
    assert "--threads {threads}" in rules()[name]


def test_programs_are_told_their_wall_time_and_processes(workspace):
    """They stop themselves before the one, and start the others."""
    workspace.config["gpus"] = 2
    commands = workspace.commands()
    training = {
        "train_autoencoder",
        "pretrain_diffusion",
        "train_discriminator",
        "finetune_diffusion",
    }
    assert {rule for rule, _ in commands} >= training
    for (rule, _), command in commands.items():
        assert re.search(r" --runtime [1-9]\d* ", command), rule
        assert (" --processes 2 " in command) == (rule in training), rule


@pytest.mark.parametrize("name", rules())
def test_a_rule_that_computes_says_its_threads(name):
    if "gpu=" in rules()[name]:
        assert re.search(r"(?m)^    threads: \d+$", rules()[name])


def test_no_default_profile_is_loaded_by_itself():
    """profiles/default would be loaded unasked and override the profile that was named."""
    assert not (PROFILES / "default").exists()


@pytest.mark.parametrize("path", sorted(PROFILES.glob("*/*.yaml")), ids=lambda p: p.parent.name)
def test_every_profile_compares_large_files_by_content(path):
    """Snakemake's own limit of 1 MB would let a touched model replan everything after it."""
    assert yaml.safe_load(path.read_text())["max-checksum-file-size"] >= 1_000_000_000


def test_models_are_never_temporary():
    """A temporary model and a later change would retrain everything before it."""
    assert "temp(" not in "".join(rules().values())
    assert "directory(" not in "".join(rules().values())
