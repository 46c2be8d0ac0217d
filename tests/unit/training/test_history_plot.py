"""The picture of a history: it shows every term, however few or many epochs there are."""

import numpy as np
import pytest
from PIL import Image

from sparring.training.history_plot import plot_history


def rows(epochs, terms, interval=1, scale=1.0):
    """Train figures every epoch, validation every `interval` and after the last."""
    history = [
        {"epoch": 0, "step": 0, "learning_rate": None} | {f"val_{term}": scale for term in terms}
    ]
    for epoch in range(1, epochs + 1):
        row = {"epoch": epoch, "step": 5 * epoch, "learning_rate": 1e-4 / epoch}
        row |= {f"train_{term}": scale / epoch for term in terms}
        if epoch % interval == 0 or epoch == epochs:
            row |= {f"val_{term}": 0.5 * scale / epoch for term in terms}
        history.append(row)
    return history


@pytest.fixture
def pixels(tmp_path):
    """Draws a history and reads the picture back."""

    def draw(history, best_epoch=0):
        path = tmp_path / "history.png"
        plot_history(history, best_epoch, path)
        with Image.open(path) as picture:
            assert picture.format == "PNG"
            return np.asarray(picture.convert("RGB")).astype(int)

    return draw


def near(picture, colour):
    """Pixels of about this colour."""
    return int((np.abs(picture - np.array(colour)).max(-1) < 8).sum())


TRAIN, VAL, BAND = (29, 78, 216), (194, 65, 12), (220, 239, 226)


@pytest.mark.parametrize("epochs", [1, 2, 40, 500])
def test_both_splits_are_drawn_for_any_number_of_epochs(pixels, epochs):
    picture = pixels(rows(epochs, ["noise_loss"], interval=5), best_epoch=1)
    assert near(picture, TRAIN) > 20
    assert near(picture, VAL) > 20


def test_a_history_of_a_baseline_alone_can_be_drawn(pixels):
    assert near(pixels(rows(0, ["loss", "accuracy"])), VAL) > 10


def test_a_panel_per_term_makes_the_picture_larger(pixels):
    terms = ["noise_loss", "discriminator_loss", "viability_score", "segmentation_loss", "psnr"]
    sizes = [pixels(rows(3, terms[:n])).shape[:2] for n in range(1, len(terms) + 1)]
    areas = [height * width for height, width in sizes]
    assert areas == sorted(set(areas))


def test_the_wanted_band_is_shaded_for_the_discriminator_alone(pixels):
    assert near(pixels(rows(3, ["loss", "accuracy"])), BAND) > 1000
    assert near(pixels(rows(3, ["loss", "pixel_accuracy"])), BAND) < 100


def test_losses_of_any_size_and_sign_can_be_drawn(pixels):
    for scale in (1e-9, 1e9, -1.0):
        assert near(pixels(rows(6, ["loss"], scale=scale)), TRAIN) > 20


def test_the_same_history_gives_the_same_bytes(tmp_path):
    for name in ("a.png", "b.png"):
        plot_history(rows(4, ["loss", "accuracy"]), 2, tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
