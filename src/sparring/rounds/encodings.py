"""Whose latents an experiment works on: an autoencoder's of layouts, or a VQ-GAN's of volumes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..artefacts.digests import text_digest
from ..errors import UserError
from ..settings.experiment import PretrainExperiment
from ..settings.vqgan_experiment import Phase
from .given_models import given_model
from .references import parse_vqgan_reference

if TYPE_CHECKING:
    from .loading import Rounds

DENOISERS = {2: "UNet2DModel", 3: "UNet3DModel"}
"""The class of denoisers by the dimensions of their latents."""


@dataclass(frozen=True)
class VolumeEncoding:
    """Patches of a dataset of volumes as latents of a VQ-GAN."""

    dataset: str
    vqgan: str
    """The model's directory."""
    patch_size: int
    place: str
    """The folder of {split}.h5, under the folder of results."""
    experiment: str | None = None
    """The VQ-GAN's, and its phase; None where a directory is given."""
    phase: Phase | None = None

    @property
    def key(self) -> str:
        """Stands in the place of an autoencoder's name."""
        return self.place.rpartition("-")[2]


def is_layouts_autoencoder(rounds: Rounds, name: str) -> bool:
    """Whether an experiment's autoencoder is one of the configured ones, which are of layouts."""
    return rounds.data_of(name)[1] in rounds.config.autoencoders


def vqgan_of(rounds: Rounds, name: str) -> tuple[str, Phase] | str | None:
    """The VQ-GAN of an experiment: (experiment, phase), a directory, or None for layouts."""
    if is_layouts_autoencoder(rounds, name):
        return None
    return resolved_vqgan(rounds, name, "autoencoder", rounds.data_of(name)[1])


def resolved_vqgan(rounds: Rounds, name: str, key: str, text: str) -> tuple[str, Phase] | str:
    """What a reference of experiment `name` means; refuses a phase that is not trained."""
    reference = parse_vqgan_reference(text, rounds.file(name), key)
    if isinstance(reference, str):
        return reference
    other, phase = rounds.vqgan(reference[0]), reference[1]
    if phase is not None and phase not in other.phases:
        raise UserError(
            f"{rounds.file(name)}: {key} is {text!r}, but {reference[0]} has only "
            f"{', '.join(other.phases)}"
        )
    return reference[0], phase or other.last_phase


def volume_encoding(rounds: Rounds, name: str) -> VolumeEncoding | None:
    """The encoding of an experiment on volumes; None where it is on layouts."""
    source, dataset = vqgan_of(rounds, name), rounds.data_of(name)[0]
    if source is None:
        return None
    size = patch_size(rounds, name, source)
    if isinstance(source, tuple):
        directory = f"{rounds.config.results}/{source[0]}/{source[1]}"
        place = f"{source[0]}/{source[1]}/latents"
        return VolumeEncoding(dataset, f"{directory}/vqgan", size, place, *source)
    stem = re.sub(r"\W", "_", Path(source).name, flags=re.ASCII)
    slug = f"{stem}_{text_digest(source)[:8]}_patch{size}"
    return VolumeEncoding(dataset, source, size, f"latents/{dataset}-{slug}")


def patch_size(rounds: Rounds, name: str, source: tuple[str, Phase] | str) -> int:
    """Side of the patches that are encoded, in voxels.

    That of the VQ-GAN's training, or for a directory what `patch_size` says, or what a given
    denoiser was trained on.
    """
    if isinstance(source, tuple):
        return rounds.vqgan(source[0]).training.patch_size
    experiment = rounds.experiments[name]
    if isinstance(experiment, PretrainExperiment):
        if experiment.patch_size is None:
            raise UserError(
                f"{rounds.file(name)}: patch_size is missing; autoencoder is the directory "
                f"{source!r}, which does not say it: set the side in voxels of the patches to "
                "encode, a multiple of the VQ-GAN's downsampling"
            )
        return experiment.patch_size
    start = rounds.reference(name, "start_from", experiment.start_from)
    if start.experiment is not None:
        return patch_size(rounds, start.experiment, source)
    assert start.directory is not None
    where = f"{rounds.file(name)}: start_from"
    side = given_model(start.directory, DENOISERS[3], where).get("sample_size")
    factor = given_vqgan(rounds, name, source)["downsample"]
    if not isinstance(side, list) or len({s * f for s, f in zip(side, factor, strict=True)}) != 1:
        raise UserError(
            f"{where} is {str(start.directory)!r}, whose sample_size is {side}; expected three "
            f"sides that the downsampling {factor} of {source} makes a cube of voxels"
        )
    return side[0] * factor[0]


def given_vqgan(rounds: Rounds, name: str, directory: str) -> dict[str, Any]:
    """config.json of a VQ-GAN directory that an experiment's `autoencoder` names."""
    where = f"{rounds.file(name)}: autoencoder"
    config = given_model(Path(directory), "VQGAN", where)
    for key in ("downsample", "code_dim", "latents_mean"):
        if config.get(key) is None:
            raise UserError(
                f"{where} is {directory!r}, whose config.json says no {key}; expected a VQGAN that "
                "an experiment of kind vqgan has written (start_from there takes others on)"
            )
    return config


def autoencoder_directory(rounds: Rounds, name: str) -> str:
    """Directory of an experiment's autoencoder or VQ-GAN."""
    encoding = volume_encoding(rounds, name)
    if encoding is not None:
        return encoding.vqgan
    return f"{rounds.config.results}/autoencoders/{rounds.data_of(name)[1]}"


def latents_file(rounds: Rounds, name: str, split: str) -> str:
    """The latents of a split of an experiment's data."""
    encoding = volume_encoding(rounds, name)
    place = encoding.place if encoding else "latents/{}-{}".format(*rounds.data_of(name))
    return f"{rounds.config.results}/{place}/{split}.h5"


def packed_file(rounds: Rounds, name: str) -> str:
    """The packed layouts or volumes of an experiment."""
    kind = "layouts" if is_layouts_autoencoder(rounds, name) else "volumes"
    return f"{rounds.config.results}/datasets/{rounds.data_of(name)[0]}/{kind}.h5"


def given_encodings(rounds: Rounds) -> dict[tuple[str, str], VolumeEncoding]:
    """Encodings by VQ-GANs in directories: by dataset and the key that stands for the model."""
    found = (volume_encoding(rounds, name) for name in rounds.experiments)
    return {(e.dataset, e.key): e for e in found if e is not None and e.experiment is None}
