"""The stage that shows: samples of every model beside reals and their nearest training layouts."""

from pathlib import Path

import numpy as np
import torch

from ..artefacts.latents import latents_info, read_column, read_latents, require_same_autoencoder
from ..artefacts.layouts import Layouts
from ..artefacts.sample_pictures import HELD_OUT, SamplePictures, write_pictures
from ..sampling.neighbours import nearest_latents
from ..sampling.pictures import enlarged, labelled_rows, reduced, save_picture
from ..settings.stages import CompareSamples
from .job import Job

_SIDE = 128  # of a picture in the file for the report, in pixels, at most


def compare_samples(
    job: Job[CompareSamples],
    layouts_file: Path,
    autoencoder: Path,
    latents: tuple[Path, Path],
    samples: dict[str, Path],
    output: Path,
    pictures: Path,
) -> None:
    """Reals, reconstructions and every model's samples, the same noise in the same column.

    `latents` are those of the train and the test split. `output` is one large picture, `pictures`
    the file that the report is made from.
    """
    from ..models.autoencoder import Codec

    codec = Codec.load(autoencoder, job.compute())
    layouts, count = Layouts(layouts_file), job.settings.grid
    train, test = latents
    require_same_autoencoder(*(latents_info(p) for p in (train, test, *samples.values())))
    reals = layouts.read(layouts.originals("test")[:count])
    reconstructed = codec.images(codec.encode(reals))
    shown = {model: read_latents(path)[:count] for model, path in samples.items()}
    decoded = {model: codec.images(torch.from_numpy(z).float()) for model, z in shown.items()}
    rows = {HELD_OUT: layouts.rgb(reals), "their reconstructions": reconstructed}
    rows |= {f"samples: {model}": images for model, images in decoded.items()}
    save_picture(output, labelled_rows({k: enlarged(v) for k, v in rows.items()}))

    originals = np.flatnonzero(~read_column(test, "is_augmented"))[:count]
    queries = {HELD_OUT: read_latents(test, originals), **shown}
    least = min(len(z) for z in queries.values())  # there may be fewer held-out layouts
    training, ids, nearest, distance = _neighbours(
        layouts, train, np.stack([z[:least] for z in queries.values()]), job.settings.neighbours
    )
    images = (layouts.rgb(reals), *decoded.values())
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
    layouts: Layouts, train: Path, queries: np.ndarray, count: int
) -> tuple[np.ndarray, tuple[str, ...], np.ndarray, np.ndarray]:
    """Training layouts nearest to latents `[R,N,C,H,W]`, of each the K = `count` nearest.

    They come as RGB `[T,H,W,3]` with their ids, then numbers in these and distances `[R,N,K]`.
    Augmented copies count too where the latents have them: a denoiser may know these by heart.
    """
    rows, distance = nearest_latents(queries.reshape(-1, *queries.shape[2:]), train, count)
    used, nearest = np.unique(rows, return_inverse=True)
    packed = layouts.rows("train")[used]
    names = tuple(layouts.sample_id[row] for row in packed)
    shape = (*queries.shape[:2], -1)
    rgb = layouts.rgb(layouts.read(packed))
    return rgb, names, nearest.reshape(shape), distance.reshape(shape)
