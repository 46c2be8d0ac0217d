"""The stage that shows: samples of every model beside reals and their nearest training reals."""

from pathlib import Path

import numpy as np
import torch

from ..artefacts.latents import latents_info, read_latents, require_same_autoencoder
from ..artefacts.sample_pictures import HELD_OUT, SamplePictures, write_pictures
from ..errors import UserError
from ..sampling.neighbours import nearest_latents
from ..sampling.originals import LayoutOriginals, Originals, VolumeOriginals
from ..sampling.pictures import enlarged, labelled_rows, reduced, save_picture
from ..settings.stages import CompareSamples
from .job import Job

_SIDE = 128  # of a picture in the file for the report, in pixels, at most


def originals_of(
    job: Job[CompareSamples],
    layouts: Path | None,
    volumes: Path | None,
    autoencoder: Path,
    latents: Path,
) -> Originals:
    """What the latents are of: packed layouts, or volumes."""
    if (layouts is None) == (volumes is None):
        raise UserError("--layouts, --volumes: name one of them, what the latents are of")
    if layouts is not None:
        return LayoutOriginals(layouts, autoencoder, job.compute())
    assert volumes is not None
    return VolumeOriginals(volumes, autoencoder, latents_info(latents).shape[1:], job.compute())


def compare_samples(
    job: Job[CompareSamples],
    originals: Originals,
    latents: tuple[Path, Path],
    samples: dict[str, Path],
    output: Path,
    pictures: Path,
) -> None:
    """Reals, reconstructions and every model's samples, the same noise in the same column.

    `latents` are those of the train and the test split. `output` is one large picture, `pictures`
    the file that the report is made from.
    """
    (train, test), count = latents, job.settings.grid
    require_same_autoencoder(*(latents_info(p) for p in (train, test, *samples.values())))
    held_out = originals.held_out(test, count)
    reals = originals.pictures("test", held_out)
    reconstructed = originals.reconstructions("test", held_out)
    shown = {model: read_latents(path)[:count] for model, path in samples.items()}
    decode = originals.decoder.images
    decoded = {model: decode(torch.from_numpy(z).float()) for model, z in shown.items()}
    rows = {originals.label: reals, "their reconstructions": reconstructed}
    rows |= {f"samples: {model}": images for model, images in decoded.items()}
    save_picture(output, labelled_rows({k: enlarged(v) for k, v in rows.items()}))

    queries = {HELD_OUT: read_latents(test, held_out), **shown}
    least = min(len(z) for z in queries.values())  # there may be fewer held-out reals
    training, ids, nearest, distance = _neighbours(
        originals, train, np.stack([z[:least] for z in queries.values()]), job.settings.neighbours
    )
    images = (reals, *decoded.values())
    write_pictures(
        pictures,
        SamplePictures(
            names=tuple(queries),
            pictures=np.stack([reduced(i[:least], _SIDE) for i in images]),
            reconstructions=reduced(reconstructed[:least], _SIDE),
            training=reduced(training, _SIDE),
            training_id=ids,
            nearest=nearest,
            distance=distance,
        ),
    )


def _neighbours(
    originals: Originals, train: Path, queries: np.ndarray, count: int
) -> tuple[np.ndarray, tuple[str, ...], np.ndarray, np.ndarray]:
    """What training latents nearest to `[R,N,C,...]` are of, of each the K = `count` nearest.

    They come as RGB `[T,H,W,3]` with their ids, then numbers in these and distances `[R,N,K]`.
    Augmented copies count too where the latents have them: a denoiser may know these by heart.
    """
    rows, distance = nearest_latents(queries.reshape(-1, *queries.shape[2:]), train, count)
    used, nearest = np.unique(rows, return_inverse=True)
    names = tuple(originals.names("train", used))
    shape = (*queries.shape[:2], -1)
    rgb = originals.pictures("train", used)
    return rgb, names, nearest.reshape(shape), distance.reshape(shape)
