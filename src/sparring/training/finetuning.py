"""Fine-tuning a denoiser: with semantic losses, against a discriminator, or as its control."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from ..artefacts.atomic import replacing
from ..artefacts.histories import Row
from ..artefacts.models import read_tensors
from ..diffusion.process import Prediction
from ..errors import UserError
from ..losses.noise import noise_loss
from ..models.denoiser import Denoiser
from ..settings.parts import FinetuneSettings, SemanticTraining
from .denoiser import DenoiserTraining, Term
from .latents import Rows
from .loop import Mean, Weights
from .opponents import Opponent, Round
from .optimisation import MOMENTS, gradient_ratio, load_moments, moments_of, without_dropout
from .selection import SampleDistance
from .semantics import LayoutRows, Semantics


@dataclass(frozen=True)
class Teacher:
    """What decodes predictions, and the layouts that they should have been."""

    semantics: Semantics
    layouts: dict[str, LayoutRows]
    """Of the train and of the validation latents."""


class Finetuning(DenoiserTraining):
    """The noise loss, and what there is of semantic losses and of an adversarial loss."""

    settings: FinetuneSettings | SemanticTraining

    def __init__(
        self,
        *args: Any,
        opponent: Opponent | None = None,
        teacher: Teacher | None = None,
        optimizer_state: Weights | None = None,
        keep_moments: bool = False,
        **kwargs: Any,
    ) -> None:
        """`keep_moments` gives the optimiser's moments out with the best weights."""
        super().__init__(*args, **kwargs)
        self._opponent, self._teacher = opponent, teacher
        self._keep_moments = keep_moments
        self._distance = self._sample_distance()
        if self._distance is not None:
            self.criterion = "val_kernel"
        if opponent is not None:
            if not opponent.dropout:
                without_dropout(self.model)
            opponent.enter(
                Round(self.latents, self.process, self.compute, self._seed, self.predict_beside)
            )
        if optimizer_state:
            load_moments(self.optimizer, self.model, optimizer_state)

    def losses(self, model: Denoiser, prediction: Prediction, rows: Rows) -> dict[str, Term]:
        """noise_loss, the terms of `Semantics` and those of the opponent."""
        losses = noise_loss(prediction)
        terms = {"noise_loss": Term(self._noise_weight, losses.mean(), len(losses))}
        if self._teacher is not None:
            terms |= self._semantic_terms(prediction, rows, self._teacher)
        if self._opponent is not None:
            terms |= self._opponent.terms(model, prediction, rows)
        return terms

    def validate(self) -> dict[str, float]:
        """Every loss term, and `kernel` where that chooses the epoch."""
        figures = super().validate()
        if self._distance is not None:
            figures["kernel"] = self._distance()
        return figures

    def after_update(self, prediction: Prediction, rows: Rows, part: float) -> dict[str, Mean]:
        """An opponent may learn too."""
        return self._opponent.learn(prediction, rows, part) if self._opponent else {}

    def overdone(self, row: Row, start: Row) -> str | None:
        """What the opponent says."""
        return self._opponent.overdone(row, start) if self._opponent else None

    def state(self) -> dict[str, Any]:
        """Model, average and optimiser, and the opponent's where it learns."""
        return super().state() | ({"opponent": self._opponent.state()} if self._opponent else {})

    def restore(self, state: dict[str, Any]) -> None:
        """Take up what `state` gave."""
        super().restore(state)
        if self._opponent:
            self._opponent.restore(state.get("opponent", {}))  # older states have none

    def _sample_distance(self) -> SampleDistance | None:
        """What chooses a round's epoch; other trainings have none."""
        s = self.settings
        if not isinstance(s, FinetuneSettings) or s.selection_samples == 0:
            return None
        return SampleDistance(
            self.average.model, self.schedule, self.latents, s, self.compute, self._seed
        )

    @property
    def _noise_weight(self) -> float:
        own = self._opponent.noise_weight if self._opponent else None
        return self.settings.noise_weight if own is None else own

    def _total(self, weights: dict[str, float], means: dict[str, Tensor]) -> Tensor:
        """The weighted sum; an adaptive weight is scaled by the ratio of gradients."""
        scaled = self._opponent.adaptive if self._opponent else None
        if scaled is None or not weights.get(scaled):
            return super()._total(weights, means)
        last = [p for p in self.model.parameters() if p.ndim > 1][-1]
        # of several processes each has its share of both gradients
        gradients = [
            torch.autograd.grad(means[name], last, retain_graph=True)[0]
            for name in ("noise_loss", scaled)
        ]
        if self.group.count > 1:
            self.group.sum_(gradients)
        scale = weights[scaled] * gradient_ratio(*gradients)
        others = {name: weight for name, weight in weights.items() if name != scaled}
        return super()._total(others, means) + scale * means[scaled]

    def _semantic_terms(
        self, prediction: Prediction, rows: Rows, teacher: Teacher
    ) -> dict[str, Term]:
        settings = teacher.semantics.settings
        weights = {
            "segmentation_loss": settings.segmentation_weight,
            "perceptual_loss": settings.perceptual_weight,
        }
        layouts = teacher.layouts[rows.split].read(rows.latents)
        means, counted = teacher.semantics.terms(prediction, layouts)
        return {n: Term(weights.get(n, 0.0), mean, counted) for n, mean in means.items()}

    def extra(self) -> Weights:
        """The optimiser's moments by parameter name, where the next iteration carries them on."""
        if not self._keep_moments:
            return {}
        return moments_of(self.optimizer, self.model)


def write_optimizer(path: Path, tensors: Weights) -> None:
    """The optimiser's moments; a file without tensors says that none are carried on."""
    with replacing(path) as aside:
        save_file(tensors, aside)


def read_optimizer(path: Path, model: torch.nn.Module) -> Weights:
    """Moments for every parameter of `model`; UserError where the previous iteration kept none."""
    tensors = read_tensors(path)
    for name, p in model.named_parameters():
        found = [tensors.get(f"{name}.{moment}") for moment in MOMENTS]
        shapes = [None if tensor is None else tensor.shape for tensor in found]
        if shapes != [p.shape, p.shape, torch.Size([])]:
            raise UserError(
                f"{path}: holds no optimiser state for {name} {list(p.shape)}; the previous "
                "iteration must have run with diffusion.carry_optimizer: true and the same denoiser"
            )
    return tensors
