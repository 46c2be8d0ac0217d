"""Chest phantoms: procedural volumes with the HU, edges and fine structure of a CT scan.

Made of analytic shapes with soft edges (partial volume), painted over each other from the outside
in: fat, muscle, lungs, heart, liver, spine, ribs, great vessels; then vessel trees and noise.
Coordinates run from -1 to 1: x to the right, y to the front, z to the head.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from ..randomness import numpy_generator

ORIENTATION = "RAS"
_FIELD_MM = 340.0  # what the volume's side measures in the patient
_AIR, _FAT, _MUSCLE, _LUNG = -1000.0, -100.0, 50.0, -860.0
_BLOOD, _LIVER, _MARROW, _BONE = 180.0, 95.0, 190.0, 650.0

Point = np.ndarray


@dataclass(frozen=True)
class Segment:
    """One piece of a vessel: a round cone from one point to the next."""

    start: Point
    end: Point
    radius: float


@dataclass
class Scene:
    """A volume being painted: float32 HU `[S,S,S]` and the coordinates of its voxels."""

    size: int
    hu: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        self.hu = np.full((self.size,) * 3, _AIR, dtype=np.float32)
        line = ((np.arange(self.size, dtype=np.float32) + 0.5) / self.size) * 2 - 1
        self.x, self.y, self.z = np.meshgrid(line, line, line, indexing="ij", sparse=True)

    @property
    def voxel(self) -> float:
        """A voxel's side in coordinates."""
        return 2 / self.size

    def inside(self, level: np.ndarray, scale: float) -> np.ndarray:
        """Share of each voxel within `level < 1`, where the level rises by 1 over `scale`."""
        return np.clip(0.5 + (1 - level) * scale / self.voxel, 0, 1).astype(np.float32)

    def ellipsoid(self, centre: Point, radii: Point) -> np.ndarray:
        """Share of each voxel within an ellipsoid."""
        x, y, z = ((c - m) / r for c, m, r in zip(self._axes, centre, radii, strict=True))
        return self.inside(np.sqrt(x**2 + y**2 + z**2), float(min(radii)))

    def paint(self, share: np.ndarray, hu: float | np.ndarray) -> None:
        """Replace what is there by `hu`, in part where the share is between 0 and 1."""
        self.hu += share * (np.asarray(hu, dtype=np.float32) - self.hu)

    def tube(self, segment: Segment, hu: float) -> None:
        """Paint a vessel segment; only the voxels around it are touched."""
        reach = segment.radius + 2 * self.voxel
        low = np.minimum(segment.start, segment.end) - reach
        high = np.maximum(segment.start, segment.end) + reach
        first = np.clip(((low + 1) / self.voxel).astype(int), 0, self.size)
        last = np.clip(((high + 1) / self.voxel).astype(int) + 1, 0, self.size)
        box = tuple(slice(a, b) for a, b in zip(first, last, strict=True))
        if any(s.start >= s.stop for s in box):
            return
        line = [((np.arange(s.start, s.stop) + 0.5) * self.voxel - 1) for s in box]
        points = np.stack(np.meshgrid(*line, indexing="ij"), axis=-1)
        along = segment.end - segment.start
        t = np.clip((points - segment.start) @ along / (along @ along + 1e-12), 0, 1)
        distance = np.linalg.norm(points - segment.start - t[..., None] * along, axis=-1)
        # A tube thinner than a voxel fills it by its cross-section.
        fill = min(1.0, (2 * segment.radius / self.voxel) ** 2)
        share = np.clip(0.5 + (max(segment.radius, self.voxel / 2) - distance) / self.voxel, 0, 1)
        share = (share * fill).astype(np.float32)
        self.hu[box] += share * (np.float32(hu) - self.hu[box])

    @property
    def _axes(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return self.x, self.y, self.z


def generate_phantom(seed: int, index: int, size: int) -> np.ndarray:
    """int16 HU `[S,S,S]` of one phantom, axes to the right, front and head; keyed by its index."""
    draw = numpy_generator(seed, "phantom", index)
    scene = Scene(size)
    _body(scene, draw)
    _lungs(scene, draw)
    _organs(scene, draw)
    _bones(scene, draw)
    _noise(scene, draw)
    return np.clip(np.rint(scene.hu), -1024, 3071).astype(np.int16)


def phantom_affine(size: int) -> np.ndarray:
    """Voxel indices to millimetres `[4,4]`; the origin is the volume's centre."""
    spacing = _FIELD_MM / size
    affine = np.diag([spacing, spacing, spacing, 1.0])
    affine[:3, 3] = -spacing * (size - 1) / 2
    return affine


def _body(scene: Scene, draw: np.random.Generator) -> None:
    a, b = draw.uniform(0.84, 0.94), draw.uniform(0.6, 0.7)
    bulge = 1 + draw.uniform(-0.06, 0.06) * scene.z
    level = np.sqrt((scene.x / (a * bulge)) ** 2 + (scene.y / (b * bulge)) ** 2)
    scene.paint(scene.inside(level, b), _FAT + draw.uniform(-10, 10))
    thickness = draw.uniform(1.08, 1.16)
    scene.paint(scene.inside(level * thickness, b), _MUSCLE + draw.uniform(-8, 8))


def _lungs(scene: Scene, draw: np.random.Generator) -> None:
    depth = -60 * scene.y  # lungs of a patient on the back are denser there
    for side in (-1, 1):
        centre = np.array([0.43 * side, 0.02, 0.12]) + draw.normal(0, 0.02, 3)
        radii = np.array([0.3, 0.42, 0.95]) * draw.uniform(0.92, 1.05, 3)
        share = scene.ellipsoid(centre, radii)
        scene.paint(share, _LUNG + depth + draw.uniform(-25, 25))
        hilum = centre - (0.22 * side, 0, 0.05)
        for _ in range(6):
            towards = np.array([0.9 * side, draw.normal(0, 0.9), draw.normal(0, 1.4)])
            for segment in _tree(hilum, towards, 0.03, 0.24, 7, draw):
                if np.all(((segment.end - centre) / radii) ** 2 < 0.93):
                    scene.tube(segment, draw.uniform(20, 120))


def _organs(scene: Scene, draw: np.random.Generator) -> None:
    blood = _BLOOD + draw.uniform(-60, 120)
    heart = np.array([-0.14, 0.18, -0.1]) + draw.normal(0, 0.02, 3)
    radii = np.array([0.3, 0.26, 0.36]) * draw.uniform(0.9, 1.1, 3)
    scene.paint(scene.ellipsoid(heart, radii), _MUSCLE + 40)
    for offset in ((0.1, -0.03, 0.06), (-0.09, 0.05, -0.05)):  # two chambers
        scene.paint(scene.ellipsoid(heart + offset, 0.42 * radii), blood)
    liver = np.array([0.38, 0.08, -0.95]) + draw.normal(0, 0.03, 3)
    extent = np.array([0.4, 0.42, 0.55]) * draw.uniform(0.92, 1.08, 3)
    scene.paint(scene.ellipsoid(liver, extent), _LIVER + draw.uniform(-25, 25))
    for segment in _tree(liver - (0.2, 0, 0), np.array([1, 0.2, 0.4]), 0.04, 0.3, 6, draw):
        if np.sum(((segment.end - liver) / extent) ** 2) < 0.85:
            scene.tube(segment, blood * 0.9)
    aorta = np.array([-0.12, -0.26])
    scene.tube(Segment(np.array([*aorta, -1.2]), np.array([*aorta, 0.45]), 0.075), blood + 60)
    arch = np.array([0.06, 0.1, 0.4])
    scene.tube(Segment(np.array([*aorta, 0.45]), arch, 0.075), blood + 60)
    scene.tube(Segment(np.array([0.02, -0.06, 0.3]), np.array([0.02, -0.02, 1.2]), 0.055), _AIR)


def _bones(scene: Scene, draw: np.random.Generator) -> None:
    phase, period = draw.uniform(0, 1), draw.uniform(0.2, 0.24)
    vertebra = 0.5 + 0.5 * np.cos(2 * np.pi * (scene.z / period + phase))
    level = np.sqrt((scene.x / 0.12) ** 2 + ((scene.y + 0.4) / 0.1) ** 2)
    body = scene.inside(level, 0.1) * np.clip(4 * vertebra, 0, 1)
    scene.paint(body, _BONE)
    core = scene.inside(level * 1.25, 0.1) * np.clip(6 * vertebra - 2, 0, 1)
    scene.paint(core, _MARROW + draw.uniform(-50, 50))
    canal = np.sqrt((scene.x / 0.05) ** 2 + ((scene.y + 0.54) / 0.045) ** 2)
    scene.paint(scene.inside(canal, 0.045), 30.0)
    ring = np.sqrt((scene.x / 0.76) ** 2 + (scene.y / 0.5) ** 2)
    slope = scene.z + 0.35 * scene.y  # ribs fall from the spine to the front
    band = np.cos(2 * np.pi * (slope / period + phase))
    wall = np.clip(1.5 - np.abs(ring - 1) * 0.5 / scene.voxel / 1.5, 0, 1)
    scene.paint((wall * np.clip(3 * (band - 0.35), 0, 1)).astype(np.float32), 0.8 * _BONE)


def _noise(scene: Scene, draw: np.random.Generator) -> None:
    """Soft texture within tissue, and the grain of a reconstruction kernel."""
    shape = scene.hu.shape
    coarse = _smooth(_smooth(draw.standard_normal(shape, dtype=np.float32)))
    tissue = np.clip((scene.hu + 900) / 300, 0, 1)
    scene.hu += 12 * tissue * coarse
    scene.hu += draw.uniform(10, 18) * _smooth(draw.standard_normal(shape, dtype=np.float32))


def _smooth(values: np.ndarray) -> np.ndarray:
    """A 1-2-1 average along every axis, the variance kept near that of the input."""
    for axis in range(3):
        before, after = np.roll(values, 1, axis), np.roll(values, -1, axis)
        values = (before + 2 * values + after) / np.float32(6**0.5)
    return values


def _tree(
    root: Point,
    towards: Point,
    radius: float,
    length: float,
    generations: int,
    draw: np.random.Generator,
) -> Iterator[Segment]:
    """A branching vessel: at every fork radii follow Murray's law (the cubes add up)."""
    if generations == 0:
        return
    direction = towards / np.linalg.norm(towards)
    end = root + direction * length * draw.uniform(0.7, 1.2)
    yield Segment(root, end, radius)
    across = np.cross(direction, draw.standard_normal(3))
    across /= np.linalg.norm(across) + 1e-9
    share = draw.uniform(0.35, 0.65)
    for sign, part in ((1, share), (-1, 1 - share)):
        bent = direction + sign * draw.uniform(0.4, 0.9) * across
        yield from _tree(end, bent, radius * part ** (1 / 3), 0.75 * length, generations - 1, draw)
