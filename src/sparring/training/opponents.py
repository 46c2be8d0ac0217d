"""What a denoiser is fine-tuned against: a discriminator, or its own beginning.

An opponent gives further terms of the loss. One that learns meanwhile has a state of its own.
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from ..artefacts.histories import Row
from ..compute import Compute
from ..diffusion.process import ForwardProcess, Prediction
from ..losses.discrimination import relativistic_loss
from ..models.denoiser import Denoiser
from ..objectives import ddo, noised
from ..objectives.table import held_out_fakes
from ..objectives.x0_bce import adversarial_loss, timestep_weights, weighted_mean
from ..randomness import normals, permutation, uniforms
from ..settings.objective import AdversarialLoss
from ..settings.parts import DiscriminatorSettings
from .critic import Discriminator, Seen, adam, critic_losses
from .denoiser import Term
from .latents import Latents, Rows
from .loop import Mean
from .optimisation import add_up, restore_optimizer

_LEARNT = ("critic_loss", "critic_accuracy")


@dataclass(frozen=True)
class Round:
    """What an opponent may use of the training that it takes part in."""

    latents: Latents
    process: ForwardProcess
    compute: Compute
    seed: int
    predict: Callable[[Denoiser, Tensor, Tensor, Tensor, Tensor | None], Prediction]
    """Of a denoiser, x0, eps, timesteps and conditions."""


class Opponent(Protocol):
    """Further terms of a denoiser's loss."""

    dropout: bool
    """Whether the denoiser is trained with the dropout that it has."""
    noise_weight: float | None
    """Weight of the noise loss, where it is not the settings' own."""
    adaptive: str | None
    """The term whose weight is scaled to the noise loss's gradient, if any."""

    def enter(self, round_: Round) -> None:
        """Take part in a training, on its device."""

    def terms(self, model: Denoiser, prediction: Prediction, rows: Rows) -> dict[str, Term]:
        """Terms for a batch of reals that `model` has predicted."""

    def learn(self, prediction: Prediction, rows: Rows, part: float) -> dict[str, Mean]:
        """After the denoiser's update, from this process's share of the batch: `part` of it, 0
        where the rows are another process's."""

    def overdone(self, row: Row, start: Row) -> str | None:
        """Why training must end before these weights, if it must."""

    def state(self) -> dict[str, Any]:
        """All that the next step depends on."""

    def restore(self, state: dict[str, Any]) -> None:
        """Take up what `state` gave."""


