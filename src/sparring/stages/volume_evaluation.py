"""Held-out volumes through a trained VQ-GAN, how close they come, and latents of all volumes."""

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..artefacts.atomic import write_text
from ..artefacts.digests import file_digest, model_digest
from ..artefacts.latents import writing_latents
from ..artefacts.models import load_model
from ..artefacts.nifti import write_new
from ..artefacts.volumes import NEW, SHARED, VolumeRow, Volumes, writing_volumes
from ..compute import Compute
from ..data.patches import grid_patches, grid_places, read_patch
from ..errors import UserError
from ..evaluation.volume_baselines import baselines
from ..evaluation.volume_report import Entry, entry, table
from ..evaluation.volumes import compare
from ..inference.reconstruction import autoencoding, reconstruct
from ..models.vqgan import VQGAN
from ..progress import progress
from ..sampling.decoders import require_statistics
from ..sampling.pictures import save_picture
from ..sampling.volume_pictures import three_planes
from ..settings.vqgan_stages import (
    EncodeVolumes,
    EvaluateVqgan,
    ReconstructVolumes,
    SummariseVolumes,
)
from ..training.patch_validation import measure_patches
from .job import Job

logger = logging.getLogger(__name__)


def reconstruct_volumes(
    job: Job[ReconstructVolumes], volumes_file: Path, model: Path, output: Path, folder: Path
) -> None:
    """All volumes of a split: into one HDF5 file, and as NIfTI and pictures in a folder."""
    s = job.settings
    volumes = Volumes(volumes_file)
    network = autoencoding(load_model(VQGAN, model), job.compute(), s.inference, str(model))
    rows = volumes.rows(s.split)
    with writing_volumes(
        output, volumes.hu_window, volumes.orientation, volumes.split_by
    ) as writer:
        for row in progress(rows, "reconstructing", len(rows), "volume"):
            hu, name = volumes.read(row), volumes.sample_id[row]
            made = reconstruct(hu, volumes.hu_window, network, s.inference)
            affine = volumes.affine[row]
            writer.append(
                made,
                VolumeRow(name, volumes.patient_id[row], s.split, affine, volumes.source[row]),
            )
            write_new(made, affine, folder / f"{name}.nii.gz")
            planes = three_planes(
                hu, {"reconstruction": made}, volumes.spacing[row], volumes.hu_window
            )
            save_picture(folder / f"{name}.png", planes)
    logger.info("%d volumes of split %s reconstructed", len(rows), s.split)


def evaluate_vqgan(
    job: Job[EvaluateVqgan], volumes_file: Path, reconstructions: Path, model: Path, output: Path
) -> None:
    """Figures of every reconstructed volume and of simple codes at the same rate; use of codes."""
    volumes, made = Volumes(volumes_file), Volumes(reconstructions)
    vqgan = load_model(VQGAN, model)
    by_name = {name: row for row, name in enumerate(volumes.sample_id)}
    entries: list[Entry] = []
    simple: dict[str, list[Entry]] = {}
    for row in progress(range(len(made)), "comparing", len(made), "volume"):
        name = made.sample_id[row]
        original = by_name.get(name)
        if original is None:
            raise UserError(
                f"{reconstructions}: has {name}, which {volumes_file} does not; reconstruct the "
                "volumes again"
            )
        hu, window = volumes.read(original), volumes.hu_window
        group = SHARED if volumes.trained_on(original) else NEW
        scores = compare(hu, made.read(row), window)
        entries.append(entry(name, group, scores, vqgan.bits_per_voxel))
        for key, baseline in baselines(hu, window, vqgan.bits_per_voxel, vqgan.factor).items():
            one = entry(name, group, baseline.scores, baseline.bits_per_voxel)
            simple.setdefault(key, []).append(one)
    used = _use_of_codes(vqgan, volumes, job.settings.patch_size, job.compute())
    found = {"volumes": entries, "baselines": simple, "warning": volumes.warning, **used}
    write_text(output, json.dumps(found, indent=2) + "\n")
    logger.info("perplexity %.1f of %d codes", used["perplexity"], vqgan.num_codes)


