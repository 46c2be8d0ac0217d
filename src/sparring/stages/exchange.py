"""Models and latents in from other programs, and out to them."""

import logging
from pathlib import Path

import numpy as np
import torch

from ..artefacts.atomic import write_text
from ..artefacts.digests import model_digest
from ..artefacts.foreign_latents import ForeignLatents, require_storable
from ..artefacts.latent_manifests import (
    LatentRow,
    read_latent_manifest,
    write_latent_manifest,
)
from ..artefacts.latents import (
    latents_columns,
    latents_info,
    read_column,
    read_latents,
    writing_latents,
)
from ..artefacts.model_card import model_card
from ..artefacts.model_files import MODEL_CARD, SCHEDULER
from ..artefacts.models import read_config
from ..artefacts.torch_files import write_tensor
from ..errors import UserError
from ..models.autoencoder import autoencoder_digest
from ..models.latent_scale import Moments, standardised
from ..models.moments import Matching, batches_in, matching_to, required
from ..models.pipeline import (
    code_files,
    is_guided,
    is_of_volumes,
    unet_config,
    write_index,
    write_models,
)
from ..progress import progress

logger = logging.getLogger(__name__)
_BATCH = 64


def import_latents(
    source: ForeignLatents, output: Path, autoencoder: Path | None = None, standardise: bool = False
) -> Moments:
    """Write a latents file, streamed; returns the mean and spread of what was written.

    `standardise` takes the latents as the autoencoder gave them and standardises them with its
    statistics. Without an autoencoder the file does not say which one its latents are of.
    """
    if autoencoder is None and standardise:
        raise UserError("--standardise: needs the statistics of an autoencoder; add --autoencoder")
    attributes = {"kind": "imported", "source_digest": source.digest}
    config = read_config(autoencoder) if autoencoder is not None else {}
    if autoencoder is not None:
        require_channels(source, autoencoder)
        attributes["autoencoder_digest"] = autoencoder_digest(autoencoder)
    moments = Moments()
    total = -(-len(source) // _BATCH)
    with writing_latents(output, len(source), attributes) as writer:
        for batch in progress(source.batches(_BATCH), "importing", total, "batch"):
            rows = standardised(batch, config) if standardise else batch
            require_storable(rows, source.path)
            moments.add(rows)
            writer.append(rows)
        writer.column("sample_id", source.sample_id)
        writer.column("original_id", source.original_id)
        writer.column("is_augmented", np.array(source.sample_id) != np.array(source.original_id))
    return moments


def require_channels(source: ForeignLatents, autoencoder: Path) -> None:
    """Refuse latents that are not an autoencoder's by their number of channels."""
    expected = read_config(autoencoder).get("latent_channels")
    if source.shape[0] != expected:
        raise UserError(
            f"{source.path}: latents are {list(source.shape)}, but {autoencoder} makes {expected} "
            "channels; name the autoencoder that they were encoded with"
        )


def export_tensor(latents: Path, output: Path) -> None:
    """A latents file as one bare tensor `[N,C,H,W]` float32, standardised as in the file."""
    info = latents_info(latents)
    tensor = torch.empty((info.count, *info.shape))
    for start in range(0, info.count, _BATCH):
        rows = np.arange(start, min(start + _BATCH, info.count))
        tensor[start : start + len(rows)] = torch.from_numpy(read_latents(latents, rows))
    write_tensor(output, tensor)


def export_folder(latents: Path, folder: Path, label: bool | None = None) -> int:
    """A file per latent `[C,H,W]` float32 and `manifest.csv`; returns the rows of the manifest.

    With a label, rows of the other label that the folder has already stay: two calls, one for
    reals and one for fakes, make the dataset of a discriminator.
    """
    manifest, part = folder / "manifest.csv", {None: "latents", True: "real", False: "fake"}[label]
    kept = read_latent_manifest(manifest) if label is not None and manifest.is_file() else []
    names, originals = _names(latents, part)
    rows = [row for row in kept if row.label is (not label)]
    for number, (name, original) in enumerate(zip(names, originals, strict=True)):
        file = folder / part / f"{number:06d}.pt"
        (latent,) = read_latents(latents, np.array([number]))
        write_tensor(file, torch.from_numpy(latent).float())
        rows.append(LatentRow(name, original, file, label, label))
    rows.sort(key=lambda row: row.file)
    write_latent_manifest(manifest, rows)
    return len(rows)


def export_pipeline(
    denoiser: Path,
    autoencoder: Path,
    latents: Path | None,
    results: list[Path],
    output: Path,
    title: str,
    matched: Matching | None = None,
) -> None:
    """A diffusers pipeline directory with a model card that quotes the folders of results.

    `latents` of the training data name the conditions of a class-conditional denoiser; samples are
    `matched` before they are decoded.
    """
    conditions = latents_info(latents).conditions if latents else []
    write_models(denoiser, autoencoder, output, conditions, matched)
    places = list(dict.fromkeys([denoiser.parent, *results]))
    of_volumes = is_of_volumes(output)
    facts = (_volume_facts if of_volumes else _facts)(output) | _guides(output)
    if matched is not None:
        facts["moments"] = "mean and standard deviation per channel matched to the train latents'"
    code = code_files(output)
    card = model_card(output, title, facts, places, conditions, of_volumes, code)
    write_text(output / MODEL_CARD, card)
    write_index(output, conditions)
    logger.info("pipeline in %s", output)


def pipeline_matching(
    denoiser: Path, autoencoder: Path, samples: Path | None, reference: Path | None
) -> Matching:
    """What brings a pipeline's samples to the moments of the train latents, `reference`.

    `samples` are the denoiser's own, as they were sampled.
    """
    required(reference)
    if samples is None:
        raise UserError(
            "moments is 'match', but --samples is missing: it names latents that the denoiser "
            "sampled, such as those of sample.py; add it, or set moments: keep"
        )
    found = latents_info(samples).attributes
    if found.get("moments") == "match":
        raise UserError(
            f"{samples}: these samples are matched already, so they do not say how the denoiser's "
            "own are to be changed; sample again with sampling.moments: keep"
        )
    if found.get("source_digest") != model_digest(denoiser):
        raise UserError(
            f"{samples}: samples of denoiser {found.get('source_digest', 'unknown')}, but "
            f"{denoiser} is {model_digest(denoiser)}; give samples of the denoiser to export"
        )
    logger.info(
        "moments are those of %s in %s steps: sample the pipeline alike",
        found.get("sampler"),
        found.get("num_steps"),
    )
    return matching_to(reference, batches_in(samples), autoencoder_digest(autoencoder))


def _facts(pipeline: Path) -> dict[str, str]:
    unet, vae = unet_config(pipeline), read_config(pipeline / "vqvae")
    schedule = read_config(pipeline / "scheduler", SCHEDULER)
    side = unet["sample_size"]
    pixels = side * 2 ** (len(vae["block_out_channels"]) - 1)
    return {
        "images": f"{pixels} x {pixels} pixels, RGB",
        "latents": f"{unet['in_channels']} x {side} x {side}, standardised per channel",
        "denoiser": f"UNet2DModel, {'-'.join(map(str, unet['block_out_channels']))} channels",
        "noise schedule": f"{schedule['num_train_timesteps']} steps, {schedule['beta_schedule']}",
        "prediction": schedule["prediction_type"],
    }


def _guides(pipeline: Path) -> dict[str, str]:
    """What a card says of the discriminators that guide a denoiser."""
    if not is_guided(pipeline):
        return {}
    weights = read_config(pipeline / "unet")["weights"]
    shown = ", ".join(f"{weight:g}" for weight in weights)
    return {"guided by": f"{len(weights)} of its discriminators, weight {shown}"}


def _volume_facts(pipeline: Path) -> dict[str, str]:
    unet, vqgan = unet_config(pipeline), read_config(pipeline / "vqvae")
    sides = [s * f for s, f in zip(unet["sample_size"], vqgan["downsample"], strict=True)]
    low, high = vqgan["hu_window"]
    schedule = read_config(pipeline / "scheduler", SCHEDULER)
    latents = " x ".join(map(str, (unet["in_channels"], *unet["sample_size"])))
    spacing = vqgan.get("spacing")
    return {
        "volumes": f"{' x '.join(map(str, sides))} voxels, {low:g} to {high:g} HU, axes "
        + vqgan["orientation"]
        + (f", {' x '.join(f'{mm:g}' for mm in spacing)} mm" if spacing else ""),
        "latents": f"{latents}, standardised per channel, rounded to codes before decoding",
        "denoiser": f"UNet3DModel, {'-'.join(map(str, unet['block_out_channels']))} channels",
        "noise schedule": f"{schedule['num_train_timesteps']} steps, {schedule['beta_schedule']}",
        "prediction": schedule["prediction_type"],
    }


def _names(latents: Path, part: str) -> tuple[list[str], list[str]]:
    """Sample and original ids; samples that have none are named by their number."""
    columns = latents_columns(latents)
    if "sample_id" in columns:
        names = [str(value) for value in read_column(latents, "sample_id")]
    else:
        names = [f"{part}_{number}" for number in range(latents_info(latents).count)]
    if "original_id" not in columns:
        return names, names
    return names, [str(value) for value in read_column(latents, "original_id")]
