"""Training a discriminator on real and fake latents."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..artefacts.histories import Row
from ..compute import Compute
from ..errors import UserError
from ..losses.discrimination import accuracy, discriminator_loss
from ..models.discriminator import LatentDiscriminator
from ..passes import Pass
from ..randomness import Key, key_seed, permutation
from ..settings.parts import DiscriminatorSettings
from .loop import Weights
from .optimisation import add_up

_BETAS = (0.5, 0.999)  # Radford et al. 2016
_PLATEAU_FACTOR = 0.5
_HELD_OUT_BATCH = 256


@dataclass(frozen=True)
class Halves:
    """Row numbers of a class that train and that validate."""

    train: np.ndarray
    val: np.ndarray


def split_rows(originals: np.ndarray, val_fraction: float, seed: int, *key: Key) -> Halves:
    """Cut rows by the original they are (a copy of): no twin of a training row validates.

    Originals are ranked by a hash of their name, so that one that has trained a discriminator
    nearly never validates the one that goes on from it, whatever else is drawn.
    Raises UserError where a half would be empty.
    """
    names = np.unique(originals.astype(str))
    count = round(val_fraction * len(names))
    if not 0 < count < len(names):
        raise UserError(
            f"discriminator.val_fraction: {val_fraction:g} of {len(names)} originals leaves one "
            "half empty; raise num_samples or change the fraction"
        )
    ranked = sorted(names, key=lambda name: key_seed(seed, "discriminator_split", *key, name))
    held_out = np.isin(originals.astype(str), ranked[:count])
    return Halves(np.flatnonzero(~held_out), np.flatnonzero(held_out))


class _Class(NamedTuple):
    """Reals or fakes."""

    name: str
    is_real: float
    latents: Tensor
    rows: Halves
    labels: Tensor | None


class DiscriminatorTraining:
    """Adam on binary cross-entropy, batches half real and half fake. A `Stage` of the loop."""

    eval_interval = 1
    criterion = "val_loss"

    def __init__(
        self,
        model: LatentDiscriminator,
        reals: Tensor,
        fakes: Tensor,
        real_rows: Halves,
        fake_rows: Halves,
        settings: DiscriminatorSettings,
        compute: Compute,
        seed: int,
        key: tuple[Key, ...],
        labels: tuple[Tensor, Tensor] | None = None,
    ) -> None:
        """`reals` and `fakes` are `[N,C,...]` float32 on the device.

        `labels` are the numbers of their conditions, int64 `[N]` each, for a discriminator with
        conditions.
        """
        self.model = compute.place(model).train()
        self._pass = Pass(lambda x, labels=None: model(x, labels), model, compute)
        self.settings = settings
        self.compute = compute
        self.group = compute.group
        self.epochs = settings.epochs
        labels_of_reals, labels_of_fakes = labels or (None, None)
        self._classes = (
            _Class("real", 1.0, reals, real_rows, labels_of_reals),
            _Class("fake", 0.0, fakes, fake_rows, labels_of_fakes),
        )
        smaller = min(len(real_rows.train), len(fake_rows.train))
        self._half = min(settings.batch_size // 2, smaller)
        self.steps_per_epoch = smaller // self._half
        self.optimizer = torch.optim.Adam(
            self.model.parameters(), settings.learning_rate, betas=_BETAS, fused=True
        )
        self.plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(
            self.optimizer, factor=_PLATEAU_FACTOR, patience=settings.plateau_patience
        )
        self._seed, self._key = seed, key
        self._order: tuple[int, list[Tensor]] | None = None

    def step(self, epoch: int, step: int) -> dict[str, Tensor]:
        """One update on as many reals as fakes."""
        batches = []
        for of, order in zip(self._classes, self._orders(epoch), strict=True):
            rows, part = self.group.share(order[step * self._half : (step + 1) * self._half])
            batches.append((of, rows))
        logits, is_real = self._score(batches)
        loss = part * discriminator_loss(logits, is_real).mean()
        right = part * accuracy(logits, is_real).mean()
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        terms = add_up(self.group, self.model, {"loss": loss, "accuracy": right})
        self.optimizer.step()
        return terms

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """Loss and accuracy on the held-out rows, each class counting half."""
        self.model.eval()
        losses, accuracies = [], []
        for of in self._classes:
            held_out = torch.from_numpy(of.rows.val).to(self.compute.device).split(_HELD_OUT_BATCH)
            logits = torch.cat([self._score([(of, rows)])[0] for rows in held_out])
            label = torch.full_like(logits, of.is_real)
            losses.append(discriminator_loss(logits, label).mean())
            accuracies.append(accuracy(logits, label).mean())
        self.model.train()
        mean = {"loss": torch.stack(losses).mean(), "accuracy": torch.stack(accuracies).mean()}
        return {name: float(value) for name, value in mean.items()}

    def end_epoch(self, epoch: int, row: Row) -> None:
        """Lower the rate when the validation loss no longer falls."""
        self.plateau.step(float(row["val_loss"] or 0.0))

    def learning_rate(self) -> float:
        """The present rate."""
        return self.optimizer.param_groups[0]["lr"]

    def weights(self) -> Weights:
        """Copies on the CPU."""
        return {k: v.detach().cpu().clone() for k, v in self.model.state_dict().items()}

    def extra(self) -> Weights:
        """Nothing."""
        return {}

    def state(self) -> dict[str, Any]:
        """Model, optimiser and plateau schedule."""
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "plateau": self.plateau.state_dict(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take up what `state` gave."""
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.plateau.load_state_dict(state["plateau"])

    def _orders(self, epoch: int) -> list[Tensor]:
        """The rows of each class in the epoch's order, on the device."""
        if self._order is None or self._order[0] != epoch:
            key, orders = (*self._key, epoch), []
            for of in self._classes:
                order = permutation(len(of.rows.train), self._seed, *key, of.name)
                orders.append(torch.from_numpy(of.rows.train)[order].to(self.compute.device))
            self._order = epoch, orders
        return self._order[1]

    def _score(self, batches: list[tuple["_Class", Tensor]]) -> tuple[Tensor, Tensor]:
        """Logits and who is real, of some rows of each class in one batch."""
        latents = torch.cat([of.latents[rows] for of, rows in batches])
        labels = [of.labels[rows] for of, rows in batches if of.labels is not None]
        logits = self._pass(latents, *([torch.cat(labels)] if labels else []))
        truth = [torch.full_like(logits[: len(rows)], of.is_real) for of, rows in batches]
        return logits, torch.cat(truth)
