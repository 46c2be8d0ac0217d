"""Volumes in pictures: three planes of each, beside a reconstruction its difference too."""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from ..artefacts.plane_pictures import ERROR_HU, GAP, TEXT

_PLANES = {"axial": 2, "coronal": 1, "sagittal": 0}  # by the axis of a RAS volume that they cut
_LARGEST = 384  # pixels along a plane's longer side


def three_planes(
    original: np.ndarray,
    reconstructions: dict[str, np.ndarray],
    spacing: Sequence[float] | np.ndarray,
    window: tuple[float, float],
    error_hu: float = ERROR_HU,
) -> Image.Image:
    """Axial, coronal and sagittal planes through the middle of HU volumes `[D,H,W]` in RAS.

    One row per plane: the original, then each reconstruction and its absolute error, black at 0
    and brightest at `error_hu`. Voxels are drawn as large as they are in millimetres.
    """
    columns = [("original", original, False)]
    for name, volume in reconstructions.items():
        columns += [(name, volume, False), (f"|error| 0 to {error_hu:g} HU", volume, True)]
    rows = []
    for axis in _PLANES.values():
        row = []
        for _, volume, is_error in columns:
            pair = _plane(original, axis), _plane(volume, axis)
            colours = _errors(*pair, window, error_hu) if is_error else _grey(pair[1], window)
            row.append(_to_scale(colours, _across(spacing, axis), original.shape, spacing))
        rows.append(row)
    return _assembled(rows, [label for label, *_ in columns])


def middle_planes(volumes: np.ndarray, window: tuple[float, float]) -> np.ndarray:
    """Axial, coronal and sagittal planes through the middle of HU volumes `[N,D,H,W]` in RAS, side
    by side: uint8 `[N,H,W,3]`. Planes of less than the greatest height are continued in black.
    """
    pictures = []
    for volume in volumes:
        planes = [np.asarray(_grey(_plane(volume, axis), window)) for axis in _PLANES.values()]
        height = max(plane.shape[0] for plane in planes)
        below = [((0, height - plane.shape[0]), (0, GAP), (0, 0)) for plane in planes]
        padded = [np.pad(plane, pad) for plane, pad in zip(planes, below, strict=True)]
        pictures.append(np.concatenate(padded, axis=1)[:, :-GAP])
    return np.stack(pictures)


def _plane(volume: np.ndarray, axis: int) -> np.ndarray:
    """The middle slice as radiologists look at it, `[H,W]`: front or head upwards, the patient's
    right on the left; sagittal with the front on the left."""
    return np.take(volume, volume.shape[axis] // 2, axis=axis).T[::-1, ::-1]


def _across(spacing: Sequence[float] | np.ndarray, axis: int) -> tuple[float, float]:
    """Millimetres per pixel of a plane: downwards, to the right."""
    right, up = (s for n, s in enumerate(spacing) if n != axis)
    return float(up), float(right)


def _grey(plane: np.ndarray, window: tuple[float, float]) -> Image.Image:
    low, high = window
    grey = np.clip((plane.astype(np.float32) - low) / (high - low), 0, 1)
    return Image.fromarray((255 * grey).astype(np.uint8)).convert("RGB")


def _errors(
    original: np.ndarray, other: np.ndarray, window: tuple[float, float], error_hu: float
) -> Image.Image:
    from matplotlib import colormaps

    low, high = window
    there, here = (np.clip(p.astype(np.float32), low, high) for p in (original, other))
    share = np.abs(there - here) / error_hu
    return Image.fromarray((255 * colormaps["inferno"](share)[..., :3]).astype(np.uint8))


def _to_scale(
    plane: Image.Image,
    pixel: tuple[float, float],
    shape: tuple[int, ...],
    spacing: Sequence[float] | np.ndarray,
) -> Image.Image:
    """Resized so that all planes share one scale, and the volume's longest side fits."""
    longest = max(side * mm for side, mm in zip(shape, spacing, strict=True))
    scale = _LARGEST / longest
    width = max(1, round(plane.width * pixel[1] * scale))
    height = max(1, round(plane.height * pixel[0] * scale))
    return plane.resize((width, height), Image.Resampling.NEAREST)


def _assembled(rows: list[list[Image.Image]], labels: list[str]) -> Image.Image:
    widths = [max(row[n].width for row in rows) for n in range(len(labels))]
    heights = [row[0].height for row in rows]
    size = sum(widths) + GAP * (len(widths) + 1), sum(heights) + GAP * len(heights) + TEXT
    canvas = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(canvas)
    left = GAP
    for column, (label, width) in enumerate(zip(labels, widths, strict=True)):
        draw.text((left, 1), label, fill="black")
        top = TEXT
        for row, height in zip(rows, heights, strict=True):
            canvas.paste(row[column], (left, top))
            top += height + GAP
        left += width + GAP
    return canvas
