"""A dataset whose manifest gives latents: who is told of it, and what is refused at once."""

import csv

import numpy as np
import pytest
from PIL import Image

from sparring.rounds import check_rounds, stage_settings
from sparring.settings.stages import PackLayouts

ENCODED = {"dataset": "mine", "autoencoder": "mine"}


@pytest.fixture
def mine(project):
    """Writes dataset `mine`, 60 layouts with latents, and an experiment on it."""
    folder = project.folder / "data"
    folder.mkdir()
    Image.fromarray(np.zeros((32, 32, 3), np.uint8)).save(folder / "a.png")

    def write(column="latent_path", paths=("a.pt",), **keys):
        with open(folder / "manifest.csv", "w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["sample_id", "layout_path", column])
            writer.writerows([f"s{n}", "a.png", paths[n % len(paths)]] for n in range(60))
        dataset = {"kind": "manifest", "manifest": str(folder / "manifest.csv")}
        project.config["datasets"]["mine"] = dataset | keys
        autoencoder = {"dataset": "mine", "block_out_channels": [8, 8, 8], "input": "rgb"}
        project.config["autoencoders"]["mine"] = autoencoder
        project.pretrain("base", **ENCODED)
        project.adversarial(evaluation={"feature_dim": 2})
        return project

    return write


def json_of(rounds, rule, **wildcards):
    return stage_settings(rounds, rule, wildcards).to_json()


def test_a_column_that_is_not_read_is_warned_of_with_the_way_to_read_it(mine):
    rounds = mine().load()
    check_rounds(rounds)
    (warning,) = rounds.warnings
    assert "has a latent_path column, which is not read" in warning
    assert "set datasets.mine.latents: manifest" in warning


def test_a_column_that_is_read_is_not(mine):
    rounds = mine(latents="manifest").load()
    check_rounds(rounds)
    assert rounds.warnings == []


def test_only_encoding_is_told_where_latents_come_from(mine):
    """Switching leaves the packed layouts valid."""
    before = mine().load()
    after = mine(latents="manifest", latents_are="standardised").load()
    assert json_of(before, "pack_layouts", dataset="mine") == json_of(
        after, "pack_layouts", dataset="mine"
    )
    told = stage_settings(after, "encode_layouts", ENCODED)
    assert (told.dataset.latents, told.dataset.latents_are) == ("manifest", "standardised")
    assert [path.name for path in told.files()] == ["manifest.csv"]
    untold = stage_settings(before, "encode_layouts", ENCODED)
    assert (untold.dataset, untold.files()) == (None, [])


def test_settings_of_before_there_were_given_latents_are_unchanged(mine):
    rounds = mine().load()
    assert json_of(rounds, "encode_layouts", **ENCODED) == (
        '{"revision":1,"stage":"encode_layouts"}'
    )
    packed = PackLayouts.from_json(json_of(rounds, "pack_layouts", dataset="mine"), "test")
    assert "latents" not in packed.to_json()


@pytest.mark.parametrize(
    ("keys", "part"),
    [
        ({"column": "embedding"}, "has no column 'latent_path', found sample_id, layout_path"),
        ({"paths": ("a.pt", "")}, "s1 has an empty 'latent_path'"),
    ],
)
def test_a_manifest_that_names_too_few_is_refused_before_anything_is_queued(mine, keys, part):
    message = mine(latents="manifest", **keys).refusal()
    assert part in message
    assert "set latents: encode" in message
