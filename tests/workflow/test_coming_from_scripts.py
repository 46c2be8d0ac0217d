"""The page for users of other scripts: short, and every key and program that it names is there."""

import re
from functools import cache

import pytest
import yaml
from workspace import REPOSITORY

from sparring.settings.config import Config
from sparring.settings.documentation import keys_of
from sparring.settings.experiment import (
    AdversarialExperiment,
    FinetuneExperiment,
    PretrainExperiment,
    SweepExperiment,
)
from sparring.settings.vqgan_experiment import VqganExperiment

DOCUMENT = REPOSITORY / "docs" / "coming-from-scripts.md"
SCRIPTS = REPOSITORY / "workflow" / "scripts"
ON_LATENTS = [Config, PretrainExperiment, FinetuneExperiment, AdversarialExperiment]
KINDS = {"Fields": ON_LATENTS, "3D VQ-GAN": [Config, VqganExperiment]}
"""Whose keys a section may name; others may name those of all."""
FILE = re.compile(r"\w*\.(pt|h5|csv|json|yaml)|\w+/|(results|workflow|profiles)/[\w/]+")


def rows():
    """Heading and both cells of every row of the tables."""
    parts = re.split(r"(?m)^#+ (.*)$", DOCUMENT.read_text())
    for heading, text in zip(parts[1::2], parts[2::2], strict=True):
        for there, here in re.findall(r"(?m)^\| (.*) \| (.*) \|$", text):
            if here != "here":
                yield pytest.param(heading, here, id=there)


@cache
def keys_in(heading):
    """Every key that may be named under a heading, dotted, with its type; groups have none."""
    types = {}
    for model in KINDS.get(heading, [*ON_LATENTS, SweepExperiment, VqganExperiment]):
        for key in keys_of(model):
            for dot in re.finditer(r"\.", key.path):
                types.setdefault(key.path[: dot.start()], "")
            types[key.path] = f"{types.get(key.path, '')} {key.type}"
    return types


def key_in(name, group, heading):
    """The dotted key of a name, within a group or by itself; none if there is no such."""
    name = name.replace(".NAME", "")
    return next((k for k in (f"{group}.{name}", name) if k in keys_in(heading)), None)


def takes(program, flags):
    """Whether a program has these flags, by itself or as all stages have them."""
    parsers = (REPOSITORY / "src" / "sparring" / "stages").glob("*.py")
    text = "".join(path.read_text() for path in (SCRIPTS / program, *parsers))
    return all(f'"{flag.replace("_", "-")}"' in text for flag in flags)


def takes_text(kind, value):
    """Whether a key of this type takes a text."""
    return "text" in kind.split() or f"`{value}`" in kind


def unknown_in(heading, here):
    """What a cell names that is no key with a value that it takes, no value, file or program."""
    group, program = "", "train_discriminator.py"  # for flags that all programs have
    for span, colon in re.findall(r"`([^`]+)`(:?)", here):
        if span.startswith("snakemake ") or FILE.fullmatch(span):
            continue
        if re.match(r"\w+\.py\b|--", span):
            words = span.split()
            if words[0].endswith(".py"):
                program = words[0]
            flags = [word for word in words if word.startswith("--")]
            if not (SCRIPTS / program).is_file() or not takes(program, flags):
                yield span
            continue
        name, _, text = span.partition(":")
        key, value = key_in(name, group, heading), yaml.safe_load(text)
        if key is None:
            if not any(f"`{span}`" in kind for kind in keys_in(heading).values()):
                yield span
        elif isinstance(value, str) and not takes_text(keys_in(heading)[key], value):
            yield span
        elif colon:
            group = key


@pytest.mark.parametrize(("heading", "here"), rows())
def test_what_a_row_names_is_there(heading, here):
    assert list(unknown_in(heading, here)) == []


@pytest.mark.parametrize(
    ("heading", "here", "unknown"),
    [
        ("Fields", "`diffusion.batch_sise`", ["diffusion.batch_sise"]),
        ("Fields", "`training.batch_size`", ["training.batch_size"]),
        ("3D VQ-GAN", "`training.batch_size`", []),
        ("3D VQ-GAN", "`diffusion.batch_size`", ["diffusion.batch_size"]),
        ("3D VQ-GAN", "`model.codebook`: `decay`; `rate`", ["rate"]),
        ("Fields", "`start_from: name@1`", []),
        ("Fields", "`datasets.NAME.augmented: none`", ["datasets.NAME.augmented: none"]),
        ("Fields", "`diffusion.lr_schedule`: `linearly`", ["linearly"]),
        ("Files", "`convert.py`", ["convert.py"]),
        ("Files", "`sample.py --denoiser --to`", ["sample.py --denoiser --to"]),
        ("Files", "`train_discriminator.py`, or `--data`", ["--data"]),
    ],
)
def test_a_name_that_is_not_there_is_noticed(heading, here, unknown):
    assert list(unknown_in(heading, here)) == unknown


def test_the_page_is_short_and_all_of_its_rows_are_read():
    lines = DOCUMENT.read_text().splitlines()
    assert len(lines) <= 120
    tables = [line for line in lines if line.startswith("|---")]
    named = [line for line in lines if line.startswith("| ")]
    assert len(list(rows())) == len(named) - len(tables) > 60


@pytest.mark.parametrize(
    "name",
    [
        *("test_vqgan_video --checkpoint --input", "micro_batch_size", "max_epochs"),
        *("perceptual_weight", "iterations", "discriminator.checkpoint", "--num_iterations"),
    ],
)
def test_names_that_users_look_for_are_on_the_page(name):
    assert f"`{name}`" in DOCUMENT.read_text()
