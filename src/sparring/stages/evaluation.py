"""Looking at decoded models: figures of layouts, and samples side by side."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ..artefacts.atomic import write_text
from ..artefacts.decoded_statistics import MAPS, Columns, write_statistics
from ..artefacts.latents import latents_info, read_column, read_conditions, read_latents
from ..errors import UserError
from ..progress import progress
from ..randomness import numpy_generator
from ..settings.parts import DECODED_REALS
from ..settings.stages import MeasureLayouts
from ..settings.volume_stages import MeasureVolumes
from .job import Job

_ROWS_ONLY = (MAPS, "group", "adjacencies", "inception")


def measure_layouts(
    job: Job[MeasureLayouts],
    autoencoder: Path,
    layouts_file: Path,
    held_out: Path,
    samples: Path,
    output: Path,
    statistics: Path,
    denoiser: Path | None,
) -> None:
    """Figures of a model's decoded samples and predictions; `statistics` has a row per layout.

    Without a denoiser `samples` are training latents, of which some are drawn: the null. In the
    place of samples stand their original layouts. Besides, what all models are compared with is
    measured: the original held-out layouts, and beside them the same through the autoencoder.
    """
    from ..artefacts.layouts import Layouts
    from ..evaluation.layouts import InceptionFeatures, LayoutMeasures
    from ..models.autoencoder import Codec
    from ..models.inception import load_inception

    s, codec, layouts = job.settings, Codec.load(autoencoder, job.compute()), Layouts(layouts_file)
    inception = None
    if s.inception_weights is not None:
        inception = InceptionFeatures(load_inception(s.inception_weights), codec.compute, s.seed)
    palette = layouts.palette if layouts.classes else None
    measures = LayoutMeasures(palette, layouts.roles, s.batch_size, inception)
    rows = _rows(s, samples, draw=denoiser is None)
    if denoiser is not None:
        decoded = measures.decoded(codec, read_latents(samples, rows))
        measured = {"samples": decoded | {"group": rows}}
    else:
        theirs = _originals(held_out)[: s.num_samples]
        reals = _of_originals(measures, layouts, "test", held_out, theirs)
        decoded = measures.decoded(codec, read_latents(held_out, theirs))
        measured = {
            "samples": _of_originals(measures, layouts, "train", samples, rows),
            "held_out": reals,
            DECODED_REALS: decoded | {"group": reals["group"]},
        }
    figures: dict[str, Any] = {
        whose: {name: _mean(values) for name, values in columns.items() if name not in _ROWS_ONLY}
        for whose, columns in measured.items()
    }
    figures["classes"] = {str(entry["id"]): entry["name"] for entry in layouts.classes or []}
    if denoiser is not None and layouts.classes and codec.num_classes:
        figures["predictions"] = _predictions(job, codec, denoiser, held_out, layouts)
    write_statistics(statistics, measured)
    write_text(output, json.dumps(figures, indent=2) + "\n")


def _of_originals(
    measures: Any, layouts: Any, split: str, latents: Path, rows: np.ndarray
) -> Columns:
    """Statistics of the layouts that rows of a split's latents were encoded from."""
    packed = _packed_rows(layouts, split, latents, rows)
    found = measures.originals(layouts.read(packed))
    return found | {"group": np.array([layouts.original_id[row] for row in packed], dtype=object)}


def _packed_rows(layouts: Any, split: str, latents: Path, rows: np.ndarray) -> np.ndarray:
    """Where the layouts that rows of a split's latents were encoded from are packed."""
    packed = layouts.rows(split)
    names = read_column(latents, "sample_id")
    theirs = [layouts.sample_id[row] for row in packed]
    if theirs != names.tolist():
        raise UserError(
            f"{latents}: its {len(names)} latents are not those of the {len(theirs)} layouts of "
            f"split {split!r} in {layouts.path}, by sample_id; give the layouts that they were "
            "encoded from, or encode these"
        )
    return packed[rows]


