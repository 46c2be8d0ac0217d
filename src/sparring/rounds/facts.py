"""What the settings and the data's own files tell before any job runs."""

from dataclasses import dataclass
from functools import cache
from math import prod

from ..artefacts.layouts import conditions_of_rows
from ..data.images import ImageSource
from ..data.manifest import (
    LATENT_COLUMN,
    columns,
    count_originals,
    read_manifest,
    split_counts,
)
from ..errors import UserError
from ..settings.dataset import BALCONY_CONDITIONS, ManifestDataset, ProceduralDataset
from .given_models import given_model
from .loading import Rounds


@dataclass(frozen=True)
class DatasetFacts:
    """What is known of a dataset before it is packed."""

    side: int
    """In pixels; of patches of volumes in voxels."""
    train_originals: int
    train_rows: int
    test_originals: int
    test_rows: int
    conditions: tuple[str, ...] = ()
    """What layouts are told apart by, for class-conditional models."""
    ignores_latents: bool = False
    """The manifest names latents, but layouts are encoded."""
    unit: str = "layouts"
    """What is counted, for messages."""


@dataclass(frozen=True)
class LatentShape:
    """`[channels, side, side]`, or of three sides."""

    channels: int
    sides: tuple[int, ...]

    @property
    def side(self) -> int | list[int]:
        """As a denoiser's `sample_size` has it: one number for layouts, three for volumes."""
        return self.sides[0] if self.dims == 2 else list(self.sides)

    @property
    def dims(self) -> int:
        """2 for layouts, 3 for volumes."""
        return len(self.sides)

    @property
    def numbers(self) -> int:
        """In one latent."""
        return self.channels * prod(self.sides)


def layouts_latent_shape(rounds: Rounds, name: str) -> LatentShape:
    """Latents of layouts; refuses those that the autoencoder cannot halve evenly."""
    dataset, autoencoder = rounds.data_of(name)
    channels, factor = _autoencoder_shape(rounds, autoencoder)
    side = dataset_facts(rounds, dataset).side
    if side % factor:
        raise UserError(
            f"{rounds.source}: datasets.{dataset} has layouts of {side} pixels, not divisible by "
            f"the factor {factor} of autoencoder {autoencoder}; set datasets.{dataset}.resize to a "
            f"multiple of {factor}"
        )
    return LatentShape(channels, (side // factor,) * 2)


def dataset_facts(rounds: Rounds, dataset: str) -> DatasetFacts:
    """Size and counts of a dataset from its manifest and first image."""
    settings = rounds.config.datasets[dataset]
    if isinstance(settings, ProceduralDataset):
        num_val, num_test = split_counts(settings.num_layouts, settings.split)
        train = settings.num_layouts - num_val - num_test
        conditions = BALCONY_CONDITIONS if settings.condition else ()
        return DatasetFacts(settings.size, train, train, num_test, num_test, conditions)
    if not isinstance(settings, ManifestDataset):
        raise UserError(
            f"{rounds.source}: datasets.{dataset}.kind is {settings.kind!r}, volumes, but layouts "
            "are wanted; name a dataset of kind manifest or procedural, or as autoencoder an "
            "experiment of kind vqgan"
        )
    return _manifest_facts(settings.model_dump_json())


@cache
def _manifest_facts(settings_json: str) -> DatasetFacts:
    settings = ManifestDataset.model_validate_json(settings_json)
    entries = read_manifest(settings)
    copies = 8 if settings.augmented == "dihedral" else 1
    rows = {s: sum(e.row.split == s for e in entries) * copies for s in ("train", "test")}
    side = settings.resize
    if side is None:
        side = ImageSource(settings.manifest).open(entries[0].layout_path).width
    originals = {s: count_originals(entries, s) for s in rows}
    return DatasetFacts(
        side,
        originals["train"],
        rows["train"],
        originals["test"],
        rows["test"],
        tuple(conditions_of_rows([entry.row for entry in entries], str(settings.manifest))),
        settings.latents == "encode" and LATENT_COLUMN in columns(settings.manifest),
    )


def _autoencoder_shape(rounds: Rounds, name: str) -> tuple[int, int]:
    settings = rounds.config.autoencoders[name]
    if settings.start_from is None:
        return settings.latent_channels, settings.factor
    where = f"{rounds.source}: autoencoders.{name}.start_from"
    config = given_model(settings.start_from, "AutoencoderKL", where)
    try:
        return config["latent_channels"], 2 ** (len(config["block_out_channels"]) - 1)
    except (KeyError, TypeError) as error:
        raise UserError(
            f"{where}: config.json says no {error}, expected a diffusers AutoencoderKL"
        ) from error
