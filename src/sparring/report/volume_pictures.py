"""Pictures of held-out volumes through every phase, and how their codes are used."""

import json
from pathlib import Path

import numpy as np
from PIL import Image

from ..artefacts.histories import Row
from ..artefacts.model_files import CONFIG
from ..artefacts.plane_pictures import columns_of
from ..errors import UserError
from .images import QUALITIES, Figure, encoded_figure
from .reading import Reading
from .volumes import CodesUsed, Compared, Judged, ShownVolume, VolumeTable

_COLUMNS = 3  # original, reconstruction, error
_SIDES = (384, 256, 160)  # pixels of a column's width, as many as the budget allows


def shown_volumes(
    place: Path, judged: dict[str, Judged], groups: list[str], budget: int, read: Reading
) -> tuple[ShownVolume, ...]:
    """The first volume of each group through all judged phases, within `budget` bytes or the
    smallest there are."""
    chosen = {
        row.model: group
        for group in groups
        if (row := next((f for j in judged.values() if (f := j.first(group))), None))
    }
    pictures = {name: _columns(place, judged, name, read) for name in chosen}
    made: tuple[ShownVolume, ...] = ()
    for side in _SIDES:
        for quality in QUALITIES:
            made = tuple(
                ShownVolume(name, chosen[name], *_figures(name, judged, columns, side, quality))
                for name, columns in pictures.items()
                if columns
            )
            if sum(map(_size, made)) <= budget:
                return made
    return made


def codes_used(
    place: Path, table: VolumeTable | None, histories: dict[str, list[Row]]
) -> tuple[CodesUsed, ...]:
    """Use of the codebook by phase."""
    found: list[CodesUsed] = []
    for row in table.rows if table else ():
        known = {"perplexity", "codes_used"} <= set(row.values)
        if not known or not row.is_phase or row.model in [one.phase for one in found]:
            continue
        dead = [
            r["train_dead_codes"] for r in histories.get(row.model, []) if "train_dead_codes" in r
        ]
        found.append(
            CodesUsed(
                row.model,
                row.values["perplexity"],
                row.values["codes_used"],
                _number_of_codes(place / row.model / "vqgan" / CONFIG),
                dead[-1] if dead else None,
            )
        )
    return tuple(found)


def _columns(
    place: Path, judged: dict[str, Judged], name: str, read: Reading
) -> dict[str, list[np.ndarray]]:
    """Original, reconstruction and error `[h,w,3]` by phase, where there is a picture."""
    found: dict[str, list[np.ndarray]] = {}
    for phase in judged:
        path = place / phase / "reconstructions" / f"{name}.png"
        columns = read(path, lambda p: columns_of(_pixels(p), _COLUMNS, str(p)))
        found |= {phase: columns} if columns else {}
    return found


def _pixels(path: Path) -> np.ndarray:
    try:
        with Image.open(path) as image:
            return np.asarray(image.convert("RGB"))
    except (OSError, SyntaxError) as error:  # Pillow calls a damaged PNG bad syntax
        raise UserError(
            f"{path}: not a readable picture ({error}); delete it and run snakemake again"
        ) from error


def _figures(
    name: str,
    judged: dict[str, Judged],
    columns: dict[str, list[np.ndarray]],
    side: int,
    quality: int,
) -> tuple[Figure, tuple[Compared, ...]]:
    """The original, and what every phase makes of it."""
    figures = {
        phase: [
            _reduced(column, phase, _note(judged[phase], name), side, quality) for column in own
        ]
        for phase, own in columns.items()
    }
    phases = tuple(Compared(phase, made, error) for phase, (_, made, error) in figures.items())
    return next(iter(figures.values()))[0], phases


def _reduced(picture: np.ndarray, name: str, note: str, side: int, quality: int) -> Figure:
    height, width = picture.shape[:2]
    if width > side:
        size = (side, max(1, round(height * side / width)))
        image = Image.fromarray(np.ascontiguousarray(picture))
        picture = np.asarray(image.resize(size, Image.Resampling.BOX))
    return encoded_figure(name, picture, quality, note)


def _note(judged: Judged, name: str) -> str:
    row = next((row for row in judged.volumes if row.model == name), None)
    values = row.values if row else {}
    parts = [f"PSNR {values['psnr']:.1f} dB"] if "psnr" in values else []
    if "gradient_ratio" in values:
        parts.append(f"gradient ratio {values['gradient_ratio']:.2f}")
    return ", ".join(parts)


def _size(shown: ShownVolume) -> int:
    return shown.original.size + sum(p.made.size + p.error.size for p in shown.phases)


def _number_of_codes(config: Path) -> int | None:
    """How many codes a model has; None where its config does not say it."""
    try:
        content = json.loads(config.read_text(encoding="utf-8"))
        if content.get("quantiser") == "fsq":
            return int(np.prod(content["fsq_levels"]))
        return int(content["num_codes"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
