"""Embedded pictures: what they show, and that a page of many stays small."""

import base64
import io

import made_results
import numpy as np
import pytest
from PIL import Image

from sparring.artefacts.sample_pictures import HELD_OUT, read_pictures
from sparring.errors import UserError
from sparring.report.images import file_figure, montage, sample_figures

MODELS = ["start", "adversarial/iteration_0", "control/iteration_0"]
PLENTY = 10**9


@pytest.fixture
def samples(tmp_path):
    made_results.pictures(tmp_path / "samples.h5", MODELS)
    return tmp_path / "samples.h5"


def decoded(figure):
    head, _, content = figure.uri.partition(",")
    assert head in ("data:image/webp;base64", "data:image/png;base64")
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(content))).convert("RGB"))


def test_every_model_has_a_grid_and_its_neighbours(samples):
    found = sample_figures(samples, PLENTY)
    assert [f.name for f in found.samples] == [HELD_OUT, "their reconstructions", *MODELS]
    assert [f.name for f in found.neighbours] == [HELD_OUT, *MODELS]
    assert [f.group for f in found.neighbours] == ["", "", "adversarial", "control"]
    for figure in (*found.samples, *found.neighbours):
        assert decoded(figure).shape == (figure.height, figure.width, 3)


def test_a_row_of_neighbours_is_a_sample_and_its_nearest(samples):
    shown = read_pictures(samples)
    figure = sample_figures(samples, PLENTY).neighbours[1]
    step = figure.width // (1 + made_results.NEAREST) + 1
    picture = decoded(figure).astype(int)
    expected = [shown.pictures[1, 1], *shown.training[shown.nearest[1, 1]]]
    for n, image in enumerate(expected):
        top, left = made_results.SIDE + 2, n * step
        tile = picture[top : top + made_results.SIDE, left : left + made_results.SIDE]
        others = [abs(tile - other).mean() for other in (*shown.training, shown.pictures[1, 1])]
        assert abs(tile - image).mean() == min(others)


def test_less_room_means_fewer_and_coarser_pictures(samples):
    def size(found):
        return sum(f.size for f in (*found.samples, *found.neighbours))

    all_of_them = sample_figures(samples, PLENTY)
    half = sample_figures(samples, size(all_of_them) // 2)
    assert size(half) <= size(all_of_them) // 2
    assert half.per_model < all_of_them.per_model
    assert sample_figures(samples, 0).per_model >= 4  # some are always shown


def test_a_montage_has_every_picture_in_its_place():
    images = np.stack([np.full((3, 3, 3), n, dtype=np.uint8) for n in range(5)])
    picture = montage(images, 3)
    assert picture.shape == (8, 13, 3)
    assert [int(picture[5 * (n // 3), 5 * (n % 3), 0]) for n in range(5)] == list(range(5))


def test_files_are_reduced(tmp_path):
    Image.new("RGB", (900, 300), "red").save(tmp_path / "a.png")
    figure = file_figure(tmp_path / "a.png", "a", 90)
    assert (figure.width, figure.height) == (90, 30)


def test_a_damaged_file_is_refused(tmp_path):
    (tmp_path / "samples.h5").write_bytes(b"nothing")
    with pytest.raises(UserError, match=r"samples\.h5: not a readable HDF5 file"):
        sample_figures(tmp_path / "samples.h5", PLENTY)