def measure_volumes(
    job: Job[MeasureVolumes],
    vqgan: Path,
    held_out: Path,
    samples: Path,
    statistics: Path,
    volumes: Path | None,
) -> None:
    """Statistics of a model's decoded samples, a row per volume.

    With `volumes`, the packed originals, `samples` are training latents, of which some are drawn:
    the null. As of layouts, originals stand in the place of samples, and the held-out ones are
    measured too, as originals and as the VQ-GAN decodes them.
    """
    from ..sampling.decoders import VolumeDecoder
    from ..sampling.originals import VolumeOriginals

    compute, most = job.compute(), job.settings.num_samples
    rows = _rows(job.settings, samples, draw=volumes is not None)
    if volumes is None:
        decoder = VolumeDecoder.load(vqgan, compute)
        found = {"samples": _of_volumes(_decoded(decoder, samples, rows), decoder.window)}
        found["samples"]["group"] = rows
    else:
        sides = latents_info(samples).shape[1:]
        originals = VolumeOriginals(volumes, vqgan, sides, compute)
        theirs, decoder = _evenly(latents_info(held_out).count, most), originals.decoder
        found = {
            "samples": _of_volumes(_patches(originals, "train", samples, rows), decoder.window),
            "held_out": _of_volumes(_patches(originals, "test", held_out, theirs), decoder.window),
            DECODED_REALS: _of_volumes(_decoded(decoder, held_out, theirs), decoder.window),
        }
        found["samples"]["group"] = read_column(samples, "original_id")[rows]
        for whose in ("held_out", DECODED_REALS):
            found[whose]["group"] = read_column(held_out, "original_id")[theirs]
    write_statistics(statistics, found)


def _of_volumes(volumes: Iterable[np.ndarray], window: tuple[float, float]) -> Columns:
    """Statistics of HU volumes `[1,D,H,W]`, which are large and come one by one."""
    from ..evaluation.volume_statistics import volume_statistics

    parts = [volume_statistics(hu, window) for hu in volumes]
    found = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return found | {"hu_window": np.array(window)}


def _decoded(decoder: Any, latents: Path, rows: np.ndarray) -> Iterator[np.ndarray]:
    """Rows of latents as HU volumes `[1,D,H,W]`."""
    for row in progress(rows, "decoding", len(rows), "volume"):
        yield decoder.volumes(as_tensor(read_latents(latents, np.array([row]))))


def _patches(originals: Any, split: str, latents: Path, rows: np.ndarray) -> Iterator[np.ndarray]:
    """The patches that rows of a split's latents were encoded from, HU `[1,D,H,W]`."""
    names = read_column(latents, "sample_id")[rows].tolist()
    if originals.names(split, rows) != names:
        raise UserError(
            f"{latents}: its latents are not those of the patches of split {split!r}, by "
            "sample_id; give the volumes that they were encoded from, or encode these"
        )
    for row in progress(rows, "reading", len(rows), "volume"):
        yield originals.volumes(split, np.array([row]))


def _evenly(total: int, most: int) -> np.ndarray:
    """At most so many of all rows, over all patients alike."""
    if total <= most:
        return np.arange(total)
    return (2 * np.arange(most) + 1) * total // (2 * most)


def as_tensor(latents: np.ndarray) -> Any:
    """float32."""
    import torch

    return torch.from_numpy(latents).float()


def _predictions(
    job: Job[MeasureLayouts], codec: Any, denoiser: Path, held_out: Path, layouts: Any
) -> list[dict[str, float]]:
    from ..evaluation.layouts import measure_predictions
    from ..models.denoiser import OneStep, load_denoiser

    rows, labels = _originals(held_out), read_conditions(latents_info(held_out))
    rows = rows[: job.settings.num_samples]
    return measure_predictions(
        codec,
        OneStep(*load_denoiser(denoiser), codec.compute),
        read_latents(held_out, rows),
        layouts.read(_packed_rows(layouts, "test", held_out, rows)),
        job.settings.seed,
        job.settings.batch_size,
        None if labels is None else labels[rows],
    )


def _rows(settings: MeasureLayouts | MeasureVolumes, samples: Path, draw: bool) -> np.ndarray:
    """The first samples of a model, or a draw of training originals."""
    if not draw:
        return np.arange(min(settings.num_samples, latents_info(samples).count))
    drawn = numpy_generator(settings.seed, "evaluation", "layouts").permutation(_originals(samples))
    return np.sort(drawn[: settings.num_samples])


def _originals(latents: Path) -> np.ndarray:
    return np.flatnonzero(~read_column(latents, "is_augmented"))


def _mean(values: np.ndarray) -> float | list[float]:
    """Over layouts; of one value per class, all of them."""
    mean = values.mean(0, dtype=np.float64)
    return mean.tolist()
