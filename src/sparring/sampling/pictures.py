"""Pictures of layouts side by side."""

from math import ceil
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from ..artefacts.atomic import replacing

_GAP = 2
_LABEL_HEIGHT = 14
_SMALLEST_SIDE = 64  # smaller layouts are hard to see


def enlarged(images: np.ndarray) -> np.ndarray:
    """`[N,H,W,3]` with every pixel repeated until a side has 64, where it has fewer."""
    scale = max(1, _SMALLEST_SIDE // images.shape[1])
    return images.repeat(scale, axis=1).repeat(scale, axis=2)


def reduced(images: np.ndarray, side: int) -> np.ndarray:
    """`[N,H,W,3]` uint8 with sides of at most `side` pixels, averaged where they had more."""
    height, width = images.shape[1:3]
    if max(height, width) <= side:
        return images
    scale = side / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.stack(
        [np.asarray(Image.fromarray(i).resize(size, Image.Resampling.BOX)) for i in images]
    )


def grid(images: np.ndarray, columns: int | None = None) -> np.ndarray:
    """`[N,H,W,3]` uint8 as one picture with thin white gaps, as square as can be by default."""
    count, height, width, _ = images.shape
    columns = columns or ceil(count**0.5)
    rows = ceil(count / columns)
    shape = (rows * (height + _GAP) + _GAP, columns * (width + _GAP) + _GAP, 3)
    canvas = np.full(shape, 255, dtype=np.uint8)
    for index, image in enumerate(images):
        y, x = divmod(index, columns)
        top, left = _GAP + y * (height + _GAP), _GAP + x * (width + _GAP)
        canvas[top : top + height, left : left + width] = image
    return canvas


def labelled_rows(rows: dict[str, np.ndarray], scale: int = 1) -> Image.Image:
    """One row of images per label, the label above it."""
    pictures = {label: Image.fromarray(grid(images, len(images))) for label, images in rows.items()}
    pictures = {
        label: p.resize((p.width * scale, p.height * scale), Image.Resampling.NEAREST)
        for label, p in pictures.items()
    }
    width = max(p.width for p in pictures.values())
    height = sum(p.height + _LABEL_HEIGHT for p in pictures.values())
    canvas = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(canvas)
    top = 0
    for label, picture in pictures.items():
        draw.text((_GAP, top + 1), label, fill="black")
        canvas.paste(picture, (0, top + _LABEL_HEIGHT))
        top += picture.height + _LABEL_HEIGHT
    return canvas


def save_picture(path: Path, picture: np.ndarray | Image.Image) -> None:
    """Write a PNG, aside first."""
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    with replacing(path) as aside:
        image.save(aside, format="PNG")
