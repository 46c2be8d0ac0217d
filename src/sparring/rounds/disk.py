"""What a run will need on disk, before it begins."""

import shutil
from pathlib import Path

from ..models.presets import PRESETS
from ..settings.dataset import ManifestDataset
from ..settings.experiment import PretrainExperiment
from .encodings import volume_encoding
from .facts import dataset_facts
from .jobs import Wildcards
from .loading import Rounds
from .shapes import data_facts, latent_shape
from .vqgan import volume_bytes

_HALF, _SINGLE = 2, 4  # bytes per number: latents, weights
_GROWTH = 3  # a training state holds weights, their average and two moments beside the outputs


def disk_needed(rounds: Rounds, planned: list[tuple[str, Wildcards]]) -> str:
    """One line: jobs planned, about how much they will write, and how much is free."""
    needed = sum(_bytes_of(rounds, rule, wildcards) for rule, wildcards in planned)
    results = Path(rounds.config.results).absolute()
    existing = next(p for p in (results, *results.parents) if p.exists())
    free = shutil.disk_usage(existing).free
    line = (
        f"{len(planned)} jobs will write about {_size(needed)} to {rounds.config.results}, where "
        f"{_size(free)} are free"
    )
    return line if needed < free else f"warning: {line}: the disk may run full"


def _bytes_of(rounds: Rounds, rule: str, wildcards: Wildcards) -> int:
    if rule == "pack_layouts":
        facts = dataset_facts(rounds, wildcards["dataset"])
        settings = rounds.config.datasets[wildcards["dataset"]]
        bands = 3 if isinstance(settings, ManifestDataset) else 1
        return (facts.train_rows + 2 * facts.test_rows) * facts.side**2 * bands
    name = wildcards.get("experiment")
    if rule == "pack_volumes" or name in rounds.vqgans:
        return volume_bytes(rounds, rule, wildcards)
    encodes = rule in ("encode_layouts", "encode_volumes")
    if encodes:
        data = wildcards["dataset"], wildcards["autoencoder"]
        name = next((n for n in rounds.experiments if _encoded_by(rounds, n) == data), None)
    if name is None:
        return 0
    latent = latent_shape(rounds, name).numbers * _HALF
    if encodes:
        facts = data_facts(rounds, name)
        return (facts.train_rows + 2 * facts.test_rows) * latent
    if rule in ("encode_real", "sample_fake"):
        return rounds.adversarial(name).num_samples_at(int(wildcards["iteration"])) * latent
    if rule == "sample_evaluation":
        return rounds.started(name).evaluation.num_samples * latent
    if rule in ("pretrain_diffusion", "finetune_semantic", "finetune_diffusion", "guide_denoiser"):
        return _parameters(rounds, name) * _SINGLE * (2 + _GROWTH)
    if rule == "export_pipeline":
        return _parameters(rounds, name) * _SINGLE
    return 0


def _encoded_by(rounds: Rounds, name: str) -> tuple[str, str]:
    """The wildcards of the encoding of an experiment's data."""
    encoding = volume_encoding(rounds, name)
    return (encoding.dataset, encoding.key) if encoding else rounds.data_of(name)


def _parameters(rounds: Rounds, name: str) -> int:
    """Parameters of an experiment's denoiser; 0 where it comes from a directory."""
    experiment = rounds.experiments[name]
    if isinstance(experiment, PretrainExperiment):
        return PRESETS[experiment.denoiser.preset].parameters
    start = rounds.reference(name, "start_from", experiment.start_from).experiment
    return _parameters(rounds, start) if start else 0


def _size(count: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit in ("B", "kB") else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"
