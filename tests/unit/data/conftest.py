"""A small dataset on disk that tests vary: images, a manifest, classes."""

import csv
import json
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from sparring.settings.dataset import ManifestDataset

COLOURS = [(240, 240, 240), (70, 70, 70), (200, 0, 0)]
CLASSES = [
    {"id": number, "name": name, "rgb": list(COLOURS[number])}
    for number, name in enumerate(["background", "wall", "bed"])
]


def layout(seed, side=8) -> np.ndarray:
    """Class ids without any symmetry."""
    return np.random.default_rng(seed).integers(0, 3, (side, side)).astype(np.uint8)


def picture(ids) -> Image.Image:
    return Image.fromarray(np.array(COLOURS, np.uint8)[ids])


class Dataset(SimpleNamespace):
    """Folder, manifest path and helpers."""

    def settings(self, **keys) -> ManifestDataset:
        return ManifestDataset(kind="manifest", manifest=self.manifest, **keys)

    def rows(self, rows, columns=None):
        columns = columns or list(rows[0])
        with open(self.manifest, "w", newline="") as file:
            writer = csv.DictWriter(file, columns)
            writer.writeheader()
            writer.writerows(rows)

    def image(self, name, ids):
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        picture(ids).save(path)

    def classes(self, entries=CLASSES):
        (self.folder / "classes.json").write_text(json.dumps(entries))

    def fill(self, count=10, **columns):
        """`count` originals with images and classes."""
        self.classes()
        for n in range(count):
            self.image(f"images/{n}.png", layout(n))
        self.rows([{"layout_path": f"images/{n}.png"} | columns for n in range(count)])


@pytest.fixture
def dataset(tmp_path):
    """An empty dataset folder."""
    folder = tmp_path / "data"
    folder.mkdir()
    return Dataset(folder=folder, manifest=folder / "manifest.csv")
