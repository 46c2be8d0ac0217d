"""Layout images: from files or a zip beside the manifest, to class ids or RGB arrays."""

import io
import json
import zipfile
import zlib
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, UnidentifiedImageError

from ..artefacts.class_roles import ROLES
from ..errors import UserError
from ..settings.dataset import ManifestDataset

_UNREADABLE = (
    *(UnidentifiedImageError, Image.DecompressionBombError, OSError, SyntaxError, ValueError),
    *(zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError),  # RuntimeError: password
)


class ImageSource:
    """Finds and opens the images that a manifest names."""

    def __init__(self, manifest: Path) -> None:
        self._folder = manifest.parent

    def missing(self, layout_path: str) -> bool:
        """Whether no file and no zip member has this name."""
        return not (self._folder / layout_path).is_file() and layout_path not in self._members

    def open(self, layout_path: str) -> Image.Image:
        """The decoded image; UserError names what is missing or unreadable."""
        file = self._folder / layout_path
        try:
            if file.is_file():
                content = file.read_bytes()
            elif layout_path in self._members:
                content = self._member(layout_path)
            else:
                raise UserError(
                    f"{file}: image is missing, and no zip beside the manifest holds "
                    f"{layout_path!r}"
                )
            image = Image.open(io.BytesIO(content))
            image.load()
        except _UNREADABLE as error:
            raise UserError(f"{file}: image cannot be read ({error})") from error
        return image

    def _member(self, layout_path: str) -> bytes:
        holders = self._members[layout_path]
        if len(holders) > 1:
            zips = " and ".join(Path(str(archive.filename)).name for archive, _ in holders)
            raise UserError(
                f"{self._folder / layout_path}: image is in {zips}; remove one, or write "
                "<zip's name>/<member> in the manifest"
            )
        archive, name = holders[0]
        return archive.read(name)

    @cached_property
    def _archives(self) -> dict[Path, zipfile.ZipFile]:
        archives = {}
        for path in sorted(self._folder.glob("*.zip")):
            try:
                archives[path] = zipfile.ZipFile(path)
            except (zipfile.BadZipFile, OSError) as error:
                raise UserError(f"{path}: not a readable zip file ({error})") from error
        return archives

    @cached_property
    def _members(self) -> dict[str, list[tuple[zipfile.ZipFile, str]]]:
        """Who holds a layout path: members count as they are named, or inside `<zip's name>/`."""
        members: dict[str, list[tuple[zipfile.ZipFile, str]]] = {}
        for path, archive in self._archives.items():
            for name in archive.namelist():
                for spelling in {name, f"{path.stem}/{name}"}:
                    members.setdefault(spelling, []).append((archive, name))
        return members


def classes_file(settings: ManifestDataset) -> Path | None:
    """The file that names a dataset's classes: `classes`, or classes.json beside the manifest."""
    beside = settings.manifest.parent / "classes.json"
    return settings.classes or (beside if beside.is_file() else None)


class ClassColours:
    """Class ids from RGB, by the colours that a dataset names."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.entries = read_classes(path)
        self._ids = np.full(2**24, -1, dtype=np.int16)
        for entry in self.entries:
            self._ids[_packed(np.array(entry["rgb"], dtype=np.uint32))] = entry["id"]

    def ids(self, rgb: np.ndarray, name: str) -> np.ndarray:
        """Class ids uint8 `[H,W]` of RGB `[H,W,3]`; colours of no class are refused."""
        ids = self._ids[_packed(rgb.astype(np.uint32))]
        if (ids < 0).any():
            colours = np.unique(rgb[ids < 0], axis=0)
            raise UserError(
                f"{name}: {int((ids < 0).sum())} pixels have colours of no class, such as "
                f"{tuple(int(c) for c in colours[0])}; add the class to {self.path}, or save the "
                "image without smoothing"
            )
        return ids.astype(np.uint8)


def read_classes(path: Path) -> list[dict]:
    """The entries of a classes.json; UserError where they are no classes."""
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error})") from error
    except ValueError as error:  # no JSON, or no UTF-8
        raise UserError(f"{path}: not valid JSON ({error})") from error
    for entry in entries if isinstance(entries, list) and entries else [entries]:
        if not _is_class(entry):
            raise UserError(
                f"{path}: found {str(entry)[:60]}, expected a list of "
                '{"id": 0, "name": "wall", "rgb": [0, 0, 0]} with numbers from 0 to 255'
            )
        if "role" in entry and entry["role"] not in ROLES:
            raise UserError(
                f"{path}: class {entry['name']!r} has role {entry['role']!r}, expected one of "
                f"{', '.join(ROLES)}; without the key its name decides"
            )
    for key in ("id", "rgb"):
        values = [str(entry[key]) for entry in entries]
        twice = next((v for v in values if values.count(v) > 1), None)
        if twice is not None:
            raise UserError(f"{path}: {key} {twice} is used by two classes")
    return entries


def as_array(
    image: Image.Image, name: str, colours: ClassColours | None, resize: int | None
) -> np.ndarray:
    """Class ids `[S,S]` where colours are known, else RGB `[S,S,3]`, uint8.

    Resizing takes the nearest pixel for classes, since colours between two classes are no class,
    and averages for RGB.
    """
    if resize is not None and image.size != (resize, resize):
        if colours is not None:
            image = image.convert("RGB").resize((resize, resize), Image.Resampling.NEAREST)
        else:
            image = image.convert("RGB").resize((resize, resize), Image.Resampling.BOX)
    width, height = image.size
    if width != height:
        raise UserError(
            f"{name}: image is {width} x {height} pixels, expected a square; pad it, or set resize"
        )
    rgb = np.asarray(image.convert("RGB"))
    return colours.ids(rgb, name) if colours is not None else rgb


def _is_class(entry: Any) -> bool:
    if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
        return False
    rgb = entry.get("rgb")
    values = [entry.get("id"), *(rgb if isinstance(rgb, list) else [])]
    return len(values) == 4 and all(isinstance(v, int) and 0 <= v <= 255 for v in values)


def _packed(rgb: np.ndarray) -> np.ndarray:
    return (rgb[..., 0] << 16) | (rgb[..., 1] << 8) | rgb[..., 2]
