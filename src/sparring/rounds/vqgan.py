"""Experiments on volumes: where their models lie, what their jobs are told, what is refused."""

from importlib.util import find_spec
from math import prod
from pathlib import Path
from typing import Any

from ..data.volume_facts import VolumeFacts, require_patch, volume_facts
from ..errors import UserError
from ..settings import vqgan_stages as stages
from ..settings.stage_settings import StageSettings
from ..settings.volumes import VolumeDataset
from ..settings.vqgan_experiment import Phase, VqganExperiment
from .encodings import resolved_vqgan, volume_encoding
from .given_models import given_model
from .loading import Rounds

SMALLEST_SIDE = 11
"""Voxels that the structural similarity needs along every axis."""
RULES = (
    "train_vqgan_reconstruction",
    "train_vqgan_adversarial",
    "reconstruct_volumes",
    "evaluate_vqgan",
    "encode_volumes",
    "summarise_volumes",
)


def vqgan_settings(rounds: Rounds, rule: str, wildcards: dict[str, str]) -> StageSettings:
    """The settings of one job of a VQ-GAN."""
    e = rounds.vqgan(wildcards["experiment"])
    if rule == "train_vqgan_reconstruction":
        return stages.TrainVqganReconstruction(
            **_training(rounds, e), steps=e.first_steps, losses=e.losses.in_phase_one, model=e.model
        )
    if rule == "train_vqgan_adversarial":
        return stages.TrainVqganAdversarial(
            **_training(rounds, e),
            first_step=e.first_steps,
            steps=e.steps - e.first_steps,
            losses=e.losses,
            adversarial=e.adversarial if wildcards["phase"] == "adversarial" else None,
        )
    if rule == "reconstruct_volumes":
        return stages.ReconstructVolumes(inference=e.inference)
    if rule == "evaluate_vqgan":
        return stages.EvaluateVqgan(patch_size=e.training.patch_size)
    if rule == "encode_volumes":
        return stages.EncodeVolumes(patch_size=e.training.patch_size)
    return stages.SummariseVolumes()


def _training(rounds: Rounds, e: VqganExperiment) -> dict[str, Any]:
    dataset = rounds.volumes(e.dataset)
    files = dataset if isinstance(dataset, VolumeDataset) else None
    return {
        "seed": e.seed,
        "total_steps": e.steps if e.training.lr_schedule == "cosine" else None,
        "spacing": files.spacing if files else None,
        "pad": files.pad if files else False,
        "training": e.training,
    }


def vqgan_directory(rounds: Rounds, name: str, phase: Phase) -> str:
    """Directory of the model that a phase leaves."""
    return f"{rounds.config.results}/{name}/{phase}/vqgan"


def vqgan_reference(rounds: Rounds, name: str) -> tuple[str, Phase] | str | None:
    """What a VQ-GAN starts from: (experiment, phase), a directory, or nothing."""
    text = rounds.vqgan(name).start_from
    if text is None:
        return None
    return resolved_vqgan(rounds, name, "start_from", text)


def start_vqgan(rounds: Rounds, name: str) -> str | None:
    """Directory of the model that phase one goes on from, if any."""
    start = vqgan_reference(rounds, name)
    if start is None:
        return None
    return start if isinstance(start, str) else vqgan_directory(rounds, *start)


def volumes_used(rounds: Rounds) -> list[str]:
    """Datasets of volumes that some experiment uses."""
    encodings = (volume_encoding(rounds, name) for name in rounds.experiments)
    used = {encoding.dataset for encoding in encodings if encoding is not None}
    return sorted(used | {experiment.dataset for experiment in rounds.vqgans.values()})


def check_vqgans(rounds: Rounds) -> None:
    """Raise UserError for the first thing that cannot work."""
    for name, experiment in rounds.vqgans.items():
        where = rounds.file(name)
        if experiment.dataset not in rounds.config.datasets:
            raise UserError(
                f"{where}: dataset is {experiment.dataset!r}, but {rounds.source} has only "
                f"{', '.join(sorted(rounds.config.datasets))}"
            )
        _check_packages(experiment, where)
        _check_sizes(rounds, name, experiment)
        _check_volumes(rounds, experiment, where)
        for path in experiment.losses.files():
            if not path.is_file():
                raise UserError(
                    f"{where}: losses.vgg16_weights: {path} is missing; fetch it on a machine with "
                    "network: curl -O https://download.pytorch.org/models/vgg16-397923af.pth"
                )


