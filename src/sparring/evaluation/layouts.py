"""What a model's latents look like once decoded: figures of layouts."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..artefacts.class_roles import Roles
from ..compute import Compute
from ..models.autoencoder import Codec, Decoded, to_uint8
from ..models.denoiser import OneStep
from ..models.inception import FEATURES, Inception
from ..progress import progress
from ..randomness import generator, normals
from .layout_statistics import layout_statistics

_TOLERANCE = 16  # of 255, in every channel
_TIMESTEPS = 10
_INCEPTION_DIM = 64
_MOST_CELLS = 32  # along a side of what judges take


@dataclass(frozen=True)
class LayoutMeasures:
    """Statistics of layouts, a row each, whether a model decoded them or they are originals.

    `palette` is uint8 `[K,3]`, `roles` says what the classes are; both are None for layouts without
    classes, of which only the maps are kept, and Inception's features where they are asked for.
    """

    palette: np.ndarray | None
    roles: Roles | None
    batch_size: int
    inception: "InceptionFeatures | None" = None

    def originals(self, maps: np.ndarray) -> dict[str, np.ndarray]:
        """Statistics of uint8 class ids `[N,H,W]` or RGB `[N,H,W,3]`, and `maps` themselves."""
        return _columns(self._original(batch) for batch in _batches(maps, self.batch_size))

    def decoded(self, codec: Codec, latents: np.ndarray) -> dict[str, np.ndarray]:
        """The same of standardised latents `[N,C,h,w]`, decoded.

        With classes also `palette_purity` `[N]` of the RGB head, the share of pixels near a class
        colour, and, with a segmentation head, `head_agreement` `[N]`: the share of pixels whose
        nearest class colour is the class that it names.
        """
        batches = list(_batches(latents, self.batch_size))
        shown = progress(batches, "decoding", len(batches), "batch")
        return _columns(self._decoded(codec, batch) for batch in shown)

    def _original(self, maps: np.ndarray) -> dict[str, np.ndarray]:
        if self.inception is None:
            return self._of_maps(maps)
        rgb = maps if self.palette is None else self.palette[maps]
        return self._of_maps(maps) | {"inception": self.inception(_scaled(rgb))}

    @torch.no_grad()
    def _decoded(self, codec: Codec, latents: np.ndarray) -> dict[str, np.ndarray]:
        decoded = codec.decode(_tensor(latents, codec))
        found = self._of_maps(decoded_maps(decoded, self.palette))
        if self.palette is not None:
            nearest, distance = _nearest(to_uint8(decoded.rgb), self.palette)
            found["palette_purity"] = (distance <= _TOLERANCE).mean((1, 2))
            if decoded.logits is not None:
                found["head_agreement"] = (nearest == found["maps"]).mean((1, 2))
        if self.inception is not None:
            found["inception"] = self.inception(decoded.rgb)
        return found

    def _of_maps(self, maps: np.ndarray) -> dict[str, np.ndarray]:
        found = {"maps": maps}
        if self.palette is not None:
            found |= layout_statistics(maps, len(self.palette), self.roles)
        return found


def decoded_maps(decoded: Decoded, palette: np.ndarray | None) -> np.ndarray:
    """What a viewer sees: uint8 class ids `[B,H,W]`, or RGB `[B,H,W,3]` where `palette` is None.

    Classes are those of the segmentation head, or those whose colours are nearest.
    """
    if palette is None:
        return to_uint8(decoded.rgb)
    if decoded.logits is not None:  # a given autoencoder's head may know more classes
        return decoded.logits[:, : len(palette)].argmax(1).to(torch.uint8).cpu().numpy()
    return _nearest(to_uint8(decoded.rgb), palette)[0]


@dataclass(frozen=True)
class EncodedMaps:
    """What judges of decoded layouts take in the place of latents: `[N,C f^2,H/f,W/f]`.

    From uint8 class ids `[N,H,W]` one-hot planes, C = `num_classes`; from RGB `[N,H,W,3]` values in
    [-1, 1], C = 3. Blocks of f x f pixels become channels, f being the least divisor that leaves at
    most 32 cells along a side: so no pixel is lost, and large layouts cost as many cells as others.
    Rows are encoded when they are read, as all at once would be gigabytes.
    """

    maps: np.ndarray
    num_classes: int

    def __len__(self) -> int:
        return len(self.maps)

    def __getitem__(self, rows: slice) -> np.ndarray:
        batch = self.maps[rows]
        if self.maps.ndim == 3:
            classes = np.arange(self.num_classes)[:, None, None]
            return _unshuffled((batch[:, None] == classes).astype(np.float32))
        return _unshuffled(np.moveaxis(batch.astype(np.float32) / 127.5 - 1, 3, 1))

    @property
    def shape(self) -> tuple[int, ...]:
        """Of all rows, encoded."""
        return (len(self), *self[:1].shape[1:])

    @property
    def ndim(self) -> int:
        """4."""
        return 4


class InceptionFeatures:
    """RGB `[B,3,H,W]` in [-1, 1] to `[B,64]`: random orthogonal combinations of Inception's 2048.

    In 2048 dimensions distances of a few thousand samples are mostly bias.
    """

    def __init__(self, network: Inception, compute: Compute, seed: int) -> None:
        self._network, self._compute = network.to(compute.device), compute
        draw = generator(seed, "evaluation", "inception")
        basis = torch.linalg.qr(torch.randn(FEATURES, _INCEPTION_DIM, generator=draw)).Q
        self._basis = basis.to(compute.device)

    @torch.no_grad()
    def __call__(self, rgb: Tensor) -> np.ndarray:
        """[B,3,H,W] -> float32 [B,64]."""
        found = self._network(rgb.to(self._compute.device).clamp(-1, 1)) @ self._basis
        return found.cpu().numpy()


def measure_predictions(
    codec: Codec,
    one_step: OneStep,
    latents: np.ndarray,
    layouts: np.ndarray,
    seed: int,
    batch_size: int,
    labels: np.ndarray | None = None,
) -> list[dict[str, float]]:
    """Pixel accuracy of decoded one-step predictions at ten evenly spaced timesteps.

    `layouts` are the class ids `[N,H,W]` of `latents` `[N,C,h,w]`. Noise is keyed by timestep and
    row, so it is the same for every model. `labels` are the conditions of the latents, `[N]`.
    """
    alpha_bar, rows = one_step.process.alpha_bar, []
    for number in range(_TIMESTEPS):
        timestep = int((number + 0.5) / _TIMESTEPS * len(alpha_bar))
        right = 0.0
        for start in range(0, len(latents), batch_size):
            x0 = _tensor(latents[start : start + batch_size], codec)
            samples = range(start, start + len(x0))
            key = ("measure_predictions", timestep)
            eps = normals(x0.shape[1:], samples, seed, *key, device=x0.device)
            t = torch.full((len(x0),), timestep, device=x0.device)
            told = None if labels is None else torch.from_numpy(labels[list(samples)]).to(t)
            ids = codec.decode(one_step(x0, eps, t, told).x0_pred).class_ids
            assert ids is not None
            right += float((ids.cpu().numpy() == layouts[list(samples)]).mean()) * len(x0)
        snr = float(alpha_bar[timestep] / (1 - alpha_bar[timestep]))
        accuracy = right / len(latents)
        rows.append({"timestep": timestep, "snr": snr, "segmentation_accuracy": accuracy})
    return rows


def _nearest(rgb: np.ndarray, palette: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The nearest class colour and the largest difference of a channel to it, `[N,H,W]` each."""
    nearest = np.zeros(rgb.shape[:3], dtype=np.uint8)
    smallest = np.full(rgb.shape[:3], 256, dtype=np.int16)
    for class_id, colour in enumerate(palette.astype(np.int16)):
        distance = np.abs(rgb - colour).max(-1)
        closer = distance < smallest
        nearest[closer], smallest[closer] = class_id, distance[closer]
    return nearest, smallest


