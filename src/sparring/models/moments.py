"""Mean and standard deviation per channel of whole sets of latents, and samples brought to them."""

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..artefacts.latents import latents_info, read_latents, require_same_autoencoder
from ..errors import UserError
from ..progress import progress

logger = logging.getLogger(__name__)
_BATCH = 256
_CONSTANT = 1e-6  # a spread below what latents in half precision can have


@dataclass(frozen=True)
class ChannelMoments:
    """Of all numbers of each channel, float64 `[C]` each."""

    mean: np.ndarray
    std: np.ndarray


@dataclass(frozen=True)
class Matching:
    """z -> scale z + shift per channel, float64 `[C]` each."""

    scale: np.ndarray
    shift: np.ndarray

    def __call__(self, latents: np.ndarray) -> np.ndarray:
        """Latents `[B,C,...]`, matched; float32."""
        along = (-1, *[1] * (latents.ndim - 2))
        scaled = latents.astype(np.float64) * self.scale.reshape(along)
        return (scaled + self.shift.reshape(along)).astype(np.float32)


def matching(samples: ChannelMoments, reference: ChannelMoments) -> Matching:
    """What gives samples the reference's moments.

    A channel in which the samples are constant has no spread to scale: only its mean is moved.
    """
    constant = samples.std <= _CONSTANT * np.maximum(1, np.abs(samples.mean))
    scale = np.where(constant, 1, reference.std / np.where(constant, 1, samples.std))
    return Matching(scale, reference.mean - scale * samples.mean)


def moments_of(batches: Iterable[np.ndarray]) -> ChannelMoments:
    """Of latents `[B,C,...]` that pass by batch after batch; memory does not grow with them.

    Batches are merged by their own mean and squares (Chan et al. 1979), in float64: sums of squares
    would lose a small spread about a large mean.
    """
    count, mean, squares = 0, np.zeros(()), np.zeros(())
    for batch in batches:
        numbers = np.moveaxis(batch.astype(np.float64), 1, 0).reshape(batch.shape[1], -1)
        more, own = numbers.shape[1], numbers.mean(1)
        away, total = own - mean, count + more
        within = ((numbers - own[:, None]) ** 2).sum(1)
        squares = squares + within + away**2 * (count * more / total)
        mean, count = mean + away * (more / total), total
    if not count:
        raise ValueError("no latents to measure")
    return ChannelMoments(mean, np.sqrt(squares / count))


def matching_to(
    reference: Path | None, batches: Iterable[np.ndarray], autoencoder: str
) -> Matching:
    """What brings samples, given in batches `[B,C,...]`, to the moments of all train latents.

    `reference` has originals and augmented copies alike; `autoencoder` is the digest of the one
    that the samples belong to.
    """
    info, found = latents_info(required(reference)), moments_of(batches)
    if info.names_autoencoder:
        require_same_autoencoder(info, (Path("the samples"), autoencoder))
    if info.shape[0] != len(found.mean):
        raise UserError(
            f"{info.path}: latents of {info.shape[0]} channels, but samples have "
            f"{len(found.mean)}; --reference names the train latents of the samples' denoiser"
        )
    made = matching(found, moments_of(batches_in(info.path)))
    logger.info(
        "moments are matched to %s: scale %s, shift %s",
        info.path,
        _range(made.scale),
        _range(made.shift),
    )
    return made


def batches_in(path: Path, size: int = _BATCH) -> Iterator[np.ndarray]:
    """The rows of a latents file, `size` at a time."""
    count = latents_info(path).count
    starts = range(0, count, size)
    for start in progress(starts, "reading latents", len(starts), "batch"):
        yield read_latents(path, np.arange(start, min(start + size, count)))


def required(reference: Path | None) -> Path:
    """The train latents, which `moments: match` needs; UserError where none are named."""
    if reference is None:
        raise UserError(
            "moments is 'match', but --reference is missing: it names the train latents whose mean "
            "and standard deviation per channel samples are brought to; add it, or set moments: "
            "keep"
        )
    return reference


def _range(values: np.ndarray) -> str:
    return f"{values.min():.3g} to {values.max():.3g}"
