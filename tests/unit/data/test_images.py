"""Images to class ids or RGB, from files or zips; faults name the file."""

import io
import json
import zipfile

import numpy as np
import pytest
from PIL import Image

from sparring.data.images import ClassColours, ImageSource, as_array
from sparring.errors import UserError

BACKGROUND, WALL, BED = (240, 240, 240), (70, 70, 70), (200, 0, 0)
ENTRIES = [
    {"id": number, "name": name, "rgb": list(rgb)}
    for number, (name, rgb) in enumerate([("background", BACKGROUND), ("wall", WALL), ("bed", BED)])
]
IDS = np.random.default_rng(0).integers(0, 3, (8, 8)).astype(np.uint8)
RGB = np.array([BACKGROUND, WALL, BED], np.uint8)[IDS]


def png(image) -> bytes:
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def palette_image() -> Image.Image:
    """The same picture with the palette in another order than the class ids."""
    image = Image.fromarray(2 - IDS, mode="P")
    image.putpalette([*BED, *WALL, *BACKGROUND])
    return image


def classes_file(folder, entries=ENTRIES):
    path = folder / "classes.json"
    path.write_text(json.dumps(entries) if not isinstance(entries, str) else entries)
    return path


@pytest.fixture
def colours(tmp_path):
    return ClassColours(classes_file(tmp_path))


def refusal(call, *arguments) -> str:
    with pytest.raises(UserError) as caught:
        call(*arguments)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P"])
def test_palette_and_rgb_images_give_the_same_class_ids(tmp_path, colours, mode):
    image = palette_image() if mode == "P" else Image.fromarray(RGB).convert(mode)
    (tmp_path / "a.png").write_bytes(png(image))
    opened = ImageSource(tmp_path / "manifest.csv").open("a.png")
    assert opened.mode == mode
    np.testing.assert_array_equal(as_array(opened, "a.png", colours, None), IDS)


def test_without_classes_an_image_stays_rgb():
    np.testing.assert_array_equal(as_array(palette_image(), "a.png", None, None), RGB)


@pytest.mark.parametrize("member", ["a.png", "layouts/a.png"])
def test_images_may_lie_in_a_zip_beside_the_manifest(tmp_path, member):
    """`layouts/a.png` in layouts.zip may be stored with or without the folder."""
    with zipfile.ZipFile(tmp_path / "layouts.zip", "w") as archive:
        archive.writestr(member, png(Image.fromarray(RGB)))
    source = ImageSource(tmp_path / "manifest.csv")
    assert not source.missing("layouts/a.png")
    assert source.missing("layouts/b.png")
    np.testing.assert_array_equal(np.asarray(source.open("layouts/a.png")), RGB)


def test_images_may_lie_in_several_zips_and_files_come_first(tmp_path):
    for name, colour in (("one", WALL), ("two", BED)):
        with zipfile.ZipFile(tmp_path / f"{name}.zip", "w") as archive:
            archive.writestr("a.png", png(Image.new("RGB", (4, 4), colour)))
    (tmp_path / "two").mkdir()
    source = ImageSource(tmp_path / "manifest.csv")
    assert source.open("one/a.png").getpixel((0, 0)) == WALL
    assert source.open("two/a.png").getpixel((0, 0)) == BED
    Image.new("RGB", (4, 4), BACKGROUND).save(tmp_path / "two" / "a.png")
    assert source.open("two/a.png").getpixel((0, 0)) == BACKGROUND


def test_a_missing_image_is_named(tmp_path):
    message = refusal(ImageSource(tmp_path / "manifest.csv").open, "b/a.png")
    assert f"{tmp_path / 'b' / 'a.png'}: image is missing, and no zip beside" in message


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"garbage, no image at all",
        png(Image.fromarray(RGB))[:-30],
        png(Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)))[
            :900
        ],
        png(Image.fromarray(RGB)).replace(b"IDAT", b"IDAX"),
    ],
    ids=["empty", "garbage", "end missing", "truncated", "broken chunk"],
)
def test_an_unreadable_image_is_named(tmp_path, content):
    (tmp_path / "a.png").write_bytes(content)
    message = refusal(ImageSource(tmp_path / "manifest.csv").open, "a.png")
    assert f"{tmp_path / 'a.png'}: image cannot be read" in message


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_damaged_zip_member_is_named(tmp_path, compression):
    noise = np.random.default_rng(0).integers(0, 255, (32, 32, 3), np.uint8)
    path = tmp_path / "layouts.zip"
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("a.bmp", Image.fromarray(noise).tobytes())
    content = bytearray(path.read_bytes())
    content[35:190] = b"\xff" * 155  # behind the member's header and name
    path.write_bytes(content)
    message = refusal(ImageSource(tmp_path / "manifest.csv").open, "layouts/a.bmp")
    assert "layouts/a.bmp: image cannot be read" in message