def _check_packages(experiment: VqganExperiment, where: str) -> None:
    """Discriminators are MONAI's, and reconstructions are written as NIfTI."""
    needed = ["nibabel"] + (["monai"] if experiment.adversarial is not None else [])
    for package in needed:
        if find_spec(package) is None:
            raise UserError(
                f"{where}: kind vqgan needs the package {package}, which is not installed; run "
                "pip install -e '.[volumes]' where Sparring's pyproject.toml lies"
            )


def _check_sizes(rounds: Rounds, name: str, experiment: VqganExperiment) -> None:
    factor, where = downsampling(rounds, name), rounds.file(name)
    sides = {
        "training.patch_size": experiment.training.patch_size,
        "inference.window": experiment.inference.window,
    }
    for key, side in sides.items():
        if any(side % f for f in factor):
            step = max(factor)
            raise UserError(
                f"{where}: {key} is {side}, not divisible by the model's downsampling "
                f"{list(factor)}; set {max(step, side // step * step)}"
            )
    adversarial = experiment.adversarial
    if adversarial is None:
        return
    least = 3 * 2 ** (adversarial.num_layers + adversarial.scales - 1)
    if experiment.training.patch_size < least:
        raise UserError(
            f"{where}: training.patch_size is {experiment.training.patch_size}, which "
            f"adversarial.num_layers {adversarial.num_layers} with scales {adversarial.scales} "
            f"halves to nothing; set at least {least}, or fewer layers or scales"
        )
    if experiment.training.patch_size < adversarial.receptive_field:
        rounds.warnings.append(
            f"{name}: with adversarial.num_layers {adversarial.num_layers} the discriminators' "
            f"logits see {adversarial.receptive_field} voxels a side, more than patches of "
            f"{experiment.training.patch_size} have; fewer layers may serve better"
        )


def downsampling(rounds: Rounds, name: str) -> tuple[int, ...]:
    """Voxels per latent cell of an experiment's model: its own, its start's or its directory's."""
    start = vqgan_reference(rounds, name)
    if start is None:
        return rounds.vqgan(name).model.downsample
    if not isinstance(start, str):
        return downsampling(rounds, start[0])
    where = f"{rounds.file(name)}: start_from"
    factor = given_model(Path(start), "VQGAN", where).get("downsample")
    if not isinstance(factor, list):
        raise UserError(
            f"{where}: config.json says no downsample, expected a VQGAN of this project"
        )
    return tuple(factor)


def _check_volumes(rounds: Rounds, experiment: VqganExperiment, where: str) -> None:
    dataset = rounds.volumes(experiment.dataset)
    size = experiment.training.patch_size
    require_patch(dataset, size, f"{where}: training.patch_size")
    for facts in volume_facts(dataset):
        if facts.split == "test" and min(facts.shape) < SMALLEST_SIDE:
            raise UserError(
                f"{facts.source or facts.sample_id}: {facts.sample_id} is "
                f"{' x '.join(map(str, facts.shape))} voxels, too small to be judged by: the "
                f"structural similarity needs {SMALLEST_SIDE} along every axis; give it to another "
                "split or make the slab thicker"
            )


def volume_bytes(rounds: Rounds, rule: str, wildcards: dict[str, str]) -> int:
    """About how much a job writes."""
    if rule == "pack_volumes":
        return _voxels(volume_facts(rounds.volumes(wildcards["dataset"]))) * 2
    experiment = rounds.vqgan(wildcards["experiment"])
    facts = volume_facts(rounds.volumes(experiment.dataset))
    if rule == "reconstruct_volumes":
        return _voxels([f for f in facts if f.split == "test"]) * 4
    if rule == "encode_volumes":
        book, factor = experiment.model.codebook, downsampling(rounds, wildcards["experiment"])
        return _voxels(facts) // prod(factor) * (book.code_dim + 1) * 2
    return 0


def _voxels(facts: list[VolumeFacts]) -> int:
    return sum(prod(f.shape) for f in facts)
