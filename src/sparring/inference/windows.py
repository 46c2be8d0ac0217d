"""Volumes of any size through a network that takes windows, blended without seams.

MONAI's `sliding_window_inference` keeps the input, the output and a map of counts for the whole
volume, three float32 copies; here only two of one window's thickness are kept, and finished slices
are handed on as the sweep passes them.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import product
from math import ceil

import numpy as np
import torch
from torch import Tensor

from ..artefacts.volumes import Box
from ..errors import UserError
from ..progress import progress

Read = Callable[[Box], np.ndarray]
Write = Callable[[Box, np.ndarray], None]
Network = Callable[[Tensor], Tensor]
Corner = tuple[int, ...]
_SLICES = 16  # handed on at once


def blend(
    read: Read,
    shape: Sequence[int],
    network: Network,
    window: int,
    overlap: float,
    write: Write,
    batch_size: int = 1,
) -> None:
    """Run `network` on overlapping windows of a volume and hand on their smooth blend.

    `read(box)` gives float32 `[d,h,w]` of a box of slices; `network` takes and returns
    `[B,1,w,w,w]`; `write(box, values)` gets every voxel of the volume once, slab by slab along its
    longest axis, in an array that is used again afterwards. Windows are spread evenly with at
    least `overlap` (a share of the window) in common, over which one fades into the next
    (`fading`). A volume smaller than the window is continued by its outermost voxels.

    Memory, beside the network's own: `8 * window * A * B` bytes for a volume whose two shorter
    axes have A and B voxels. Where all windows agree the blend is exactly what they say, so that
    an identity network returns its input bit for bit. Raises UserError for NaN or infinity.
    """
    sweep = _Sweep(shape, window, overlap)
    weight = fading(window, overlap)
    pending = [max(side, window) for side in shape]
    pending[sweep.axis] = window
    values, weights = torch.zeros(pending), torch.zeros(pending)
    for corners, start, stop in progress(sweep.layers(), "reconstructing", sweep.count, "layer"):
        for first in range(0, len(corners), batch_size):
            some = corners[first : first + batch_size]
            given = torch.stack([_window(read, shape, corner, window) for corner in some])
            for corner, output in zip(some, _checked(network, given, some), strict=True):
                place = sweep.place(corner)
                there = weights[place]
                there += weight
                # x + r (y - x) is exactly x where y is x; a plain weighted sum is so but nearly.
                values[place] = values[place].lerp(output, weight / there)
        _hand_on(values, sweep, shape, start, stop, write)
        sweep.shift(values, stop - start)
        sweep.shift(weights, stop - start)


def starts(side: int, window: int, overlap: float) -> list[int]:
    """Where windows begin along an axis: evenly, the last flush with the end."""
    if side <= window:
        return [0]
    stride = max(1, int(window * (1 - overlap)))
    count = ceil((side - window) / stride) + 1
    return [round(n * (side - window) / (count - 1)) for n in range(count)]


def fading(window: int, overlap: float) -> Tensor:
    """Weights `[w,w,w]` of a window's voxels: 1 within, raised cosines over the overlap.

    MONAI's Gaussian of 1/8 of the window hands over to the next window within some four voxels,
    whatever the overlap: nearly a seam.
    """
    ramp = max(1, int(window * overlap))
    inwards = (torch.arange(window) + 0.5).minimum(window - torch.arange(window) - 0.5)
    line = torch.sin((inwards / ramp).clamp(max=1) * torch.pi / 2) ** 2
    line = line if overlap > 0 else torch.ones(window)
    return line[:, None, None] * line[:, None] * line


class _Sweep:
    """The order of windows: layer by layer along the longest axis."""

    def __init__(self, shape: Sequence[int], window: int, overlap: float) -> None:
        self.axis = int(np.argmax(shape))
        self.window = window
        self._starts = [starts(side, window, overlap) for side in shape]
        self._end = max(shape[self.axis], window)

    @property
    def count(self) -> int:
        """Layers."""
        return len(self._starts[self.axis])

    def layers(self) -> Iterator[tuple[list[Corner], int, int]]:
        """Corners of a layer's windows, and from where to where it is final afterwards."""
        along = self._starts[self.axis]
        for start, stop in zip(along, [*along[1:], self._end], strict=True):
            corners = [s if a != self.axis else [start] for a, s in enumerate(self._starts)]
            yield list(product(*corners)), start, stop

    def place(self, corner: Corner) -> tuple[slice, ...]:
        """Where a window lies in the buffers, which begin where its layer does."""
        first = [0 if axis == self.axis else c for axis, c in enumerate(corner)]
        return tuple(slice(c, c + self.window) for c in first)

    def shift(self, buffer: Tensor, count: int) -> None:
        """Forget the slices that are final and make room for as many."""
        along = buffer.movedim(self.axis, 0)
        kept = self.window - count
        for n in range(kept):  # slice by slice: source and target overlap
            along[n] = along[n + count]
        along[max(kept, 0) :] = 0


def _hand_on(
    values: Tensor, sweep: _Sweep, shape: Sequence[int], start: int, stop: int, write: Write
) -> None:
    """Write the final slices, without what lies beyond a volume smaller than the window.

    A few at a time: what the writer makes of them needs memory too.
    """
    margins = [_margin(side, sweep.window) for side in shape]
    inner = [slice(m, m + side) for m, side in zip(margins, shape, strict=True)]
    box = [slice(0, side) for side in shape]
    last = min(stop, shape[sweep.axis])
    for first in range(start, last, _SLICES):
        end = min(first + _SLICES, last)
        held = margins[sweep.axis] + first - start
        inner[sweep.axis], box[sweep.axis] = slice(held, held + end - first), slice(first, end)
        write((box[0], box[1], box[2]), values[tuple(inner)].numpy())


def _window(read: Read, shape: Sequence[int], corner: Corner, window: int) -> Tensor:
    """One window `[1,w,w,w]`, continued by the outermost voxels where the volume is too small."""
    d, h, w = (slice(c, min(c + window, side)) for c, side in zip(corner, shape, strict=True))
    given = np.asarray(read((d, h, w)), dtype=np.float32)
    missing = [window - side for side in given.shape]
    if any(missing):
        around = [(_margin(s, window), m - _margin(s, window))
                  for s, m in zip(given.shape, missing, strict=True)]  # fmt: skip
        given = np.pad(given, around, mode="edge")
    return torch.from_numpy(np.ascontiguousarray(given))[None]


def _margin(side: int, window: int) -> int:
    """Voxels added before a side that is too short."""
    return max(0, window - side) // 2


def _checked(network: Network, given: Tensor, corners: Sequence[Corner]) -> Tensor:
    """What the network makes of windows, float32 `[B,w,w,w]` on the CPU."""
    output = network(given)
    if output.shape != given.shape:
        raise UserError(
            f"the network turned windows {list(given.shape)} into {list(output.shape)}, expected "
            "the same shape; choose a window that its downsampling divides"
        )
    output = output[:, 0].float().cpu()
    if not torch.isfinite(output).all():
        raise UserError(
            f"the network gave NaN or infinity in the windows at {list(corners)}; compute with "
            "precision fp32, or check the model"
        )
    return output
