"""Datasets: manifests of layout images or of volumes, and the generators of both."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from .base import Settings
from .splits import SplitFractions
from .volumes import AnyVolumes


class ManifestDataset(Settings):
    """Layout images named by a CSV file."""

    kind: Literal["manifest"]
    """Selects this form."""
    manifest: Path
    """CSV with `layout_path`; optional `sample_id`, `is_augmented`, `parent_id`, `group`, `split`.
    Paths are relative to the manifest; images may lie inside a zip beside it."""
    classes: Path | None = None
    """JSON list of {id, name, rgb}. Default: `classes.json` beside the manifest if there is one."""
    layout_column: str = "layout_path"
    """The column that names the images."""
    augmented: Literal["manifest", "drop", "dihedral"] = "manifest"
    """`manifest` keeps rows flagged `is_augmented`, `drop` leaves them out, `dihedral` leaves them
    out and adds the seven other rotations and flips of every original, in every split."""
    condition: str | None = None
    """The column that says each layout's condition, such as its scene or room type: what is trained
    on the dataset is then class-conditional. Copies must have their original's."""
    resize: int | None = Field(None, ge=8)
    """Side in pixels to resize to; by default images are taken as they are."""
    split: SplitFractions = SplitFractions()
    """Used when the manifest has no `split` column, or with `split_from: fractions`."""
    split_seed: int = 42
    """Draws the groups of each split then."""
    split_from: Literal["manifest", "fractions"] = "manifest"
    """`fractions` splits by group as `split` says even where the manifest has a `split` column, for
    example to hold out more layouts to judge by."""
    latents: Literal["encode", "manifest"] = "encode"
    """`manifest` takes each row's latents from the file in its column `latent_path` (.pt or .npy,
    [C,H,W], relative to the manifest) instead of encoding its image."""
    latents_are: Literal["raw", "standardised"] = "raw"
    """With `latents: manifest`: as the autoencoder gave them, to be standardised by its
    statistics, or standardised already."""

    @model_validator(mode="after")
    def _latents_fit(self) -> "ManifestDataset":
        if self.latents == "manifest" and self.augmented == "dihedral":
            raise ValueError(
                "augmented: dihedral makes copies that have no latents; set latents: encode, or "
                "augmented: manifest or drop"
            )
        if self.latents == "encode" and self.latents_are == "standardised":
            raise ValueError("latents_are says nothing with latents: encode; set latents: manifest")
        return self

    def files(self) -> list[Path]:
        """The manifest, its classes and its zips; images in folders are too many to watch."""
        beside = self.manifest.parent
        classes = self.classes or beside / "classes.json"
        return [f for f in (self.manifest, classes, *sorted(beside.glob("*.zip"))) if f.is_file()]


BALCONY_CONDITIONS = ("balcony", "no balcony")


class ProceduralDataset(Settings):
    """Furnished apartments from the built-in generator."""

    kind: Literal["procedural"]
    """Selects this form."""
    num_layouts: int = Field(4000, ge=10)
    """How many layouts to draw."""
    size: int = Field(64, ge=32, le=256, multiple_of=8)
    """Side in pixels."""
    seed: int = 42
    """The generator's seed."""
    condition: Literal["balcony"] | None = None
    """What class-conditional models are told of a layout: whether it has a balcony."""
    split: SplitFractions = SplitFractions()
    """Shares of the layouts."""

    def files(self) -> list[Path]:
        """None: everything follows from the seed."""
        return []


LayoutDataset = ManifestDataset | ProceduralDataset
LayoutSettings = Annotated[LayoutDataset, Field(discriminator="kind")]
DatasetSettings = Annotated[LayoutDataset | AnyVolumes, Field(discriminator="kind")]
