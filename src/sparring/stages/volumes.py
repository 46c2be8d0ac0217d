"""Stages on volumes that need no trained model: packing them."""

import logging
from pathlib import Path

from ..artefacts.volumes import Volumes
from ..data.volumes import pack_volumes as pack
from ..settings.volume_stages import PackVolumes
from .job import Job

logger = logging.getLogger(__name__)


def pack_volumes(job: Job[PackVolumes], output: Path) -> None:
    """A manifest's volumes, or generated phantoms, into one HDF5 file."""
    count = pack(job.settings.dataset, output)
    warning = Volumes(output).warning
    if warning:
        logger.warning(warning)
    logger.info("%d volumes packed into %s", count, output)
