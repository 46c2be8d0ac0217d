"""A denoiser that is sampled along a discriminator's gradient: what `guidance` hands on."""

import logging
from math import log
from pathlib import Path

from ..artefacts.histories import read_history
from ..artefacts.latents import latents_info
from ..balance import best_row
from ..errors import UserError
from ..models.denoiser import load_denoiser, save_denoiser
from ..models.guided import guided
from ..settings.stages import GuideDenoiser
from .discriminators import load_discriminator
from .job import Job

logger = logging.getLogger(__name__)
_UNDECIDED = log(2)


def guide_denoiser(
    job: Job[GuideDenoiser],
    denoiser: Path,
    discriminator: Path,
    history: Path,
    latents: Path,
    output: Path,
) -> None:
    """Write the denoiser with the discriminator beside those that guide it already.

    One that tells held-out latents no better than a coin has learnt its training latents by heart,
    and its gradient means nothing: the denoiser is then handed on as it is, and the log says so.
    `latents` are those that it was trained on, whose shape and conditions must be its own.
    """
    s = job.settings
    model, schedule = load_denoiser(denoiser)
    critic = load_discriminator(discriminator, latents_info(latents), noised=True)
    best = best_row(read_history(history))
    val_loss = best.get("val_loss") if best else None
    if val_loss is None:
        raise UserError(f"{history}: has no val_loss, expected a discriminator's history")
    if val_loss >= _UNDECIDED:
        logger.warning(
            "warning: the discriminator's best validation loss is %.4g, no better than a coin's "
            "%.4g: it does not guide; raise num_samples, or regularise it (discriminator.r1, "
            "weight_decay, backbone: denoiser)",
            val_loss,
            _UNDECIDED,
        )
        save_denoiser(output, model, schedule)
        return
    found = guided(model, critic, s.guidance_weight, s.timesteps, schedule)
    save_denoiser(output, found, schedule)