class Critic:
    """A discriminator that the one-step predictions should look real to: x0_bce and noised."""

    dropout = True
    noise_weight: float | None = None

    def __init__(
        self,
        discriminator: Discriminator,
        loss: AdversarialLoss,
        settings: DiscriminatorSettings | None = None,
    ) -> None:
        """`settings` say how it goes on learning, and whether it judges pairs."""
        self.discriminator = discriminator
        self.loss = loss
        self.settings = settings or DiscriminatorSettings()
        self.adaptive: str | None = "discriminator_loss" if loss.adaptive else None
        self._optimizer: torch.optim.Optimizer | None = None

    def enter(self, round_: Round) -> None:
        """Frozen, yet gradients pass through it to the denoiser."""
        self._round = round_
        self.discriminator = round_.compute.place(self.discriminator)
        self.discriminator.eval().requires_grad_(False)
        if self.settings.online:
            self._optimizer = adam(self.discriminator, self.settings)
            for p in self.discriminator.parameters():  # in every process, whatever it gets to see
                p.grad = torch.zeros_like(p)

    def terms(self, model: Denoiser, prediction: Prediction, rows: Rows) -> dict[str, Term]:
        """discriminator_loss, and viability_score for the history."""
        weights = timestep_weights(prediction, self._round.process.num_timesteps, self.loss)
        fake = self._seen(prediction.x0_pred, prediction, rows, "fake")
        logits = self._logits(fake)
        if self.settings.relativistic:
            with torch.no_grad():
                real = self._logits(self._seen(prediction.x0, prediction, rows, "real"))
            losses = relativistic_loss(logits, real)
        else:
            losses = adversarial_loss(logits)
        # A training signal on the x0_pred that the loss counts, never evidence of quality.
        viability = weighted_mean(torch.sigmoid(logits.detach()), weights)
        return {
            "discriminator_loss": Term(
                self.loss.weight, weighted_mean(losses, weights), weights.sum()
            ),
            "viability_score": Term(0.0, viability, weights.sum()),
        }

    def learn(self, prediction: Prediction, rows: Rows, part: float) -> dict[str, Mean]:
        """One step on the reals of the batch and on those predictions that the loss counts."""
        if self._optimizer is None:
            return {}
        group, device = self._round.compute.group, prediction.x0.device
        weights = timestep_weights(prediction, self._round.process.num_timesteps, self.loss)
        counts = (weights > 0) & (part > 0)
        counted = counts.sum().float()
        total = counted.clone()
        group.sum_([total])
        if not total:
            return {name: Mean(torch.zeros((), device=device), total) for name in _LEARNT}
        # Where none of its rows counts, a process still makes the same passes, as a part of 0:
        # spectral norms go on with each.
        shown = counts if counted else torch.ones_like(counts)
        reals = _chosen(self._seen(prediction.x0, prediction, rows, "real"), shown)
        x0_pred = prediction.x0_pred.detach()
        fakes = _chosen(self._seen(x0_pred, prediction, rows, "fake"), shown)
        self.discriminator.train().requires_grad_(True)
        self._optimizer.zero_grad(set_to_none=False)
        found = critic_losses(self._logits, self.discriminator, reals, fakes, self.settings)
        terms = {name: counted / total * found[name] for name in ("loss", "accuracy")}
        terms["loss"].backward()
        values = add_up(group, self.discriminator, terms)
        self._optimizer.step()
        self.discriminator.eval().requires_grad_(False)
        return {f"critic_{name}": Mean(value, total) for name, value in values.items()}

    def overdone(self, row: Row, start: Row) -> str | None:
        """Never."""
        return None

    def state(self) -> dict[str, Any]:
        """Of one that learns."""
        if self._optimizer is None:
            return {}
        optimizer = self._optimizer.state_dict()
        return {"discriminator": self.discriminator.state_dict(), "optimizer": optimizer}

    def restore(self, state: dict[str, Any]) -> None:
        """Of one that learns."""
        if self._optimizer is not None:
            self.discriminator.load_state_dict(state["discriminator"])
            restore_optimizer(self._optimizer, state["optimizer"])

    def _logits(self, seen: Seen) -> Tensor:
        with self._round.compute.autocast():
            return self.discriminator(*seen)

    def _seen(self, x0: Tensor, prediction: Prediction, rows: Rows, what: str) -> Seen:
        """Reals or predictions as the discriminator knows them: clean, or noised alike."""
        # Judged by the true condition, also where the denoiser was not told it.
        labels = self._round.latents.labels(rows)
        if self.loss.objective != "noised":
            return Seen(x0, labels)
        seed, device = self._round.seed, x0.device
        u = uniforms(rows.numbers, seed, *rows.draw, "renoise", device=device)
        count, above = self._round.process.num_timesteps, self.loss.renoise == "above"
        s = noised.levels(prediction.timesteps, count, u, above)
        eps = normals(x0.shape[1:], rows.numbers, seed, *rows.draw, what, device=device)
        return Seen(self._round.process.noised(x0, eps, s), labels, s)


