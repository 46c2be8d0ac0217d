"""Results of experiments that nobody ran: the files that a report reads, small and quickly made."""

import csv
import json
from pathlib import Path

import numpy as np
from workspace import Workspace

from sparring.artefacts.sample_pictures import HELD_OUT, SamplePictures, write_pictures
from sparring.rounds import Rounds, job_files, load_rounds
from sparring.rounds.listing import all_jobs

SIDE, SAMPLES, NEAREST = 16, 16, 3


def made_rounds(directory: Path, config: dict | None = None, **experiments: dict) -> Rounds:
    """Experiments in files under `directory`, beside those of the micro settings."""
    workspace = Workspace(directory, directory)
    folders = {name: str(directory / name) for name in ("results", "state", "logs")}
    workspace.config |= folders | (config or {})
    workspace.experiments |= experiments
    workspace.write()
    return load_rounds(workspace.config, str(directory / "config.yaml"))


def make_results(rounds: Rounds, without: tuple[str, ...] = ()) -> None:
    """Everything that a finished run leaves and a report reads, but for the names in `without`."""
    for rule, wildcards in all_jobs(rounds):
        files = job_files(rounds, rule, wildcards)
        if wildcards.get("experiment") not in without:
            _write(Path(files.record), json.dumps({"settings": {}, "device": "cpu"}))
            row = "2026-01-01 00:00:00,2026-01-01 00:01:00,60.0,finished,host,,500"
            _write(Path(files.log).with_suffix(".attempts.csv"), f"{ATTEMPTS}\n{row}\n")
    for name, experiment in rounds.experiments.items():
        place = Path(rounds.config.results) / name
        if name in without:
            continue
        if experiment.kind == "pretrain":
            history(place / "diffusion_history.csv", "noise_loss")
            continue
        table(place / "evaluation.csv", rounds.models(name), seed=len(name))
        pictures(place / "samples.h5", rounds.models(name))
        if experiment.kind == "finetune":
            history(place / "diffusion_history.csv", "noise_loss", "segmentation_loss")
            continue
        _write(place / "selected.json", json.dumps({"selected": "start", "reason": "no reason"}))
        for n in range(experiment.iterations):
            for arm in rounds.arms(name):
                history(place / f"{arm}/iteration_{n}/diffusion_history.csv", "noise_loss")
            discriminator = place / f"adversarial/iteration_{n}/discriminator_history.csv"
            history(discriminator, "loss", "accuracy")


ATTEMPTS = "started,ended,seconds,outcome,host,job,max_rss_mb"


def table(path: Path, models: list[str], seed: int = 0, figures=("frechet", "kernel")) -> None:
    """An evaluation.csv: training reals first, then the models."""
    random = np.random.default_rng(seed)
    columns = ["model", "arm", "iteration", "num_samples", "num_held_out"]
    columns += [name + end for name in figures for end in ("", "_low", "_high")]
    rows = []
    for model in ("reals", *models):
        arm, _, place = model.partition("/iteration_")
        row = [model, arm, place, 64, 32]
        for _ in figures:
            value = random.uniform(1, 2)
            row += [f"{value:.5g}", f"{value - 0.2:.5g}", f"{value + 0.3:.5g}"]
        rows.append(row)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([columns, *rows])


def history(path: Path, *terms: str, epochs: int = 4) -> None:
    """A history whose terms fall from epoch to epoch; the first row is the baseline."""
    columns = ["epoch", "step", "learning_rate"]
    columns += [f"{split}_{term}" for split in ("train", "val") for term in terms]
    lines = [",".join(columns)]
    for epoch in range(epochs + 1):
        values = [
            "" if split == "train" and epoch == 0 else f"{0.9 / (1 + epoch) + 0.01 * len(term):.4g}"
            for split in ("train", "val")
            for term in terms
        ]
        lines.append(",".join([str(epoch), str(10 * epoch), "0.001", *values]))
    _write(path, "\n".join(lines) + "\n")


def pictures(path: Path, models: list[str], count: int = SAMPLES, side: int = SIDE) -> None:
    """A samples.h5 whose picture n of every model has its own colour."""
    random = np.random.default_rng(0)
    rows = 1 + len(models)

    def drawn(*shape: int) -> np.ndarray:
        return random.integers(0, 255, (*shape, side, side, 3)).astype(np.uint8)

    write_pictures(
        path,
        SamplePictures(
            names=(HELD_OUT, *models),
            pictures=drawn(rows, count),
            reconstructions=drawn(count),
            training=drawn(5),
            training_id=tuple("abcde"),
            nearest=random.integers(0, 5, (rows, count, NEAREST)),
            distance=np.sort(random.uniform(0.5, 1, (rows, count, NEAREST))).astype(np.float32),
        ),
    )


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
