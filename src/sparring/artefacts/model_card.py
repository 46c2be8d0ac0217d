"""README.md of an exported model: data, settings, metrics and digests, from files of results."""

import csv
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ..errors import UserError
from .digests import file_digest, sha256, text_digest
from .model_files import MODEL_CARD, PIPELINE_FILES, PIPELINE_INDEX

_SELECTED, _EVALUATION, _RECONSTRUCTION = "selected.json", "evaluation.csv", "reconstruction.json"
_TABLES = (_EVALUATION, _RECONSTRUCTION)
_NOT_OF_THE_MODEL = {
    "compare_models",
    "compare_samples",
    "export_pipeline",
    "select_best",
    "summarise",
}
_NO_RECORD = "No record of it was given; say here what it was."
_PHASES = ("reconstruction", "adversarial", "control")
"""Folders of a VQ-GAN's experiment."""
_VOLUME_USAGE = """\
## Use

Needs diffusers, `monai` and `einops`; the code of networks and sampling is in this folder.

```python
from diffusers import DiffusionPipeline

pipeline = DiffusionPipeline.from_pretrained("path/to/this/folder", trust_remote_code=True)
volumes = pipeline(batch_size=1, num_inference_steps=100).volumes  # HU, [N,1,D,H,W]
```"""
_UNTOLD = ("stage", "revision", "iteration")  # of settings: said otherwise, or the same for all


def quoted_files(place: Path) -> list[Path]:
    """Records and tables that speak of the model in a folder of results, such as
    `results/demo/adversarial/iteration_2`, `results/demo/selected` or `results/stage1_demo`.

    An iteration brings those before it, `selected` the iteration that was chosen.
    """
    return list(dict.fromkeys(_quoted(place)))


def results_digest(place: Path) -> str:
    """Digest of the content of all files that a model card quotes from a folder of results."""
    return text_digest("".join(f"{p.name}:{file_digest(p)}" for p in quoted_files(place)))


