"""Results of experiments that nobody ran: the files that a report reads, small and quickly made."""

import csv
import json
from pathlib import Path

import numpy as np
from PIL import Image
from workspace import Workspace

from sparring.artefacts.plane_pictures import GAP, TEXT
from sparring.artefacts.sample_pictures import HELD_OUT, SamplePictures, write_pictures
from sparring.artefacts.volumes import NEW, SHARED
from sparring.rounds import Rounds, job_files, load_rounds
from sparring.rounds.listing import all_jobs
from sparring.settings.experiment import LatentExperiment

SIDE, SAMPLES, NEAREST = 16, 16, 3


def made_rounds(
    directory: Path, config: dict | None = None, datasets: dict | None = None, **experiments: dict
) -> Rounds:
    """Experiments in files under `directory`, beside those of the micro settings."""
    workspace = Workspace(directory, directory)
    folders = {name: str(directory / name) for name in ("results", "state", "logs")}
    workspace.config |= folders | (config or {})
    workspace.config["datasets"] |= datasets or {}
    workspace.experiments |= experiments
    workspace.write()
    return load_rounds(workspace.config, str(directory / "config.yaml"))


PHANTOMS = {"phantoms": {"kind": "phantoms", "num_volumes": 5, "size": 32}}
VQGAN = {"kind": "vqgan", "dataset": "phantoms", "steps": 20, "discriminator_iter_start": 10,
         "training": {"eval_interval": 5, "codebook": {"start_step": 1}}}  # fmt: skip
PLANE = (12, 20, 3)  # a column of planes in made pictures


def make_results(rounds: Rounds, without: tuple[str, ...] = ()) -> None:
    """Everything that a finished run leaves and a report reads, but for the names in `without`."""
    for rule, wildcards in all_jobs(rounds):
        files = job_files(rounds, rule, wildcards)
        if wildcards.get("experiment") not in without:
            _write(Path(files.record), json.dumps({"settings": {}, "device": "cpu"}))
            row = "2026-01-01 00:00:00,2026-01-01 00:01:00,60.0,finished,host,,500"
            _write(Path(files.log).with_suffix(".attempts.csv"), f"{ATTEMPTS}\n{row}\n")
    for name, vqgan in rounds.vqgans.items():
        if name not in without:
            volumes(Path(rounds.config.results) / name, vqgan.phases)
    for name, experiment in rounds.experiments.items():
        if name not in without:
            _layouts(rounds, name, experiment)


def _layouts(rounds: Rounds, name: str, experiment: LatentExperiment) -> None:
    place = Path(rounds.config.results) / name
    if experiment.kind == "pretrain":
        history(place / "diffusion_history.csv", "noise_loss")
        return
    table(place / "evaluation.csv", rounds.models(name), seed=len(name))
    pictures(place / "samples.h5", rounds.candidates(name))
    if experiment.kind == "finetune":
        history(place / "diffusion_history.csv", "noise_loss", "segmentation_loss")
        return
    compared = {"verdict": "No reason", "selected": "start", "outcome": "kept", "differences": []}
    _write(place / "comparisons.json", json.dumps(compared))
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


def volumes(place: Path, phases: tuple[str, ...], groups=(NEW, SHARED), **psnr: float) -> None:
    """What an experiment on volumes leaves: one volume per group, figures by phase.

    `psnr` gives a model's value; a gradient ratio follows from the order of the models.
    """
    figures = {"ssim": 0.9, "mae_hu": 20.0, "bits_per_voxel": 0.14}
    rows = []
    for n, model in enumerate((*phases, "constant", "trilinear_equal_bits")):
        own = {"psnr": psnr.get(model, 30.0 - n), "gradient_ratio": 0.5 + 0.2 * n} | figures
        codes = {"perplexity": 90.0 + n, "codes_used": 200.0} if model in phases else {}
        rows += [{"model": model, "group": group, "volumes": 1} | own | codes for group in groups]
        if model not in phases:
            continue
        judged = [
            {"sample_id": f"volume_{g}", "group": groups[g]} | own for g in range(len(groups))
        ]
        warning = "NOT SPLIT BY PATIENT: slabs of p1" if SHARED in groups else None
        content = {"volumes": judged, "baselines": {}, "warning": warning}
        _write(place / model / "evaluation.json", json.dumps(content))
        terms = ("l1", "psnr", "disc_loss") if model == "adversarial" else ("l1", "psnr")
        history(place / model / "history.csv", *terms, epochs=2)
        for g in range(len(groups)):
            planes(place / model / "reconstructions" / f"volume_{g}.png", seed=n)
    path = place / "volumes.csv"
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n", restval="")
        writer.writeheader()
        writer.writerows(rows)


def planes(path: Path, seed: int) -> None:
    """A picture of three columns of planes, in noise."""
    height, width, _ = PLANE
    shape = (TEXT + height + GAP, 3 * (width + GAP) + GAP, 3)
    pixels = np.random.default_rng(seed).integers(0, 255, shape).astype(np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