class Itself:
    """The denoiser that entered the iteration, whose samples are the fakes: ddo."""

    dropout = False  # it would make the model differ from the reference that it still equals
    noise_weight: float | None
    adaptive: str | None = None

    def __init__(
        self,
        reference: Denoiser,
        fakes: Tensor,
        loss: AdversarialLoss,
        labels: Tensor | None = None,
    ) -> None:
        """`fakes` are `[N,C,...]`, `labels` their conditions; the last of them validate."""
        self.loss, self.noise_weight = loss, loss.noise_weight
        self._dimensions = fakes[0].numel()
        self._beta = ddo.steepness(loss.beta, self._dimensions)
        self._reference = copy.deepcopy(reference)
        held_out = held_out_fakes(len(fakes))
        self._fakes = {"train": fakes[:-held_out], "val": fakes[-held_out:]}
        self._labels = (
            None if labels is None else {"train": labels[:-held_out], "val": labels[-held_out:]}
        )
        self._order: tuple[tuple[Any, ...], Tensor] | None = None

    def enter(self, round_: Round) -> None:
        """The reference is frozen."""
        self._round = round_
        self._reference = round_.compute.place(self._reference).eval().requires_grad_(False)

    def terms(self, model: Denoiser, prediction: Prediction, rows: Rows) -> dict[str, Term]:
        """ddo_loss, and for the history ddo_accuracy: how often model and reference are told."""
        fake = self._fake_prediction(model, prediction, rows)
        real_delta = self._delta(prediction, rows.told)
        fake_delta = self._delta(fake[0], fake[1])
        beta, count = self._beta, len(prediction.x0)
        loss = ddo.real_loss(real_delta, beta) + self.loss.alpha * ddo.fake_loss(fake_delta, beta)
        right = 0.5 * ((real_delta > 0).float() + (fake_delta < 0).float()).detach()
        weight = ddo.scale(beta, self._dimensions)
        return {
            "ddo_loss": Term(weight, loss.mean(), count),
            "ddo_accuracy": Term(0.0, right.mean(), count),
        }

    def learn(self, prediction: Prediction, rows: Rows, part: float) -> dict[str, Mean]:
        """Nothing: the denoiser is the discriminator."""
        return {}

    def overdone(self, row: Row, start: Row) -> str | None:
        """The noise loss of validation has risen too far: reals are pushed away with fakes."""
        found, before = row.get("val_noise_loss"), start.get("val_noise_loss")
        if found is None or before is None or found <= before * (1 + self.loss.max_rise):
            return None
        return (
            f"validation noise loss rose from {before:.4g} to {found:.4g}, by more than "
            f"adversarial.max_rise {self.loss.max_rise:g}"
        )

    def state(self) -> dict[str, Any]:
        """Nothing changes."""
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        """Nothing changes."""

    def _delta(self, prediction: Prediction, told: Tensor | None) -> Tensor:
        with torch.no_grad():
            reference = self._round.predict(
                self._reference, prediction.x0, prediction.eps, prediction.timesteps, told
            )
        return ddo.log_ratio(prediction, reference.output)

    def _fake_prediction(
        self, model: Denoiser, prediction: Prediction, rows: Rows
    ) -> tuple[Prediction, Tensor | None]:
        """As many fakes with the timesteps and the noise of the reals, and the conditions that the
        denoiser is told."""
        chosen = self._chosen(rows)
        x0, t = self._fakes[rows.split][chosen], prediction.timesteps
        told = None if self._labels is None else self._labels[rows.split][chosen]
        return self._round.predict(model, x0, prediction.eps, t, told), told

    def _chosen(self, rows: Rows) -> Tensor:
        """In another order every epoch; each real has a fake of its own as far as there are any."""
        count = len(self._fakes[rows.split])
        if self._order is None or self._order[0] != (count, *rows.draw):
            order = permutation(count, self._round.seed, *rows.draw, "fakes")
            self._order = (count, *rows.draw), order
        return self._order[1][torch.tensor(rows.numbers) % count]


def _chosen(seen: Seen, rows: Tensor) -> Seen:
    labels = None if seen.labels is None else seen.labels[rows]
    timesteps = None if seen.timesteps is None else seen.timesteps[rows]
    return Seen(seen.latents[rows], labels, timesteps)
