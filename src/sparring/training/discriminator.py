"""Training a discriminator on real and fake latents."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..artefacts.histories import Row
from ..compute import Compute
from ..diffusion.process import ForwardProcess
from ..errors import UserError
from ..losses.discrimination import accuracy, discriminator_loss, relativistic_loss
from ..randomness import Key, key_seed, normals, permutation, timesteps
from ..settings.parts import DiscriminatorSettings
from .critic import Discriminator, Seen, adam, critic_losses, scorer
from .denoiser import least_draws
from .loop import Weights
from .optimisation import add_up, restore_optimizer

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
    """Adam on batches half real and half fake, clean or noised. A `Stage` of the loop."""

    eval_interval = 1
    criterion = "val_loss"

    def __init__(
        self,
        model: Discriminator,
        reals: Tensor,
        fakes: Tensor,
        real_rows: Halves,
        fake_rows: Halves,
        settings: DiscriminatorSettings,
        compute: Compute,
        seed: int,
        key: tuple[Key, ...],
        labels: tuple[Tensor, Tensor] | None = None,
        process: ForwardProcess | None = None,
    ) -> None:
        """`reals` and `fakes` are `[N,C,...]` float32 on the device.

        `labels` are the numbers of their conditions, int64 `[N]` each, for a discriminator with
        conditions. With a forward `process` it sees latents noised to a timestep that it is told.
        """
        self.model = compute.place(model).train()
        self._pass = scorer(self.model, compute)
        self.settings = settings
        self.compute = compute
        self.group = compute.group
        self.epochs = settings.epochs
        self._process = None if process is None else process.to(compute.device)
        labels_of_reals, labels_of_fakes = labels or (None, None)
        self._classes = (
            _Class("real", 1.0, reals, real_rows, labels_of_reals),
            _Class("fake", 0.0, fakes, fake_rows, labels_of_fakes),
        )
        smaller = min(len(real_rows.train), len(fake_rows.train))
        self._half = min(settings.batch_size // 2, smaller)
        self.steps_per_epoch = smaller // self._half
        self.optimizer = adam(self.model, settings)
        self.plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(
            self.optimizer, factor=_PLATEAU_FACTOR, patience=settings.plateau_patience
        )
        self._seed, self._key = seed, key
        self._order: tuple[int, dict[str, Tensor]] | None = None
        self._held_out = [self._validation(of) for of in self._classes]

    def step(self, epoch: int, step: int) -> dict[str, Tensor]:
        """One update on as many reals as fakes."""
        (reals, part), (fakes, _) = (self._batch(of, epoch, step) for of in self._classes)
        terms = critic_losses(self._pass, self.model, reals, fakes, self.settings)
        terms = {name: part * value for name, value in terms.items()}
        self.optimizer.zero_grad(set_to_none=True)
        terms["loss"].backward()
        values = add_up(self.group, self.model, terms)
        self.optimizer.step()
        return values

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """Loss (without penalties) and accuracy on the held-out rows, each class counting half."""
        self.model.eval()
        real, fake = (torch.cat([self._pass(one) for one in held]) for held in self._held_out)
        self.model.train()
        halves = [(real, torch.ones_like(real)), (fake, torch.zeros_like(fake))]
        losses = torch.stack([discriminator_loss(*half).mean() for half in halves])
        rights = torch.stack([accuracy(*half).mean() for half in halves])
        if self.settings.relativistic:  # of every real with every fake
            pairs = real.unsqueeze(1), fake.unsqueeze(0)
            losses, rights = relativistic_loss(*pairs), (pairs[0] > pairs[1]).float()
        return {"loss": float(losses.mean()), "accuracy": float(rights.mean())}

    def end_epoch(self, epoch: int, row: Row) -> None:
        """Lower the rate when the validation loss no longer falls."""
        self.plateau.step(float(row["val_loss"] or 0.0))

    def overdone(self, row: Row, start: Row) -> str | None:
        """Never."""
        return None

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
        restore_optimizer(self.optimizer, state["optimizer"])
        self.plateau.load_state_dict(state["plateau"])

    def _batch(self, of: _Class, epoch: int, step: int) -> tuple[Seen, float]:
        """This process's rows of a step, and which part of the batch they are."""
        order = self._orders(epoch)[of.name][step * self._half : (step + 1) * self._half]
        rows, part = self.group.share(order)
        return self._seen(of, rows, *self._key, epoch), part

    def _orders(self, epoch: int) -> dict[str, Tensor]:
        """The rows of each class in the epoch's order, on the device."""
        if self._order is None or self._order[0] != epoch:
            key, orders = (*self._key, epoch), {}
            for of in self._classes:
                order = permutation(len(of.rows.train), self._seed, *key, of.name)
                rows = torch.from_numpy(of.rows.train)[order]
                orders[of.name] = rows.to(self.compute.device)
            self._order = epoch, orders
        return self._order[1]

    def _validation(self, of: _Class) -> list[Seen]:
        """Held-out rows; noised ones at the same timesteps with the same noise every time."""
        held_out = torch.from_numpy(of.rows.val).to(self.compute.device)
        noised = self._process is not None  # few of them are each noised several times
        repeats = -(-least_draws(of.latents) // len(held_out)) if noised else 1
        numbers = torch.arange(repeats * len(held_out)).split(_HELD_OUT_BATCH)
        draws, key = held_out.repeat(repeats), (*self._key, "validation")
        return [self._seen(of, draws[part], *key, numbers=part.tolist()) for part in numbers]

    def _seen(self, of: _Class, rows: Tensor, *key: Key, numbers: list[int] | None = None) -> Seen:
        """Some rows as the discriminator is shown them; noise is keyed by `numbers`, or by row."""
        latents = of.latents[rows]
        labels = None if of.labels is None else of.labels[rows]
        if self._process is None:
            return Seen(latents, labels)
        samples = rows.tolist() if numbers is None else numbers
        device, key = self.compute.device, (*key, of.name)
        eps = normals(latents.shape[1:], samples, self._seed, *key, "noise", device=device)
        count = self._process.num_timesteps
        t = timesteps(count, samples, self._seed, *key, "timestep", device=device)
        return Seen(self._process.noised(latents, eps, t), labels, t)
