"""Pictures as data URIs, small enough that a page of many experiments stays bounded."""

import base64
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, features

from ..artefacts.sample_pictures import HELD_OUT, SamplePictures, read_pictures

_GAP = 2
_TILES = (16, 9, 4)  # samples per model, as many as the budget allows
_ROWS = 6  # samples shown beside their neighbours
QUALITIES = (85, 60)


@dataclass(frozen=True)
class Figure:
    """An embedded picture."""

    name: str
    uri: str
    width: int
    height: int
    note: str = ""

    @property
    def group(self) -> str:
        """The row that it stands in: an arm, or what there is before the arms."""
        arm, slash, _ = self.name.partition("/")
        return arm if slash else ""

    @property
    def size(self) -> int:
        """Bytes on the page."""
        return len(self.uri)


@dataclass(frozen=True)
class Pictures:
    """An experiment's samples per model, and samples beside their nearest training reals."""

    samples: tuple[Figure, ...]
    neighbours: tuple[Figure, ...]
    per_model: int
    per_neighbours: int
    nearest: int
    """Training reals beside each sample."""


def sample_figures(path: Path, budget: int) -> Pictures:
    """Pictures of at most `budget` bytes, or the smallest there are; UserError if damaged."""
    shown = read_pictures(path)
    pictures = None
    for quality in QUALITIES:
        for tiles in _TILES:
            pictures = _figures(shown, min(tiles, shown.pictures.shape[1]), quality)
            if sum(f.size for f in (*pictures.samples, *pictures.neighbours)) <= budget:
                return pictures
    assert pictures is not None
    return pictures


def file_figure(path: Path, name: str, side: int) -> Figure:
    """A picture file, reduced to sides of at most `side` pixels."""
    with Image.open(path) as image:
        rgb = image.convert("RGB")
    rgb.thumbnail((side, side), Image.Resampling.BOX)
    return encoded_figure(name, np.asarray(rgb), QUALITIES[0])


def montage(images: np.ndarray, columns: int) -> np.ndarray:
    """`[N,H,W,3]` as one picture in rows of `columns`, with white gaps between."""
    count, height, width, _ = images.shape
    rows = -(-count // columns)
    canvas = np.full(
        (rows * (height + _GAP) - _GAP, columns * (width + _GAP) - _GAP, 3), 255, dtype=np.uint8
    )
    for index, image in enumerate(images):
        top, left = (index // columns) * (height + _GAP), (index % columns) * (width + _GAP)
        canvas[top : top + height, left : left + width] = image
    return canvas


def _figures(shown: SamplePictures, tiles: int, quality: int) -> Pictures:
    columns = round(tiles**0.5 + 0.49)
    names = [HELD_OUT, "their reconstructions", *shown.names[1:]]
    stacks = [shown.pictures[0], shown.reconstructions, *shown.pictures[1:]]
    samples = tuple(
        encoded_figure(name, montage(stack[:tiles], columns), quality)
        for name, stack in zip(names, stacks, strict=True)
    )
    rows = min(tiles, _ROWS)
    neighbours = tuple(_neighbours(shown, row, rows, quality) for row in range(len(shown.names)))
    return Pictures(samples, neighbours, tiles, rows, shown.nearest.shape[2])


def _neighbours(shown: SamplePictures, row: int, count: int, quality: int) -> Figure:
    """Each sample, then the training reals nearest to it, one sample per row."""
    images = [
        image
        for n in range(count)
        for image in (shown.pictures[row, n], *shown.training[shown.nearest[row, n]])
    ]
    nearest = float(np.median(shown.distance[row, :, 0]))
    closest = float(shown.distance[row, :, 0].min())
    return encoded_figure(
        shown.names[row],
        montage(np.stack(images), 1 + shown.nearest.shape[2]),
        quality,
        f"nearest at {nearest:.2f} (median), {closest:.2f} (closest)",
    )


def encoded_figure(name: str, picture: np.ndarray, quality: int, note: str = "") -> Figure:
    """Pixels `[H,W,3]` as they are embedded."""
    height, width = picture.shape[:2]
    kind, content = _encoded(Image.fromarray(picture), quality)
    uri = f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
    return Figure(name, uri, width, height, note)


def _encoded(image: Image.Image, quality: int) -> tuple[str, bytes]:
    """The smallest of what this Pillow can write."""
    if not features.check("webp"):
        return "png", _bytes(image, format="PNG", optimize=True)
    lossy = _bytes(image, format="WEBP", quality=quality, method=4)
    lossless = _bytes(image, format="WEBP", lossless=True, quality=50, method=4)
    return "webp", min(lossy, lossless, key=len)


def _bytes(image: Image.Image, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, **options)  # type: ignore[arg-type]
    return out.getvalue()
