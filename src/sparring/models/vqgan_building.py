"""VQ-GANs from settings."""

from ..settings.vqgan import VqganModel
from .vqgan import VQGAN


def build_vqgan(settings: VqganModel) -> VQGAN:
    """A fresh model."""
    book = settings.codebook
    return VQGAN(
        downsample=settings.downsample,
        channels=settings.channels,
        blocks=settings.blocks,
        quantiser=book.quantiser,
        num_codes=book.num_codes,
        code_dim=book.code_dim,
        decay=book.decay,
        fsq_levels=book.fsq_levels,
    )
