"""Judging all models of an experiment together: differences, the verdict, the table."""

import json
import logging
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np

from ..artefacts.atomic import replacing, write_text
from ..artefacts.decoded_statistics import read_maps, read_statistics
from ..artefacts.model_files import DENOISER_FILES
from ..errors import UserError
from ..evaluation.comparing import Model, differences
from ..evaluation.judging import judge_maps
from ..evaluation.layout_statistics import layout_figures
from ..evaluation.statistics import Figure, Parts
from ..evaluation.two_sample import Rows
from ..evaluation.verdict import decide
from ..evaluation.volume_statistics import volume_figures
from ..progress import progress
from ..settings.parts import DECODED_REALS, NULL, EvaluationSettings
from ..settings.stages import CompareModels, SelectBest, Summarise
from .job import Job
from .judging import one_key_a_line

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Files:
    """What is compared: files by the model's name; real against real is called `reals`."""

    evaluations: dict[str, Path]
    decoded: dict[str, Path]
    """Statistics of decoded layouts or volumes, if they were measured."""


def compare_models(job: Job[CompareModels], files: Files, output: Path) -> None:
    """Pair the figures of all models and come to a verdict."""
    import torch

    torch.set_num_threads(job.threads)
    judged = {name: _read(path) for name, path in files.evaluations.items()}
    more = _decoded_figures(files, job.settings.evaluation)
    models = [
        Model(name, figures_of(content) | more.get(name, {})) for name, content in judged.items()
    ]
    null = next(model for model in models if model.name == NULL)
    models = [model for model in models if model.name != NULL]
    found = differences(models, null)
    verdict = decide(models, null, found)
    content: dict[str, Any] = {
        "verdict": verdict.sentence,
        "outcome": verdict.outcome,
        "selected": verdict.selected,
        "reasons": verdict.reasons,
        "p": verdict.p,
        "differences": [difference.to_json() for difference in found],
        "figures": {
            name: {key: _short(figure) for key, figure in figures.items()}
            for name, figures in more.items()
        },
    }
    write_text(output, one_key_a_line(content))
    logger.info(verdict.sentence)


def select_best(
    job: Job[SelectBest], comparisons: Path, denoisers: dict[str, Path], output: Path, verdict: Path
) -> None:
    """Copy the chosen model's files to `output` and say why in `verdict`."""
    found = _read(comparisons)
    chosen = found["selected"]
    for name in DENOISER_FILES:
        with replacing(output / name) as aside:
            shutil.copyfile(denoisers[chosen] / name, aside)
    content = {"selected": chosen, "reason": found["verdict"], "iterations": found["reasons"]}
    write_text(verdict, json.dumps(content, indent=2) + "\n")
    logger.info("selected %s: %s", chosen, found["verdict"])


def summarise(
    job: Job[Summarise],
    evaluations: dict[str, Path],
    comparisons: Path,
    layouts: dict[str, Path],
    table: Path,
    plot: Path,
) -> None:
    """All evaluations as a tidy CSV and a plot; `layouts` are figures of decoded models, if any."""
    from ..evaluation.report import evaluation_table, plot_evaluations

    compared = _read(comparisons)["figures"]
    rows = {}
    for name, path in evaluations.items():
        rows[name] = _read(path)
        rows[name]["figures"] |= compared.get(name, {})
        if name in layouts:
            rows[name]["layouts"] = _read(layouts[name])
    if compared.get(DECODED_REALS):  # of these there are figures of what is decoded and no others
        rows[DECODED_REALS] = _decoded_reals(rows[NULL], compared[DECODED_REALS])
    made = evaluation_table(rows, job.settings.seed)
    write_text(table, made.to_csv(index=False, float_format="%.6g", lineterminator="\n"))
    with replacing(plot) as aside:
        plot_evaluations(made, aside)


def _decoded_reals(null: dict[str, Any], figures: dict[str, Any]) -> dict[str, Any]:
    """The row of held-out reals through the autoencoder, made like those of models."""
    row = {"num_samples": null["num_held_out"], "num_held_out": null["num_held_out"]}
    row["figures"] = figures
    if "layouts" in null:
        theirs = null["layouts"]
        row["layouts"] = {"samples": theirs[DECODED_REALS], "classes": theirs["classes"]}
    return row


def figures_of(content: dict[str, Any]) -> dict[str, Figure]:
    """The figures of an evaluation.json."""
    return {name: Figure.from_json(figure) for name, figure in content["figures"].items()}


def _decoded_figures(files: Files, settings: EvaluationSettings) -> dict[str, dict[str, Figure]]:
    """Figures of decoded layouts or volumes against original held-out ones, by model, and of these
    decoded."""
    from ..evaluation.layouts import EncodedMaps

    if not files.decoded:
        return {}
    null = files.decoded[NULL]
    sides = {model: (path, "samples") for model, path in files.decoded.items()}
    sides[DECODED_REALS] = null, DECODED_REALS
    reals = read_statistics(null, "held_out")
    window = reals.pop("hu_window", None)
    found = {}
    for model, (path, whose) in progress(sides.items(), "comparing", len(sides), "model"):
        columns = read_statistics(path, whose)
        parts = Parts.of(columns["group"], reals["group"], settings.seed)
        if window is not None:
            low, high = window.tolist()
            found[model] = volume_figures(columns, reals, (low, high), parts)
            continue
        found[model] = layout_figures(columns, reals, parts)
        # Without classes, of RGB, there are no shares.
        classes = reals["class_shares"].shape[1] if "class_shares" in reals else 0
        samples, theirs = (
            Rows(cast(np.ndarray, EncodedMaps(read_maps(*side), classes)), groups)
            for side, groups in (
                ((path, whose), columns["group"]),
                ((null, "held_out"), reals["group"]),
            )
        )
        found[model] |= judge_maps(samples, theirs, settings, twins=whose == DECODED_REALS)
    return found


def _short(figure: Figure) -> dict[str, float]:
    """For tables, which need no deviations."""
    return {k: v for k, v in figure.to_json().items() if k not in ("values", "deviations")}


def _read(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(
            f"{path}: not readable JSON ({error}); delete it and run the stage that writes it again"
        ) from error
