"""Judging all models of an experiment together: differences, the verdict, the table."""

import json
import logging
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..artefacts.atomic import replacing, write_text
from ..artefacts.decoded_statistics import read_statistics
from ..artefacts.latents import latents_info, read_column, read_latents, require_same_autoencoder
from ..artefacts.model_files import DENOISER_FILES
from ..errors import UserError
from ..evaluation.comparing import Model, differences
from ..evaluation.judges import JUDGES
from ..evaluation.judging import draws_of
from ..evaluation.layout_statistics import layout_figures
from ..evaluation.statistics import Figure
from ..evaluation.two_sample import Rows, auc_figure, train_panel, turns
from ..evaluation.verdict import decide
from ..evaluation.volume_statistics import volume_figures
from ..progress import progress
from ..settings.parts import DECODED_REALS, NULL, EvaluationSettings
from ..settings.stages import CompareModels, SelectBest, Summarise
from .job import Job
from .judging import one_key_a_line, sampled_rows

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Files:
    """What is compared: files by the model's name; the null is called `reals`."""

    samples: dict[str, Path]
    evaluations: dict[str, Path]
    held_out: Path
    decoded: dict[str, Path]
    """Statistics of decoded layouts or volumes, if they were measured."""


def compare_models(job: Job[CompareModels], files: Files, output: Path) -> None:
    """Score every model by the same judges, pair the differences and come to a verdict."""
    import torch

    torch.set_num_threads(job.threads)
    infos = [latents_info(path) for path in (*files.samples.values(), files.held_out)]
    require_same_autoencoder(*infos)
    settings = job.settings.evaluation
    judged = {name: _read(path) for name, path in files.evaluations.items()}
    more = _fixed_figures(files, judged, settings)
    for name, figures in _decoded_figures(files, settings).items():
        more.setdefault(name, {}).update(figures)
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


def _fixed_figures(
    files: Files, judged: dict[str, dict[str, Any]], settings: EvaluationSettings
) -> dict[str, dict[str, Figure]]:
    """AUCs of every model by the same judges, which have seen equal shares of all models.

    One model's samples are in memory at a time.
    """
    count = min(judged[name]["num_samples"] for name in files.samples)
    reals = Rows(
        read_latents(files.held_out), read_column(files.held_out, "original_id").astype(str)
    )
    shares = zip(files.samples.values(), turns(len(files.samples), count), strict=True)
    parts = [(read_latents(path, rows), [f"noise {n}" for n in rows]) for path, rows in shares]
    pool = Rows(np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts]))
    panels = {
        f"fixed_auc_{family}": train_panel(judge, reals, pool, settings.judge_seeds, settings.seed)
        for family, judge in JUDGES.items()
    }
    real_scores = {name: panel.scores(reals) for name, panel in panels.items()}
    found: dict[str, dict[str, Figure]] = {}
    for model, path in progress(files.samples.items(), "scoring", len(files.samples), "model"):
        rows = sampled_rows(path, count)
        draws = draws_of(rows.groups, reals.groups, settings)
        found[model] = {
            name: auc_figure(real_scores[name], panel.scores(rows), draws[1], draws[0])
            for name, panel in panels.items()
        }
    return found


def _decoded_figures(files: Files, settings: EvaluationSettings) -> dict[str, dict[str, Figure]]:
    """Figures of decoded layouts or volumes, with the same resamples for every model."""
    if not files.decoded:
        return {}
    reals = read_statistics(files.decoded[NULL], "held_out")
    window = reals.pop("hu_window", None)
    found = {}
    judged: list[tuple[str, Path, str]] = [(n, p, "samples") for n, p in files.decoded.items()]
    for model, path, whose in [*judged, (DECODED_REALS, files.decoded[NULL], DECODED_REALS)]:
        samples = read_statistics(path, whose)
        samples.pop("hu_window", None)
        draws = draws_of(samples["group"], reals["group"], settings)
        if window is None:
            found[model] = layout_figures(samples, reals, *draws)
        else:
            low, high = window.tolist()
            found[model] = volume_figures(samples, reals, (low, high), *draws)
    return found


def _short(figure: Figure) -> dict[str, float]:
    """For tables, which need no resamples."""
    return {k: v for k, v in figure.to_json().items() if k in ("value", "se", "low", "high")}


def _read(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(
            f"{path}: not readable JSON ({error}); delete it and run the stage that writes it again"
        ) from error
