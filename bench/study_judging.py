"""Judging the study's samples as the product does: a model's figures depend on it and the reals."""

import argparse
from functools import cached_property
from pathlib import Path
from typing import cast

import numpy as np

from sparring.artefacts.decoded_statistics import MAPS, Columns
from sparring.artefacts.latents import read_column, read_latents
from sparring.artefacts.layouts import Layouts
from sparring.compute import Compute
from sparring.evaluation.judging import Judged, judge, judge_maps
from sparring.evaluation.layout_statistics import layout_figures
from sparring.evaluation.layouts import EncodedMaps, LayoutMeasures
from sparring.evaluation.neighbours import Projected, Projection
from sparring.evaluation.statistics import Figure, Parts
from sparring.evaluation.two_sample import Rows
from sparring.models.autoencoder import Codec
from sparring.randomness import numpy_generator
from sparring.settings.parts import EvaluationSettings


class StudyJudge:
    """The reals that samples are held against, in latents and decoded."""

    def __init__(self, args: argparse.Namespace, compute: Compute) -> None:
        self._args = args
        self._settings = EvaluationSettings(
            num_samples=args.count,
            feature_dim=args.features,
            judge_seeds=args.judge_seeds,
            decoded=args.decoded,
        )
        self._file = args.latents / f"{args.split}.h5"
        self.held_out = _rows(self._file)
        self._train = _rows(args.latents / "train.h5")
        self._codec = Codec.load(args.autoencoder, compute)

    def figures(self, samples: np.ndarray) -> dict[str, Figure]:
        """All figures of samples `[N,C,h,w]`, by name."""
        rows = Rows(samples, np.array([f"noise {n}" for n in range(len(samples))]))
        names = (rows.groups, self._train.groups, self.held_out.groups)
        numbers = np.unique(np.concatenate(names), return_inverse=True)[1]
        groups = np.split(numbers, np.cumsum([len(part) for part in names])[:-1])
        project = Projection(samples.shape[1:], self._settings.seed)
        sides = (rows, self._train, self.held_out)
        at = [Projected(project(r.latents), g) for r, g in zip(sides, groups, strict=True)]
        judged = Judged(rows, self.held_out, self._reference, *at)
        few = samples[: self._settings.decoded]
        decoded = self._measures.decoded(self._codec, few) | {"group": np.arange(len(few))}
        return judge(judged, self._settings) | self._of_maps(decoded)

    def decoded_reals(self) -> dict[str, Figure]:
        """What the autoencoder alone makes of the held-out layouts: decoded figures only."""
        latents = self.held_out.latents[self._originals]
        decoded = self._measures.decoded(self._codec, latents)
        return self._of_maps(decoded | {"group": self._reals["group"]})

    def _of_maps(self, columns: Columns) -> dict[str, Figure]:
        """Figures of decoded layouts against original held-out ones."""
        parts = Parts.of(columns["group"], self._reals["group"], self._settings.seed)
        classes = self._layouts.num_classes
        samples, reals = (
            Rows(cast(np.ndarray, EncodedMaps(side[MAPS], classes)), side["group"])
            for side in (columns, self._reals)
        )
        found = judge_maps(samples, reals, self._settings)
        return found | layout_figures(columns, self._reals, parts)

    @cached_property
    def _reference(self) -> np.ndarray:
        """Train latents that fix the scale of features."""
        draw = numpy_generator(self._settings.seed, "evaluation", "null")
        rows = draw.permutation(len(self._train))[: self._settings.num_samples]
        return self._train.latents[np.sort(rows)]

    @cached_property
    def _originals(self) -> np.ndarray:
        """Rows of held-out latents that are decoded: no copies."""
        return np.flatnonzero(~read_column(self._file, "is_augmented"))[: self._settings.decoded]

    @cached_property
    def _reals(self) -> Columns:
        """Statistics of the original layouts of these rows."""
        packed = self._layouts.rows(self._args.split)[self._originals]
        columns = self._measures.originals(self._layouts.read(packed))
        return columns | {"group": self.held_out.groups[self._originals]}

    @cached_property
    def _layouts(self) -> Layouts:
        return Layouts(self._args.layouts)

    @cached_property
    def _measures(self) -> LayoutMeasures:
        return LayoutMeasures(self._layouts.palette, self._layouts.roles, 64)


def _rows(path: Path) -> Rows:
    return Rows(read_latents(path), read_column(path, "original_id").astype(str))
