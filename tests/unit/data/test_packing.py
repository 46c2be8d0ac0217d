"""Datasets into one file: complete, byte-identical, refused with the culprit's name."""

from collections import Counter
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image

from sparring.artefacts.layouts import Layouts
from sparring.data.manifest import read_manifest
from sparring.data.packing import dihedral, pack
from sparring.errors import UserError
from sparring.rounds.facts import dataset_facts
from sparring.settings.dataset import ManifestDataset, ProceduralDataset, SplitFractions

R2V = Path(__file__).parents[4] / "shared" / "data" / "layouts_r2v" / "manifest.csv"
needs_r2v = pytest.mark.skipif(
    not R2V.is_file(), reason="the R2V dataset is not at ../shared/data/layouts_r2v"
)


def refusal(dataset, tmp_path, **settings) -> str:
    output = tmp_path / "out" / "layouts.h5"
    with pytest.raises(UserError) as caught:
        pack(dataset.settings(**settings), output)
    assert "\n" not in str(caught.value)
    assert not output.exists()
    assert not output.parent.exists() or list(output.parent.iterdir()) == []
    return str(caught.value)


def packed(settings, path) -> Layouts:
    count = pack(settings, path)
    layouts = Layouts(path)
    assert count == layouts.shape[0] == len(layouts.sample_id)
    return layouts


def test_packed_layouts_are_the_images_class_ids_in_the_manifest_s_order(dataset, tmp_path):
    dataset.fill(10)
    layouts = packed(dataset.settings(), tmp_path / "a.h5")
    assert layouts.sample_id == [f"images/{n}" for n in range(10)]
    assert [entry["name"] for entry in layouts.classes] == ["background", "wall", "bed"]
    everything = layouts.read(np.arange(10))
    for n in range(10):
        image = np.asarray(Image.open(dataset.folder / f"images/{n}.png"))
        np.testing.assert_array_equal(layouts.rgb(everything)[n], image)


def test_without_classes_layouts_are_packed_as_rgb(dataset, tmp_path):
    dataset.fill(10)
    (dataset.folder / "classes.json").unlink()
    layouts = packed(dataset.settings(), tmp_path / "a.h5")
    assert layouts.shape == (10, 8, 8, 3)
    assert layouts.classes is None


def test_classes_may_lie_elsewhere(dataset, tmp_path):
    dataset.fill(10)
    (dataset.folder / "classes.json").rename(tmp_path / "named.json")
    layouts = packed(dataset.settings(classes=tmp_path / "named.json"), tmp_path / "a.h5")
    assert layouts.num_classes == 3


@pytest.mark.parametrize("augmented", ["manifest", "dihedral"])
def test_packing_twice_gives_identical_bytes(dataset, tmp_path, augmented):
    dataset.fill(10)
    for name in ("a.h5", "b.h5"):
        pack(dataset.settings(augmented=augmented), tmp_path / name)
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()


def test_the_eight_rotations_and_flips_of_an_asymmetric_layout_all_differ():
    layout = np.arange(16).reshape(4, 4)
    copies = dict(dihedral(layout))
    assert len(copies) == 7
    shown = {layout.tobytes()} | {np.ascontiguousarray(c).tobytes() for c in copies.values()}
    assert len(shown) == 8
    # Closed under turning and flipping: nothing but the symmetries of the square.
    for copy in copies.values():
        assert np.ascontiguousarray(np.rot90(copy)).tobytes() in shown
        assert np.ascontiguousarray(copy[::-1]).tobytes() in shown


def test_dihedral_copies_share_their_original_s_identity_and_split(dataset, tmp_path):
    dataset.fill(10)
    layouts = packed(dataset.settings(augmented="dihedral"), tmp_path / "a.h5")
    assert layouts.shape[0] == 80
    assert len(set(layouts.sample_id)) == 80
    assert Counter(layouts.original_id) == {f"images/{n}": 8 for n in range(10)}
    for start in range(0, 80, 8):
        family = slice(start, start + 8)
        assert len(set(layouts.split[family])) == 1
        assert layouts.is_augmented[family].tolist() == [False] + [True] * 7
        assert len({layout.tobytes() for layout in layouts.read(np.arange(80)[family])}) == 8


def test_dihedral_replaces_the_manifest_s_own_copies(dataset, tmp_path):
    dataset.fill(10)
    rows = [
        {"sample_id": f"s{n}{c}", "layout_path": f"images/{n}.png", "is_augmented": int(c != "")}
        | {"parent_id": f"s{n}"}
        for n in range(10)
        for c in ("", "_flip")
    ]
    dataset.rows(rows)
    for augmented, count in (("manifest", 20), ("drop", 10), ("dihedral", 80)):
        layouts = packed(dataset.settings(augmented=augmented), tmp_path / f"{augmented}.h5")
        assert layouts.shape[0] == count
        assert not layouts.is_augmented.all()