def test_a_file_that_is_no_zip_is_named(tmp_path):
    (tmp_path / "layouts.zip").write_bytes(b"no zip")
    message = refusal(ImageSource(tmp_path / "manifest.csv").missing, "a.png")
    assert f"{tmp_path / 'layouts.zip'}: not a readable zip file" in message


def test_a_colour_of_no_class_is_named_with_the_way_out(colours):
    rgb = RGB.copy()
    rgb[2, 3] = rgb[5, 5] = (1, 2, 3)
    message = refusal(as_array, Image.fromarray(rgb), "data/a.png", colours, None)
    assert "data/a.png: 2 pixels have colours of no class, such as (1, 2, 3)" in message
    assert f"add the class to {colours.path}, or save the image without smoothing" in message


def test_resizing_makes_no_colours_between_classes(colours):
    large = Image.fromarray(RGB.repeat(5, 0).repeat(5, 1))  # 40 pixels to 12: never aligned
    ids = as_array(large, "a.png", colours, 12)
    assert ids.shape == (12, 12)
    assert set(np.unique(ids)) <= {0, 1, 2}
    rgb = as_array(large, "a.png", None, 12)
    assert len(np.unique(rgb.reshape(-1, 3), axis=0)) > 3  # without classes it averages


def test_resizing_an_exact_multiple_gives_the_original_back(colours):
    large = Image.fromarray(RGB.repeat(4, 0).repeat(4, 1))
    np.testing.assert_array_equal(as_array(large, "a.png", colours, 8), IDS)
    np.testing.assert_array_equal(as_array(large, "a.png", None, 8), RGB)


def test_resizing_a_palette_image_averages_colours_not_palette_indices():
    image = palette_image().resize((16, 16), Image.Resampling.NEAREST)
    np.testing.assert_array_equal(as_array(image, "a.png", None, 8), RGB)


def test_an_image_that_is_not_square_is_refused(colours):
    image = Image.fromarray(RGB[:6])
    message = refusal(as_array, image, "data/a.png", colours, None)
    assert "data/a.png: image is 8 x 6 pixels, expected a square; pad it, or set resize" in message
    assert as_array(image, "data/a.png", colours, 8).shape == (8, 8)


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ("{", "not valid JSON"),
        ({"wall": [0, 0, 0]}, "found {'wall': [0, 0, 0]}, expected a list of"),
        ([], "found [], expected a list of"),
        ([{"id": 0, "rgb": [0, 0, 0]}], "expected a list of"),
        ([{"id": 256, "name": "wall", "rgb": [0, 0, 0]}], "numbers from 0 to 255"),
        ([{"id": 0, "name": "wall", "rgb": [0, 0]}], "found {'id': 0, 'name': 'wall', 'rgb': [0,"),
        ([{"id": 0, "name": "wall", "rgb": [0, 0, 0.5]}], "numbers from 0 to 255"),
        ([{"id": 0, "name": "wall", "rgb": "black"}], "expected a list of"),
        ([ENTRIES[0], ENTRIES[1] | {"id": 0}], "id 0 is used by two classes"),
        ([ENTRIES[0] | {"role": None}], "has role None, expected one of wall, door, outside, room"),
        ([ENTRIES[0], ENTRIES[1] | {"rgb": [240, 240, 240]}], "rgb [240, 240, 240] is used by two"),
    ],
)
def test_malformed_classes_are_refused_with_what_was_found(tmp_path, entries, expected):
    path = classes_file(tmp_path, entries)
    message = refusal(ClassColours, path)
    assert message.startswith(f"{path}: ")
    assert expected in message


def test_classes_that_are_no_text_or_missing_are_refused(tmp_path):
    path = tmp_path / "classes.json"
    assert f"{path}: cannot be read (No such file" in refusal(ClassColours, path)
    path.write_bytes(b"\xff\xfe\x00")
    assert f"{path}: not valid JSON" in refusal(ClassColours, path)


def test_an_image_in_two_zips_is_refused_unless_its_zip_is_named(tmp_path):
    for name in ("one", "two"):
        with zipfile.ZipFile(tmp_path / f"{name}.zip", "w") as archive:
            archive.writestr("a.png", png(Image.fromarray(RGB)))
    source = ImageSource(tmp_path / "manifest.csv")
    message = refusal(source.open, "a.png")
    assert "a.png: image is in one.zip and two.zip" in message
    assert source.open("two/a.png").size == (8, 8)