def encode_volumes(
    job: Job[EncodeVolumes], volumes_file: Path, model: Path, outputs: dict[str, Path]
) -> None:
    """Patches that cover every volume, as latents standardised by the model's statistics, and
    their codes in column `codes`; one file per split.

    Latents are those before rounding: what is sampled is to be rounded before it is decoded.
    """
    s, compute = job.settings, job.compute()
    volumes, vqgan = Volumes(volumes_file), load_model(VQGAN, model).to(compute.device)
    require_statistics(vqgan.config, str(model))
    attributes = {
        "kind": "encoded",
        "autoencoder_digest": model_digest(model),
        "source_digest": file_digest(volumes_file),
        "patch_size": s.patch_size,
    }
    for split, output in outputs.items():
        _encode_split(vqgan, volumes, s, compute, output, attributes | {"split": split})


@torch.no_grad()
def _encode_split(
    vqgan: VQGAN,
    volumes: Volumes,
    s: EncodeVolumes,
    compute: Compute,
    output: Path,
    attributes: dict[str, Any],
) -> None:
    mean, std = (
        torch.tensor(values, device=compute.device).view(1, -1, 1, 1, 1)
        for values in (vqgan.config.latents_mean, vqgan.config.latents_std)
    )
    places = grid_places(volumes, volumes.rows(attributes["split"]), s.patch_size)
    starts, codes = range(0, len(places), s.batch_size), []
    with writing_latents(output, len(places), attributes) as writer:
        for start in progress(starts, f"encoding {attributes['split']}", len(starts), "batch"):
            some = places[start : start + s.batch_size]
            patches = np.stack([read_patch(volumes, *place, s.patch_size) for place in some])
            latents = vqgan.encode(torch.from_numpy(patches[:, None]).to(compute.device))
            codes.append(vqgan.quantise(latents).indices.cpu().numpy().astype(np.int32))
            writer.append(((latents - mean) / std).cpu().numpy())
        names = [f"{volumes.sample_id[row]}@{'_'.join(map(str, at))}" for row, at in places]
        writer.column("sample_id", names)
        writer.column("original_id", [volumes.patient_id[row] for row, _ in places])
        writer.column("is_augmented", np.zeros(len(places), dtype=bool))
        writer.column("codes", np.concatenate(codes))
    logger.info("%d patches of %s encoded", len(places), attributes["split"])


def summarise_volumes(
    job: Job[SummariseVolumes],
    volumes_file: Path,
    phases: list[str],
    evaluations: list[Path],
    reconstructions: list[Path],
    table_file: Path,
    picture: Path,
) -> None:
    """One table of all phases and baselines, and the first volume of each group in one picture."""
    found = {
        phase: json.loads(path.read_text(encoding="utf-8"))
        for phase, path in zip(phases, evaluations, strict=True)
    }
    write_text(table_file, table(found))
    warning = next(iter(found.values()))["warning"]
    if warning:
        logger.warning("warning: %s", warning)
    volumes = Volumes(volumes_file)
    made = {phase: Volumes(path) for phase, path in zip(phases, reconstructions, strict=True)}
    entries = next(iter(found.values()))["volumes"]
    chosen = next((e for e in entries if e["group"] == NEW), entries[0])["sample_id"]
    row = volumes.sample_id.index(chosen)
    others = {phase: one.read(one.sample_id.index(chosen)) for phase, one in made.items()}
    save_picture(
        picture, three_planes(volumes.read(row), others, volumes.spacing[row], volumes.hu_window)
    )


def _use_of_codes(vqgan: VQGAN, volumes: Volumes, size: int, compute: Compute) -> dict[str, float]:
    """Over the whole validation split."""
    patches = grid_patches(volumes, volumes.rows("val"), size)
    found = measure_patches(vqgan.to(compute.device), patches, compute)
    return {name: found[name] for name in ("perplexity", "codes_used")}
