"""Learning-rate schedules, an optimiser's moments, and the average of weights."""

import copy
from math import cos, pi
from typing import Any, Generic, Literal, TypeVar

import torch
from torch import Tensor, nn

from ..distributed import Group
from .loop import Weights

MOMENTS = ("exp_avg", "exp_avg_sq", "step")
"""What Adam keeps of a parameter."""


def lr_factor(
    step: int, total_steps: int, warmup_steps: int, schedule: Literal["constant", "cosine"]
) -> float:
    """The rate at a step (from 0) as a share of the peak.

    Rises linearly over `warmup_steps`; then stays, or falls to 0 at `total_steps` along a cosine.
    Counted in optimiser steps throughout, never in epochs.
    """
    if step < warmup_steps:
        return (step + 1) / (warmup_steps + 1)
    if schedule == "constant":
        return 1.0
    progress = (step - warmup_steps) / max(1, total_steps - warmup_steps)
    return 0.5 * (1 + cos(pi * min(1.0, progress)))


def set_learning_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Set the rate of all parameter groups."""
    for group in optimizer.param_groups:
        group["lr"] = rate


def add_up(group: Group, model: nn.Module, terms: dict[str, Tensor]) -> dict[str, Tensor]:
    """Gradients (in place) and detached loss terms of a batch, from every process's share."""
    values = {name: value.detach() for name, value in terms.items()}
    if group.count == 1:
        return values
    stacked = torch.stack([value.float() for value in values.values()])
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    group.sum_([*gradients, stacked])
    return dict(zip(values, stacked.unbind(), strict=True))


def gradient_ratio(wanted: Tensor, other: Tensor) -> Tensor:
    """|wanted| / |other| of two gradients at a network's last layer, at most 1e4, a scalar.

    The adaptive weight of Esser et al. 2021, eq. 7.
    """
    return (wanted.norm() / (other.norm() + 1e-6)).clamp(0, 1e4).detach()


def moments_of(optimizer: torch.optim.Optimizer, model: nn.Module) -> Weights:
    """Copies of Adam's moments on the CPU, by parameter name; nothing before its first step."""
    names = {id(p): name for name, p in model.named_parameters()}
    return {
        f"{names[id(p)]}.{moment}": state[moment].detach().cpu().contiguous().clone()
        for p, state in optimizer.state.items()
        for moment in MOMENTS
    }


def load_moments(optimizer: torch.optim.Optimizer, model: nn.Module, moments: Weights) -> None:
    """What `moments_of` gave, into an optimiser of the same model."""
    for name, p in model.named_parameters():
        optimizer.state[p] = {kind: _like(p, moments[f"{name}.{kind}"]) for kind in MOMENTS}


def restore_optimizer(optimizer: torch.optim.Optimizer, state: dict[str, Any]) -> None:
    """Take up what `optimizer.state_dict()` gave, with moments laid out as the parameters are now.

    Adam's fused step on a CPU goes through memory in order without a look at the layout, and a job
    may have saved its state where bf16 wants the channels last, and go on where it does not. For
    fused optimisers: they also keep the number of steps on the parameters' device.
    """
    optimizer.load_state_dict(state)
    for p, moments in optimizer.state.items():
        optimizer.state[p] = {kind: _like(p, moment) for kind, moment in moments.items()}


def _like(parameter: Tensor, moment: Tensor) -> Tensor:
    """On its device and, where the shape is the same, laid out as it is."""
    if moment.shape != parameter.shape:
        return moment.to(parameter.device)
    return torch.empty_like(parameter, requires_grad=False).copy_(moment)


def without_dropout(model: nn.Module) -> None:
    """Every dropout of a model that trains lets all through; `model.train()` would undo it."""
    for module in model.modules():
        if isinstance(module, nn.modules.dropout._DropoutNd):
            module.eval()


M = TypeVar("M", bound=nn.Module)


class WeightAverage(Generic[M]):
    """Exponential moving average of a model's weights, held in a second model.

    The decay of update n is min(decay, (1 + n) / (10 + n)), so short trainings average too.
    """

    def __init__(self, model: M, decay: float) -> None:
        self.model: M = copy.deepcopy(model).eval().requires_grad_(False)
        self.decay = decay
        self.updates = 0

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """Move towards the model's present weights."""
        self.updates += 1
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        torch._foreach_lerp_(list(self.model.parameters()), list(model.parameters()), 1 - decay)

    def weights(self) -> Weights:
        """Copies on the CPU."""
        return {k: v.detach().cpu().clone() for k, v in self.model.state_dict().items()}
