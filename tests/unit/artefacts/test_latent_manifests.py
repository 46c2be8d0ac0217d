"""Manifests of latents: what they say comes back, and gaps are named with their line."""

import pytest

from sparring.artefacts.latent_manifests import (
    LatentRow,
    manifest_digest,
    read_latent_manifest,
    write_latent_manifest,
)
from sparring.errors import UserError


@pytest.fixture
def manifest(tmp_path):
    """Writes a manifest; the latents `a.pt` to `d.pt` exist."""
    for name in "abcd":
        (tmp_path / f"{name}.pt").write_text(name)

    def write(*lines):
        path = tmp_path / "manifest.csv"
        path.write_text("\n".join(lines) + "\n")
        return path

    return write


LINES = ("latent_path,label,is_viable", "a.pt,1,true", "b.pt,0,false", "c.pt,1.0,0", "d.pt,0,1")


def refusal(path, *select) -> str:
    with pytest.raises(UserError) as caught:
        read_latent_manifest(path, *select)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def names(rows):
    return "".join(row.file.stem for row in rows)


def test_flags_select_rows(manifest):
    path = manifest(*LINES)
    assert names(read_latent_manifest(path)) == "abcd"
    assert names(read_latent_manifest(path, True)) == "ac"
    assert names(read_latent_manifest(path, False)) == "bd"
    assert names(read_latent_manifest(path, None, True)) == "ad"
    assert names(read_latent_manifest(path, True, True)) == "a"


def test_who_a_latent_is_comes_from_the_columns_or_else_the_path(manifest, tmp_path):
    path = manifest("sample_id,latent_path,parent_id", "x,a.pt,y", ",b.pt,")
    named, unnamed = read_latent_manifest(path)
    assert named == LatentRow("x", "y", tmp_path / "a.pt")
    assert unnamed == LatentRow("b", "b", tmp_path / "b.pt")


def test_what_is_written_is_read(tmp_path, manifest):
    rows = [
        LatentRow("x, with a comma", "o", tmp_path / "a.pt", True, False),
        LatentRow("y", "y", tmp_path / "b.pt", False, None),
        LatentRow("z", "z", tmp_path / "c.pt"),
    ]
    write_latent_manifest(tmp_path / "manifest.csv", rows)
    assert read_latent_manifest(tmp_path / "manifest.csv") == rows
    header = (tmp_path / "manifest.csv").read_text().splitlines()[0]
    assert header.startswith("sample_id,latent_path,label,is_viable")


def test_the_digest_covers_what_is_said_and_the_latents_themselves(tmp_path, manifest):
    first = manifest_digest(manifest(*LINES))
    assert manifest_digest(manifest(*LINES)) == first
    assert manifest_digest(manifest(*LINES[:-1], "d.pt,1,1")) != first
    path = manifest(*LINES)
    (tmp_path / "d.pt").write_text("other")
    assert manifest_digest(path) != first


@pytest.mark.parametrize(
    ("lines", "parts"),
    [
        (("layout_path", "a.png"), ("has no column 'latent_path', found layout_path",)),
        (("latent_path",), ("has no rows",)),
        (("latent_path,label", "a.pt,1", ",0"), ("line 3", "latent_path is empty")),
        (("latent_path,label", "a.pt,real"), ("line 2", "label is 'real', expected 1 or 0")),
        (("latent_path", "a.h5#first"), ("line 2", "'a.h5#first'", "expected a row number")),
        (("latent_path", "a.pt", "a.pt"), ("sample_id 'a' stands in two rows",)),
        (("latent_path", "a.pt", "x.pt", "y.pt"), ("x.pt: latents are missing, as are 1 others",)),
    ],
)
def test_gaps_are_named(manifest, lines, parts):
    message = refusal(manifest(*lines))
    for part in parts:
        assert part in message


def test_a_label_that_no_row_has_is_refused_with_those_there_are(manifest):
    path = manifest("latent_path,label", "a.pt,1", "b.pt,")
    assert "no row has label 0, found None, True" in refusal(path, False)


def test_what_is_no_text_is_refused(manifest, tmp_path):
    path = tmp_path / "manifest.csv"
    assert "cannot be read" in refusal(path)
    path.write_bytes(b"\xff\xfe\x00latent_path")
    assert "not a UTF-8 CSV file" in refusal(path)
