"""Fine-tuning a denoiser within an iteration, against a discriminator or as its control."""

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from ..artefacts.atomic import replacing
from ..artefacts.models import read_tensors
from ..diffusion.process import Prediction
from ..errors import UserError
from ..losses.noise import noise_loss
from ..models.discriminator import LatentDiscriminator
from ..objectives.x0_bce import adversarial_loss, timestep_weights, weighted_mean
from ..settings.parts import AdversarialLoss, FinetuneSettings
from .denoiser import DenoiserTraining, Term
from .loop import Weights

_MOMENTS = ("exp_avg", "exp_avg_sq", "step")


class Finetuning(DenoiserTraining):
    """Noise loss plus the adversarial loss of a frozen discriminator; the control has none."""

    settings: FinetuneSettings

    def __init__(
        self,
        *args: Any,
        adversarial: AdversarialLoss | None,
        discriminator: LatentDiscriminator | None,
        optimizer_state: Weights,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self._adversarial = adversarial
        self._discriminator = None
        if discriminator is not None:
            # Frozen, yet gradients pass through it to the denoiser.
            self._discriminator = discriminator.to(self.compute.device).eval()
            self._discriminator.requires_grad_(False)
        if optimizer_state:
            self._load_moments(optimizer_state)

    def losses(self, prediction: Prediction) -> dict[str, Term]:
        """noise_loss, and with a discriminator discriminator_loss and viability_score."""
        losses = noise_loss(prediction)
        terms = {"noise_loss": Term(self.settings.noise_weight, losses.mean(), len(losses))}
        if self._discriminator is None or self._adversarial is None:
            return terms
        with self.compute.autocast():
            logits = self._discriminator(prediction.x0_pred)
        weights = timestep_weights(prediction, self.process.num_timesteps, self._adversarial)
        loss = weighted_mean(adversarial_loss(logits), weights)
        terms["discriminator_loss"] = Term(self._adversarial.weight, loss, weights.sum())
        # A training signal on the x0_pred that the loss counts, never evidence of quality.
        viability = weighted_mean(torch.sigmoid(logits.detach()), weights)
        terms["viability_score"] = Term(0.0, viability, weights.sum())
        return terms

    def extra(self) -> Weights:
        """The optimiser's moments by parameter name, where the next iteration carries them on."""
        if not self.settings.carry_optimizer:
            return {}
        names = {id(p): name for name, p in self.model.named_parameters()}
        return {
            f"{names[id(p)]}.{moment}": state[moment].detach().cpu().clone()
            for p, state in self.optimizer.state.items()
            for moment in _MOMENTS
        }

    def _load_moments(self, tensors: Weights) -> None:
        for name, p in self.model.named_parameters():
            self.optimizer.state[p] = {
                moment: tensors[f"{name}.{moment}"].to(p.device) for moment in _MOMENTS
            }


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