def model_card(
    pipeline: Path,
    title: str,
    facts: dict[str, Any],
    places: list[Path],
    conditions: Sequence[str] = (),
    of_volumes: bool = False,
    code: Sequence[str] = (),
) -> str:
    """The text, after all other files of the pipeline directory but the index are written.

    `code` names the files in it that diffusers runs.
    """
    quoted = list(dict.fromkeys(file for place in places for file in quoted_files(place)))
    records = {p: _record(p) for p in quoted if p.parent.name == "settings"}
    parts = [
        _header(conditions, code),
        f"# {title}",
        "A latent diffusion model, trained with Sparring.",
        "\n".join(f"- {key}: {value}" for key, value in facts.items()),
        _VOLUME_USAGE if of_volumes else _usage(conditions, code),
        "## Data",
        _data(records),
        "## Training",
        "Keys that have their default are left out.",
        _steps(records),
        _versions(records),
        "## Evaluation",
        _evaluation(quoted),
        "## Files",
        _digests(pipeline, code),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _quoted(place: Path) -> Iterator[Path]:
    verdict = place.parent / _SELECTED
    if place.name == "selected" and verdict.is_file():
        yield verdict
        chosen = _record(verdict).get("selected", "start")
        if chosen != "start":
            yield from _quoted(place.parent / chosen)
    number = re.fullmatch(r"iteration_(\d+)", place.name)
    before = [f"iteration_{n}" for n in range(int(number.group(1)))] if number else []
    for name in (*before, place.name):
        records = sorted((place.parent / name / "settings").glob("*.json"))
        yield from (path for path in records if path.stem not in _NOT_OF_THE_MODEL)
    yield from (place / name for name in _TABLES if (place / name).is_file())


def _record(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(
            f"{path}: not readable JSON ({error}); delete it and run the stage that writes it again"
        ) from error
    return content if isinstance(content, dict) else {}


def _header(conditions: Sequence[str], code: Sequence[str]) -> str:
    task = "text-to-image" if conditions else "unconditional-image-generation"
    lines = ("library_name: diffusers", f"pipeline_tag: {task}")
    return "\n".join(("---", *(lines[:1] if conditions or code else lines), "---"))


def _usage(conditions: Sequence[str], code: Sequence[str]) -> str:
    folder, steps = '"path/to/this/folder"', "num_inference_steps=100"
    # Where diffusers has no such pipeline or network, its code is in the folder.
    trust = ", trust_remote_code=True" if conditions or code else ""
    call = f"batch_size=4, {steps}"
    if conditions:
        call = f"{list(conditions[:2])!r}, guidance_scale=2.0, {steps}"
    lines = [
        "## Use",
        "",
        "```python",
        "from diffusers import DiffusionPipeline",
        "",
        f"pipeline = DiffusionPipeline.from_pretrained({folder}{trust})",
        f"images = pipeline({call}).images",
        'images[0].save("sample.png")',
        "```",
    ]
    if conditions:
        lines += ["", f"Conditions: {', '.join(conditions)}. `pipeline.py` samples them."]
    return "\n".join(lines)


def _data(records: dict[Path, dict[str, Any]]) -> str:
    datasets = {
        record.parent.parent.name: content["settings"]["dataset"]
        for record, content in records.items()
        if content.get("settings", {}).get("stage") in ("pack_layouts", "pack_volumes")
    }
    lines = [f"- `{name}`: `{_json(dataset)}`" for name, dataset in datasets.items()]
    return "\n".join(lines) or _NO_RECORD


def _steps(records: dict[Path, dict[str, Any]]) -> str:
    """A row per stage and settings, iterations that were told the same in one."""
    rows: dict[tuple[str, str], list[str]] = {}
    for path, content in records.items():
        settings = content.get("settings", {})
        told = {key: value for key, value in settings.items() if key not in _UNTOLD}
        stage = settings.get("stage", path.stem)
        rows.setdefault((stage, _json(told)), []).append(_shown(path.parent.parent))
    cells = [(stage, "<br>".join(places), f"`{told}`") for (stage, told), places in rows.items()]
    return _table(("stage", "of", "settings"), cells) if cells else _NO_RECORD


def _versions(records: dict[Path, dict[str, Any]]) -> str:
    found = {
        f"{name} {number}"
        for content in records.values()
        for name, number in content.get("versions", {}).items()
    }
    return f"Versions: {', '.join(sorted(found))}." if found else ""


def _evaluation(quoted: list[Path]) -> str:
    parts = []
    for path in quoted:
        if path.name == _SELECTED:
            verdict = _record(path)
            parts.append(f"Selected: {verdict.get('selected')} ({verdict.get('reason')}).")
        elif path.name == _RECONSTRUCTION:
            record = _record(path).items()
            figures = (f"{key} {value:.4g}" for key, value in record if isinstance(value, float))
            parts.append(f"Autoencoder on held-out layouts: {', '.join(figures)}.")
        elif path.name == _EVALUATION:
            with open(path, newline="", encoding="utf-8") as file:
                header, *rows = csv.reader(file)
            caption = f"Judged by held-out reals, `{_shown(path.parent)}`:"
            parts.append(f"{caption}\n\n{_table(tuple(header), rows)}")
    return "\n\n".join(parts) or _NO_RECORD


def _digests(pipeline: Path, code: Sequence[str]) -> str:
    names = [name for name in PIPELINE_FILES if name not in (MODEL_CARD, PIPELINE_INDEX)]
    names += code
    return _table(("file", "sha256"), [(f"`{n}`", f"`{sha256(pipeline / n)}`") for n in names])


def _table(header: tuple[str, ...], rows: list[Any]) -> str:
    lines = [header, ("---",) * len(header), *rows]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines
    )


def _json(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def _shown(place: Path) -> str:
    """A folder of results without what lies above the experiment."""
    depth = 1
    if place.parent.name in ("autoencoders", "datasets", "latents") or place.name in _PHASES:
        depth = 2
    elif place.name.startswith("iteration_"):
        depth = 3
    return "/".join(place.parts[-depth:])