def _unshuffled(planes: np.ndarray) -> np.ndarray:
    """`[B,C,H,W]` with blocks of pixels as channels: at most `_MOST_CELLS` along a side."""
    batch, channels, height, width = planes.shape
    least = -(-max(height, width) // _MOST_CELLS)
    f = next(f for f in range(least, height + 1) if height % f == 0 and width % f == 0)
    blocks = planes.reshape(batch, channels, height // f, f, width // f, f)
    moved = blocks.transpose(0, 1, 3, 5, 2, 4)
    return moved.reshape(batch, channels * f * f, height // f, width // f)


def _columns(rows: Iterable[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """The statistics of batches, one after another."""
    found: dict[str, list[np.ndarray]] = {}
    for of_batch in rows:
        for name, values in of_batch.items():
            found.setdefault(name, []).append(values)
    return {name: np.concatenate(parts) for name, parts in found.items()}


def _scaled(rgb: np.ndarray) -> Tensor:
    """uint8 `[B,H,W,3]` to [-1, 1] `[B,3,H,W]`."""
    return torch.from_numpy(rgb).permute(0, 3, 1, 2).float() / 127.5 - 1


def _batches(latents: np.ndarray, size: int) -> Iterator[np.ndarray]:
    for start in range(0, len(latents), size):
        yield latents[start : start + size]


def _tensor(latents: np.ndarray, codec: Codec) -> Tensor:
    return torch.from_numpy(latents).to(codec.compute.device, torch.float32)
