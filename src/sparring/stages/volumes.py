"""Stages on volumes: packing them, and one file through a trained model."""

import logging
from pathlib import Path
from typing import Any

from ..artefacts.models import load_model, read_config
from ..artefacts.volumes import Volumes, Window
from ..data.volumes import pack_volumes as pack
from ..errors import UserError
from ..evaluation.volumes import KERNEL, compare
from ..inference.reconstruction import Reconstructed, autoencoding, reconstruct_file
from ..sampling.pictures import save_picture
from ..sampling.volume_pictures import three_planes
from ..settings.reading import validate
from ..settings.volume_stages import PackVolumes, ReconstructVolume
from ..settings.volumes import VolumeGrid
from .job import Job

logger = logging.getLogger(__name__)


def pack_volumes(job: Job[PackVolumes], output: Path) -> None:
    """A manifest's volumes, or generated phantoms, into one HDF5 file."""
    count = pack(job.settings.dataset, output)
    warning = Volumes(output).warning
    if warning:
        logger.warning(warning)
    logger.info("%d volumes packed into %s", count, output)


def reconstruct_volume(
    job: Job[ReconstructVolume], model: Path, volume: Path, output: Path, picture: Path | None
) -> None:
    """One NIfTI file through a VQ-GAN directory, back on its own grid; a picture where asked."""
    require_nifti_name(output)
    s = with_model_grid(job.settings, model)
    network = autoencoding(_vqgan(model), job.compute(), s.inference, str(model))
    done = reconstruct_file(volume, output, network, s, s.hu_window, s.inference, s.squeeze)
    _log_scores(done, s.hu_window)
    if picture is not None:
        planes = three_planes(
            done.original, {"reconstruction": done.reconstruction}, done.spacing, s.hu_window
        )
        save_picture(picture, planes)
    logger.info("reconstructed %s into %s", volume, output)


def with_model_grid(settings: ReconstructVolume, model: Path) -> ReconstructVolume:
    """The settings with the orientation, spacing and HU window that a model's config.json names."""
    config = read_config(model)
    named = {
        key: config[key]
        for key in (*VolumeGrid.model_fields, "hu_window")
        if config.get(key) is not None
    }
    given = settings.model_dump(mode="json") | named
    return validate(given, ReconstructVolume, f"{model}/config.json")


def require_nifti_name(path: Path) -> None:
    """Refuse names that readers of NIfTI would not know."""
    if not path.name.endswith((".nii", ".nii.gz")):
        raise UserError(f"--output: found {path}, expected a name that ends in .nii or .nii.gz")


def _vqgan(directory: Path) -> Any:
    from ..models.vqgan import VQGAN

    return load_model(VQGAN, directory)


def _log_scores(done: Reconstructed, window: Window) -> None:
    if min(done.original.shape) < KERNEL:
        return
    scores = compare(done.original, done.reconstruction, window)
    low, high = window
    logger.info(
        "PSNR %.2f dB, SSIM %.3f, MAE %.1f HU, gradient energy %.2f of the original's, on %g to "
        "%g HU",
        *(scores.psnr, scores.ssim, scores.mae_hu, scores.gradient_ratio, low, high),
    )
