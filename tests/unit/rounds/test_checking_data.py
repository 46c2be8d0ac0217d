"""Data that cannot serve an experiment are refused, or warned of, before anything is queued."""

import csv

import numpy as np
import pytest
from PIL import Image

from sparring.rounds import check_rounds


def write_manifest(folder, originals, augmented):
    """A dataset of plain 32-pixel images, all in one file."""
    folder.mkdir(exist_ok=True)
    Image.fromarray(np.zeros((32, 32, 3), np.uint8)).save(folder / "a.png")
    splits = ["val"] * 10 + ["test"] * 10 + ["train"] * (originals - 20)
    with open(folder / "manifest.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["sample_id", "layout_path", "is_augmented", "parent_id", "split"])
        for n, split in enumerate(splits):
            writer.writerow([f"s{n}", "a.png", 0, f"s{n}", split])
            for c in range(augmented):
                writer.writerow([f"s{n}_{c}", "a.png", 1, f"s{n}", split])
    return str(folder / "manifest.csv")


def test_too_few_reals_say_what_to_set(project):
    project.adversarial(num_samples=81)  # 100 layouts, a tenth each for val and test
    message = project.refusal()
    assert "num_samples is 81, but dataset tiny has 80 training layouts" in message
    assert "set num_samples: 80 or allow_fewer_reals: true" in message
    for way_out in ({"num_samples": 80}, {"num_samples": 81, "allow_fewer_reals": True}):
        project.adversarial(**way_out)
        check_rounds(project.load())


def test_an_override_counts_when_reals_are_counted(project):
    project.adversarial(overrides=[{"iteration": 1, "num_samples": 81}])
    assert "num_samples is 81" in project.refusal()


def test_too_few_held_out_layouts_for_the_features_say_what_to_set(project):
    project.adversarial(evaluation={"feature_dim": 6})
    message = project.refusal()
    assert "evaluation.feature_dim is 6, but dataset tiny holds out only 10 test layouts" in message
    assert "set at most 5" in message
    project.adversarial(evaluation={"feature_dim": 5})
    check_rounds(project.load())


@pytest.mark.parametrize(
    ("keys", "warned"),
    [
        ({}, False),
        ({"discriminator": {"reals": "originals"}}, True),
        ({"discriminator": {"reals": "originals"}, "diffusion": {"augmented": False}}, False),
    ],
)
@pytest.mark.parametrize("augmented", ["manifest", "dihedral", "drop"])
def test_originals_as_reals_beside_copies_in_training_are_warned_of(
    project, keys, warned, augmented
):
    """Orientation would tell reals from fakes."""
    manifest = write_manifest(project.folder / "data", 60, augmented=1)
    project.config["datasets"]["tiny"] = {
        "kind": "manifest",
        "manifest": manifest,
        "augmented": augmented,
    }
    project.adversarial(**keys)
    rounds = project.load()
    check_rounds(rounds)
    assert len(rounds.warnings) == int(warned and augmented != "drop")
    if rounds.warnings:
        assert "exp: the denoiser trains on augmented copies" in rounds.warnings[0]
        assert (
            "discriminator.reals: as_training or diffusion.augmented: false" in rounds.warnings[0]
        )


def test_augmented_rows_serve_as_reals_where_the_denoiser_trains_on_them(project):
    manifest = write_manifest(project.folder / "data", 60, augmented=1)
    project.config["datasets"]["tiny"] = {"kind": "manifest", "manifest": manifest}
    for keys in ({"discriminator": {"reals": "originals"}}, {"diffusion": {"augmented": False}}):
        project.adversarial(num_samples=41, **keys)
        assert "has 40 training layouts to draw reals from" in project.refusal()
    project.adversarial(num_samples=81)
    assert "has 80 training layouts to draw reals from" in project.refusal()


def test_a_faulty_manifest_is_refused_before_anything_is_queued(project):
    manifest = str(project.folder / "none.csv")
    project.config["datasets"]["tiny"] = {"kind": "manifest", "manifest": manifest}
    message = project.refusal("base")
    assert f"{manifest}: manifest cannot be read" in message
    assert "set datasets.<name>.manifest" in message


def test_one_hot_input_without_named_classes_is_refused(project):
    manifest = write_manifest(project.folder / "data", 200, 0)
    project.config["datasets"]["plain"] = {"kind": "manifest", "manifest": manifest}
    project.config["autoencoders"]["plain"] = {"dataset": "plain", "input": "classes"}
    project.pretrain("base", dataset="plain", autoencoder="plain")
    message = project.refusal("base")
    assert "autoencoders.plain.input is 'classes', but dataset plain names no classes" in message
    assert "classes.json" in message
    assert "input: rgb" in message


def test_held_out_copies_do_not_count_as_layouts(project):
    """Ten test originals in eight poses are ten layouts: not enough for 32 features."""
    manifest = write_manifest(project.folder / "data", 200, 0)
    dataset = {"kind": "manifest", "manifest": manifest, "augmented": "dihedral"}
    project.config["datasets"]["turned"] = dataset
    project.config["autoencoders"]["turned"] = {"dataset": "turned", "input": "rgb"}
    project.pretrain("base", dataset="turned", autoencoder="turned")
    project.adversarial(evaluation={"feature_dim": 32})
    assert "holds out only 10 test layouts; set at most 5" in project.refusal()
