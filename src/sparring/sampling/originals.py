"""What latents were encoded from, as pictures: layouts, or patches of volumes."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import torch

from ..artefacts.latents import latents_info, read_column
from ..artefacts.layouts import Layouts
from ..artefacts.volumes import Volumes
from ..compute import Compute
from ..data.patches import grid_places, read_patch
from ..errors import UserError
from ..models.autoencoder import Codec
from .decoders import Decoder, LayoutDecoder, VolumeDecoder
from .volume_pictures import middle_planes


class Originals(Protocol):
    """Rows are those of a split's latents."""

    label: str
    """What the held-out ones are called in pictures."""

    @property
    def decoder(self) -> Decoder:
        """Decodes their latents."""

    def held_out(self, latents: Path, count: int) -> np.ndarray:
        """At most `count` rows of the test split to show."""

    def pictures(self, split: str, rows: np.ndarray) -> np.ndarray:
        """uint8 `[N,H,W,3]`."""

    def reconstructions(self, split: str, rows: np.ndarray) -> np.ndarray:
        """The same through the autoencoder."""

    def names(self, split: str, rows: np.ndarray) -> list[str]:
        """What the dataset calls them."""


class LayoutOriginals:
    """Layouts."""

    label = "held-out layouts"

    def __init__(self, layouts: Path, autoencoder: Path, compute: Compute) -> None:
        self._layouts, self._codec = Layouts(layouts), Codec.load(autoencoder, compute)
        self.decoder = LayoutDecoder(self._codec)

    def held_out(self, latents: Path, count: int) -> np.ndarray:
        """The first, without augmented copies."""
        return np.flatnonzero(~read_column(latents, "is_augmented"))[:count]

    def pictures(self, split: str, rows: np.ndarray) -> np.ndarray:
        """RGB."""
        return self._layouts.rgb(self._read(split, rows))

    def reconstructions(self, split: str, rows: np.ndarray) -> np.ndarray:
        """Encoded and decoded."""
        return self._codec.images(self._codec.encode(self._read(split, rows)))

    def names(self, split: str, rows: np.ndarray) -> list[str]:
        """Sample ids."""
        return [self._layouts.sample_id[row] for row in self._layouts.rows(split)[rows]]

    def _read(self, split: str, rows: np.ndarray) -> np.ndarray:
        return self._layouts.read(self._layouts.rows(split)[rows])


class VolumeOriginals:
    """Patches of volumes, side by side as they were encoded; three planes of each are shown."""

    label = "held-out volumes"

    def __init__(self, volumes: Path, vqgan: Path, sides: Sequence[int], compute: Compute) -> None:
        """`sides` are those of the latents, which say how large the patches are."""
        self._volumes = Volumes(volumes)
        self.decoder: VolumeDecoder = VolumeDecoder.load(vqgan, compute)
        self._size = sides[0] * self.decoder.model.factor[0]
        self._grids: dict[str, list[tuple[int, tuple[int, ...]]]] = {}

    def held_out(self, latents: Path, count: int) -> np.ndarray:
        """Evenly spaced, for neighbours are of one volume; from each another part of it."""
        total = latents_info(latents).count
        shown = min(count, total)
        return np.array([n * total // shown + n % (total // shown) for n in range(shown)])

    def pictures(self, split: str, rows: np.ndarray) -> np.ndarray:
        """Planes through the middle."""
        return middle_planes(self.volumes(split, rows), self.decoder.window)

    def reconstructions(self, split: str, rows: np.ndarray) -> np.ndarray:
        """Through the VQ-GAN."""
        made = self.decoder.reconstructions(self._patches(split, rows))
        return middle_planes(made, self.decoder.window)

    def names(self, split: str, rows: np.ndarray) -> list[str]:
        """Volume and corner."""
        found = (self._places(split)[row] for row in rows)
        return [f"{self._volumes.sample_id[r]}@{'_'.join(map(str, at))}" for r, at in found]

    def volumes(self, split: str, rows: np.ndarray) -> np.ndarray:
        """int16 HU `[N,p,p,p]`, clipped to the HU window."""
        return self.decoder.hu(self._patches(split, rows))

    def _patches(self, split: str, rows: np.ndarray) -> torch.Tensor:
        places = self._places(split)
        if len(rows) and max(rows) >= len(places):
            raise UserError(
                f"{self._volumes.path}: split {split!r} has {len(places)} patches of {self._size} "
                f"voxels, but row {max(rows)} is asked for; encode the volumes again"
            )
        chosen = [places[row] for row in rows]
        read = [read_patch(self._volumes, row, at, self._size) for row, at in chosen]
        return torch.from_numpy(np.stack(read)[:, None])

    def _places(self, split: str) -> list[tuple[int, tuple[int, ...]]]:
        if split not in self._grids:
            rows = self._volumes.rows(split)
            self._grids[split] = grid_places(self._volumes, rows, self._size)
        return self._grids[split]
