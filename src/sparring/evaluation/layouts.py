"""What a model's latents look like once decoded: figures of layouts."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from ..compute import Compute
from ..models.autoencoder import Codec, to_uint8
from ..models.denoiser import OneStep
from ..models.inception import FEATURES, Inception
from ..progress import progress
from ..randomness import generator, normals
from .layout_statistics import layout_statistics

_TOLERANCE = 16  # of 255, in every channel
_TIMESTEPS = 10
_INCEPTION_DIM = 64


def palette_purity(rgb: np.ndarray, palette: np.ndarray, tolerance: int = _TOLERANCE) -> float:
    """Share of pixels within `tolerance` of a class colour in every channel.

    `rgb` is uint8 `[N,H,W,3]`, `palette` uint8 `[K,3]`. Clean layouts have 1.
    """
    return float((_nearest(rgb, palette)[1] <= tolerance).mean())


def nearest_class(rgb: np.ndarray, palette: np.ndarray) -> np.ndarray:
    """The class whose colour is nearest, by the largest difference of a channel, `[N,H,W]`."""
    return _nearest(rgb, palette)[0]


def measure_samples(
    codec: Codec,
    latents: np.ndarray,
    batch_size: int,
    palette: np.ndarray,
    inception: "InceptionFeatures | None" = None,
) -> dict[str, np.ndarray]:
    """Statistics of every decoded latent `[N,C,h,w]`, one row each: see `layout_statistics`.

    Besides, `palette_purity` of the RGB head and, with a segmentation head, `head_agreement`: the
    share of pixels whose nearest class colour is the class that it names. Classes are the head's,
    or those whose colours are nearest. `inception` adds its features.
    """
    found: dict[str, list[np.ndarray]] = {}
    batches = list(_batches(latents, batch_size))
    for batch in progress(batches, "decoding", len(batches), "batch"):
        with torch.no_grad():
            decoded = codec.decode(_tensor(batch, codec))
        nearest, distance = _nearest(to_uint8(decoded.rgb), palette)
        ids, rows = nearest, {"palette_purity": (distance <= _TOLERANCE).mean((1, 2))}
        if decoded.class_ids is not None:
            ids = decoded.class_ids.cpu().numpy()
            rows["head_agreement"] = (nearest == ids).mean((1, 2))
        if inception is not None:
            rows["inception"] = inception(decoded.rgb)
        for name, values in (rows | layout_statistics(ids, len(palette))).items():
            found.setdefault(name, []).append(values)
    return {name: np.concatenate(parts) for name, parts in found.items()}


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
        return (self._network(rgb.clamp(-1, 1)) @ self._basis).cpu().numpy()


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


def _batches(latents: np.ndarray, size: int) -> Iterator[np.ndarray]:
    for start in range(0, len(latents), size):
        yield latents[start : start + size]


def _tensor(latents: np.ndarray, codec: Codec) -> Tensor:
    return torch.from_numpy(latents).to(codec.compute.device, torch.float32)
