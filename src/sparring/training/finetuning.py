"""Fine-tuning a denoiser: with semantic losses, against a discriminator, or as its control."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from ..artefacts.atomic import replacing
from ..artefacts.models import read_tensors
from ..diffusion.process import Prediction
from ..errors import UserError
from ..losses.noise import noise_loss
from ..models.discriminator import LatentDiscriminator
from ..objectives.x0_bce import adversarial_loss, timestep_weights, weighted_mean
from ..settings.parts import AdversarialLoss, FinetuneSettings, SemanticTraining
from .denoiser import DenoiserTraining, Rows, Term
from .loop import Weights
from .semantics import LayoutRows, Semantics

_MOMENTS = ("exp_avg", "exp_avg_sq", "step")


@dataclass(frozen=True)
class Opponent:
    """The discriminator that a denoiser is trained against, and how."""

    discriminator: LatentDiscriminator
    loss: AdversarialLoss


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
        if opponent is not None:
            # Frozen, yet gradients pass through it to the denoiser.
            opponent.discriminator.to(self.compute.device).eval().requires_grad_(False)
        if optimizer_state:
            self._load_moments(optimizer_state)

    def losses(self, prediction: Prediction, rows: Rows) -> dict[str, Term]:
        """noise_loss, the terms of `Semantics`, discriminator_loss and viability_score."""
        losses = noise_loss(prediction)
        terms = {"noise_loss": Term(self.settings.noise_weight, losses.mean(), len(losses))}
        if self._teacher is not None:
            terms |= self._semantic_terms(prediction, rows, self._teacher)
        if self._opponent is not None:
            terms |= self._adversarial_terms(prediction, rows, self._opponent)
        return terms

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

    def _adversarial_terms(
        self, prediction: Prediction, rows: Rows, opponent: Opponent
    ) -> dict[str, Term]:
        # Judged by the true condition, also where the denoiser was not told it.
        labels = self.latents.labels(rows)
        with self.compute.autocast():
            logits = opponent.discriminator(prediction.x0_pred, labels)
        weights = timestep_weights(prediction, self.process.num_timesteps, opponent.loss)
        loss = weighted_mean(adversarial_loss(logits), weights)
        # A training signal on the x0_pred that the loss counts, never evidence of quality.
        viability = weighted_mean(torch.sigmoid(logits.detach()), weights)
        return {
            "discriminator_loss": Term(opponent.loss.weight, loss, weights.sum()),
            "viability_score": Term(0.0, viability, weights.sum()),
        }

    def extra(self) -> Weights:
        """The optimiser's moments by parameter name, where the next iteration carries them on."""
        if not self._keep_moments:
            return {}
        names = {id(p): name for name, p in self.model.named_parameters()}
        return {
            f"{names[id(p)]}.{moment}": state[moment].detach().cpu().contiguous().clone()
            for p, state in self.optimizer.state.items()
            for moment in _MOMENTS
        }

    def _load_moments(self, tensors: Weights) -> None:
        for name, p in self.model.named_parameters():
            self.optimizer.state[p] = {
                moment: _like(p, tensors[f"{name}.{moment}"]) for moment in _MOMENTS
            }


def _like(parameter: Tensor, moment: Tensor) -> Tensor:
    """On its device and, where the shape is the same, laid out as it is."""
    if moment.shape != parameter.shape:
        return moment.to(parameter.device)
    return torch.empty_like(parameter, requires_grad=False).copy_(moment)


def write_optimizer(path: Path, tensors: Weights) -> None:
    """The optimiser's moments; a file without tensors says that none are carried on."""
    with replacing(path) as aside:
        save_file(tensors, aside)


def read_optimizer(path: Path, model: torch.nn.Module) -> Weights:
    """Moments for every parameter of `model`; UserError where the previous iteration kept none."""
    tensors = read_tensors(path)
    for name, p in model.named_parameters():
        found = [tensors.get(f"{name}.{moment}") for moment in _MOMENTS]
        shapes = [None if tensor is None else tensor.shape for tensor in found]
        if shapes != [p.shape, p.shape, torch.Size([])]:
            raise UserError(
                f"{path}: holds no optimiser state for {name} {list(p.shape)}; the previous "
                "iteration must have run with diffusion.carry_optimizer: true and the same denoiser"
            )
    return tensors
