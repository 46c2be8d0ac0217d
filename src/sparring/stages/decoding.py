"""Latents as pictures: one PNG each, and a grid of the first."""

import logging
import re
from pathlib import Path

import numpy as np
import torch

from ..artefacts.latents import (
    LatentsInfo,
    latents_info,
    read_latents,
    require_shape,
    side_of,
)
from ..compute import Compute
from ..errors import UserError
from ..models.autoencoder import autoencoder_digest
from ..progress import progress
from ..sampling.decoders import Decoder, load_decoder
from ..sampling.pictures import enlarged, grid, save_picture
from ..settings.stages_by_hand import Decode, Sample
from .job import Job
from .sampling import Models, batches_of, sample

logger = logging.getLogger(__name__)
FOLDER, GRID, LATENTS = "pictures", "grid.png", "latents.h5"
_PICTURE = re.compile(r"\d{5,}\.png")


def sample_pictures(job: Job[Sample], models: Models, output: Path) -> None:
    """Write latents.h5, pictures/00000.png and so on, and grid.png into `output`."""
    s, file = job.settings, output / LATENTS
    sample(job, models, file)
    codec = _codec(models.autoencoder, latents_info(file), job.compute())
    _draw(codec, file, s.num_samples, s.sampling.batch_size, s.grid, output)


def decode_latents(job: Job[Decode], latents: Path, autoencoder: Path, output: Path) -> None:
    """Write pictures/00000.png and so on, in the file's order, and grid.png into `output`."""
    s, info = job.settings, latents_info(latents)
    if s.num_samples is not None and s.num_samples > info.count:
        raise UserError(
            f"{latents}: has {info.count} latents, but num_samples is {s.num_samples}; set at most "
            f"{info.count}, or leave it out to decode all"
        )
    codec = _codec(autoencoder, info, job.compute())
    _draw(codec, latents, s.num_samples or info.count, s.batch_size, s.grid, output)


def _codec(autoencoder: Path, info: LatentsInfo, compute: Compute) -> Decoder:
    """The autoencoder; refuses latents that it cannot decode, warns of those of another one."""
    codec = load_decoder(autoencoder, compute)
    require_shape(info, codec.channels, side_of(info.shape), str(autoencoder))
    if len(info.shape) - 1 != codec.dims:
        raise UserError(
            f"{info.path}: latents are {list(info.shape)}, but {autoencoder} decodes those of "
            f"{codec.dims} dimensions; name the autoencoder that they belong to"
        )
    if info.autoencoder_digest not in ("unknown", autoencoder_digest(autoencoder)):
        logger.warning(
            "%s: latents of autoencoder %s, but %s is %s: pictures may be wrong",
            info.path,
            info.autoencoder_digest,
            autoencoder,
            autoencoder_digest(autoencoder),
        )
    return codec


def _draw(
    codec: Decoder, latents: Path, count: int, batch_size: int, in_grid: int, output: Path
) -> None:
    batches, shown = batches_of(count, batch_size), []
    for rows in progress(batches, "decoding", len(batches), "batch"):
        images = codec.images(torch.from_numpy(read_latents(latents, np.array(rows))))
        for row, image in zip(rows, images, strict=True):
            save_picture(output / FOLDER / f"{row:05d}.png", image)
        shown.append(images[: max(0, in_grid - rows.start)])
    save_picture(output / GRID, grid(enlarged(np.concatenate(shown))))
    _remove_others(output / FOLDER, count)
    logger.info("%d pictures: %s", count, output / GRID)


def _remove_others(folder: Path, count: int) -> None:
    """Pictures that an earlier run made of more latents."""
    for path in folder.iterdir():
        if _PICTURE.fullmatch(path.name) and int(path.stem) >= count:
            path.unlink()