def test_missing_images_are_counted_before_the_first_is_packed(dataset, tmp_path):
    dataset.fill(10)
    for n in (3, 4, 7):
        (dataset.folder / f"images/{n}.png").unlink()
    message = refusal(dataset, tmp_path)
    assert f"{dataset.folder}/images/3.png: image is missing, as are 2 others of the 10" in message
    assert f"{dataset.manifest} names; images lie beside the manifest" in message
    assert not (tmp_path / "out").exists()


def test_an_unreadable_image_leaves_no_file(dataset, tmp_path):
    dataset.fill(10)
    (dataset.folder / "images/9.png").write_bytes(b"garbage")
    assert "images/9.png: image cannot be read" in refusal(dataset, tmp_path)


def test_layouts_of_different_sizes_are_refused_unless_resized(dataset, tmp_path):
    dataset.fill(10)
    dataset.image("images/6.png", np.zeros((16, 16), np.uint8))
    message = refusal(dataset, tmp_path)
    assert "images/6: image is 16 pixels wide but the first is 8" in message
    assert "or set resize" in message
    assert packed(dataset.settings(resize=8), tmp_path / "a.h5").shape == (10, 8, 8)


def test_a_colour_of_no_class_names_the_image(dataset, tmp_path):
    dataset.fill(10)
    Image.new("RGB", (8, 8), (9, 9, 9)).save(dataset.folder / "images/2.png")
    message = refusal(dataset, tmp_path)
    assert f"{dataset.folder}/images/2.png: 64 pixels have colours of no class" in message


def test_procedural_layouts_are_packed_alike_each_time_and_follow_the_seed(tmp_path):
    def bytes_of(seed, name):
        settings = ProceduralDataset(kind="procedural", num_layouts=10, size=32, seed=seed)
        layouts = packed(settings, tmp_path / name)
        assert not layouts.is_augmented.any()
        return (tmp_path / name).read_bytes()

    assert bytes_of(1, "a.h5") == bytes_of(1, "b.h5")
    assert bytes_of(1, "a.h5") != bytes_of(2, "c.h5")


@pytest.mark.parametrize("fractions", [(0.8, 0.1, 0.1), (0.6, 0.15, 0.25)])
def test_what_is_foretold_of_a_dataset_is_what_gets_packed(dataset, tmp_path, fractions):
    """Settings are refused by the foretold counts before anything runs."""
    split = SplitFractions(**dict(zip(("train", "val", "test"), fractions, strict=True)))
    dataset.fill(23)
    for name, settings in {
        "procedural": ProceduralDataset(kind="procedural", num_layouts=23, size=32, split=split),
        "manifest": dataset.settings(split=split),
        "dihedral": dataset.settings(split=split, augmented="dihedral"),
    }.items():
        rounds = type("R", (), {"config": type("C", (), {"datasets": {"d": settings}})})
        facts = dataset_facts(rounds, "d")
        layouts = packed(settings, tmp_path / f"{name}.h5")
        train = layouts.rows("train")
        assert facts.side == layouts.side
        assert facts.train_rows == len(train)
        assert facts.train_originals == (~layouts.is_augmented[train]).sum()
        assert facts.test_rows == len(layouts.rows("test"))
        assert facts.test_originals == len(layouts.originals("test"))


@needs_r2v
def test_the_real_apartments_pack_completely(tmp_path):
    """1,021 originals in 80/10/10, with colours of known classes only."""
    settings = ManifestDataset(kind="manifest", manifest=R2V, augmented="drop")
    layouts = packed(settings, tmp_path / "a.h5")
    assert Counter(layouts.split) == {"train": 817, "val": 102, "test": 102}
    assert not layouts.is_augmented.any()
    with h5py.File(tmp_path / "a.h5") as file:
        assert file["layouts"].dtype == np.uint8
    ids = layouts.read(np.arange(1021))
    assert ids.shape == (1021, 64, 64)
    assert ids.max() < layouts.num_classes


@needs_r2v
def test_the_real_apartments_pack_at_256_pixels_too(tmp_path):
    settings = ManifestDataset(
        kind="manifest", manifest=R2V, augmented="drop", layout_column="layout256_path"
    )
    assert packed(settings, tmp_path / "a.h5").shape == (1021, 256, 256)


@needs_r2v
def test_the_real_apartments_copies_never_leave_their_original_s_split():
    splits = {}
    for entry in read_manifest(ManifestDataset(kind="manifest", manifest=R2V)):
        assert splits.setdefault(entry.row.original_id, entry.row.split) == entry.row.split
    assert len(splits) == 1021
