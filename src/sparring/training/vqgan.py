"""Training a VQ-GAN on patches of volumes: to reconstruct, then against discriminators too."""

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..artefacts.histories import Row
from ..compute import Compute
from ..losses.semantic import perceptual_loss
from ..models.codebook import EmaCodebook, Quantised
from ..models.vqgan import VQGAN
from ..randomness import numpy_generator
from ..settings.vqgan import VqganLosses, VqganTraining
from .adversary import Adversary
from .batches import MicroBatches
from .codes import CodeKeeper, Seen
from .loop import Weights
from .optimisation import (
    add_up,
    gradient_ratio,
    load_moments,
    lr_factor,
    restore_optimizer,
    set_learning_rate,
)
from .patch_validation import measure_patches

logger = logging.getLogger(__name__)
_BETAS = (0.9, 0.99)


@dataclass(frozen=True)
class Patches:
    """Where patches `[B,1,p,p,p]` float32 in [-1, 1] come from."""

    train: Callable[[int, Sequence[int]], Tensor]
    """Of a step, those of the given numbers; nothing else may change what they are."""
    val: Callable[[], Iterable[Tensor]]
    """The same every time."""


@dataclass(frozen=True)
class Span:
    """Which of all the generator's steps a stage takes."""

    first: int
    """Steps before it."""
    count: int
    total: int
    """Of all stages: what a cosine schedule runs over."""
    discriminator_start: int = 0
    """Steps before the discriminators learn and count."""


class VqganStage:
    """One phase of a VQ-GAN. A `Stage` of the loop; its epochs are `eval_interval` steps long.

    Steps are counted over both phases, so that the second one draws other patches than the first,
    and its two arms the same ones.
    """

    criterion = "val_l1"
    eval_interval = 1

    def __init__(
        self,
        model: VQGAN,
        patches: Patches,
        span: Span,
        training: VqganTraining,
        losses: VqganLosses,
        compute: Compute,
        seed: int,
        adversary: Adversary | None = None,
        features: Callable[[Tensor, Tensor], list[Tensor]] | None = None,
        moments: Weights | None = None,
        picture: Callable[[int, Tensor, Tensor], None] | None = None,
    ) -> None:
        """`features(patches, places)` are what a perceptual loss compares, `moments` the
        optimiser's of the phase before; `picture(epoch, real, reconstructed)` draws."""
        self.model = model.to(compute.device).train()
        self.patches, self.span, self.settings = patches, span, training
        self.compute, self.group = compute, compute.group
        self.adversary = adversary
        self.steps_per_epoch = training.eval_interval
        self.epochs = span.count // training.eval_interval
        self.optimizer = torch.optim.Adam(
            self.model.parameters(), training.learning_rate, betas=_BETAS, fused=True
        )
        if moments:
            load_moments(self.optimizer, self.model, moments)
        self._losses, self._features = losses, features
        self._seed, self._picture = seed, picture
        book = self.model.codebook
        self._codes = (
            CodeKeeper(book, training.codebook, self.group, training.batch_size, seed)
            if isinstance(book, EmaCodebook)
            else None
        )
        self._batches = MicroBatches(training.micro_batch_size)
        perceptual = ["perceptual"] if features else []
        against = adversary.term_names if adversary else []
        self._terms = ["loss", "l1", *perceptual, "commitment", *against]

    def step(self, epoch: int, step: int) -> dict[str, Tensor]:
        """One update of the generator and, once they have started, of the discriminators."""
        n = self.span.first + epoch * self.steps_per_epoch + step
        numbers, part = self.group.share(np.arange(self.settings.batch_size))
        if self._codes is not None and self._codes.should_begin(n):
            self._codes.begin(self._seen(n, numbers.tolist()), part, n)
        work = self._batches.run(
            numbers.tolist(), lambda some, of: self._piece(n, some, part * of), self._forget
        )
        terms = add_up(self.group, self.model, _sums([piece.terms for piece in work]))
        nn.utils.clip_grad_norm_(self.model.parameters(), self.settings.max_grad_norm)
        set_learning_rate(self.optimizer, self._rate(n))
        self.optimizer.step()
        if self.adversary is not None and self._ramp(n) is not None:
            self.adversary.update(self.group)
        if self._codes is not None:
            terms["dead_codes"] = self._codes.follow([piece.seen for piece in work], part, n)
        return terms

    def validate(self) -> dict[str, float]:
        """Figures of the fixed patches; see `measure_patches`."""
        return measure_patches(self.model, self.patches.val(), self.compute)

    def end_epoch(self, epoch: int, row: Row) -> None:
        """Draw a patch and its reconstruction."""
        if self._picture is None or not self.group.is_main:
            return
        real = next(iter(self.patches.val())).to(self.compute.device)
        with torch.no_grad(), self.compute.autocast():
            self._picture(epoch, real, self.model(real).float())

    def overdone(self, row: Row, start: Row) -> str | None:
        """Never."""
        return None

    def learning_rate(self) -> float:
        """The rate of the last step."""
        return self.optimizer.param_groups[0]["lr"]

    def weights(self) -> Weights:
        """Copies on the CPU, the codebook's averages with them."""
        return {k: v.detach().cpu().clone() for k, v in self.model.state_dict().items()}

    def extra(self) -> Weights:
        """Nothing."""
        return {}

    def state(self) -> dict[str, Any]:
        """Model with codebook, optimiser, discriminators, and the size of micro-batches."""
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "adversary": self.adversary.state() if self.adversary else {},
            "micro_batch_size": self._batches.size,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take up what `state` gave."""
        self.model.load_state_dict(state["model"])
        restore_optimizer(self.optimizer, state["optimizer"])
        if self.adversary:
            self.adversary.restore(state["adversary"])
        self._batches.size = state["micro_batch_size"]

    def _piece(self, n: int, numbers: Sequence[int], part: float) -> "Piece":
        """Gradients of some patches of step n, which are this part of the whole batch."""
        real = self.patches.train(n, numbers).to(self.compute.device)
        with self.compute.autocast():
            latents = self.model.encode(real)
        quantised = self.model.quantise(latents)
        with self.compute.autocast():
            fake = self.model.decode(quantised.latents).float()
        places = self._places(n, numbers, real.shape[-1]).to(real.device)
        loss, terms = self._generator_loss(n, real, fake, quantised, places)
        (part * loss).backward()
        if self.adversary is not None and self._ramp(n) is not None:
            terms |= self.adversary.backward(real, fake.detach(), places, part)
        shares = {
            name: part * terms[name].detach() if name in terms else loss.new_zeros(())
            for name in self._terms
        }
        return Piece(shares, Seen(numbers, latents.detach().float(), quantised.indices))

    def _generator_loss(
        self, n: int, real: Tensor, fake: Tensor, quantised: Quantised, places: Tensor
    ) -> tuple[Tensor, dict[str, Tensor]]:
        w, terms = self._losses, {"l1": (fake - real).abs().mean()}
        reconstruction = w.l1 * terms["l1"]
        if self._features is not None:
            with torch.no_grad():
                wanted = self._features(real, places)
            terms["perceptual"] = perceptual_loss(self._features(fake, places), wanted).mean()
            reconstruction = reconstruction + w.perceptual * terms["perceptual"]
        terms["commitment"] = quantised.commitment.mean()
        loss = reconstruction + w.commitment * terms["commitment"]
        ramp = self._ramp(n)
        if self.adversary is not None and ramp is not None:
            pull = self.adversary.pull(real, fake, places)
            terms |= pull.terms
            adversarial = pull.adversarial
            if self.adversary.settings.adaptive:
                last = self.model.decoder.last_layer
                terms["adaptive_weight"] = adaptive_weight(reconstruction, adversarial, last)
                adversarial = terms["adaptive_weight"] * adversarial
            loss = loss + ramp * (adversarial + pull.matching)
        return loss, {"loss": loss, **terms}

    def _ramp(self, n: int) -> float | None:
        """The share of the adversarial weights at step n; None before the discriminators start."""
        after = n - self.span.discriminator_start
        if self.adversary is None or after < 0:
            return None
        return min(1.0, (after + 1) / (self.adversary.settings.ramp_steps + 1))

    def _places(self, n: int, numbers: Sequence[int], size: int) -> Tensor:
        """Which slices of each patch image discriminator and VGG16 see, `[B,3,k]`."""
        count = self.settings.slices_per_axis
        draws = [
            numpy_generator(self._seed, "slices", n, number).integers(size, size=(3, count))
            for number in numbers
        ]
        return torch.from_numpy(np.stack(draws))

    def _rate(self, n: int) -> float:
        s = self.settings
        factor = lr_factor(n, self.span.total, s.lr_warmup_steps, s.lr_schedule)
        return s.learning_rate * factor

    @torch.no_grad()
    def _seen(self, n: int, numbers: Sequence[int]) -> list[Seen]:
        """Latents of patches of step n, not yet rounded."""

        def encode(some: Sequence[int], _: float) -> Seen:
            real = self.patches.train(n, some).to(self.compute.device)
            with self.compute.autocast():
                return Seen(some, self.model.encode(real).float())

        return self._batches.run(numbers, encode, self._forget)

    def _forget(self) -> None:
        """Drop gradients: a step begins, or begins again."""
        self.optimizer.zero_grad(set_to_none=True)
        if self.adversary is not None:
            self.adversary.optimizer.zero_grad(set_to_none=True)


@dataclass
class Piece:
    """What a micro-batch leaves beside its gradients."""

    terms: dict[str, Tensor]
    """Its share of each term's mean."""
    seen: Seen


def adaptive_weight(reconstruction: Tensor, adversarial: Tensor, last: Tensor) -> Tensor:
    """|grad of reconstruction| / |grad of adversarial| at the last layer, a scalar."""
    losses = reconstruction, adversarial
    return gradient_ratio(*(torch.autograd.grad(x, last, retain_graph=True)[0] for x in losses))


def _sums(parts: list[dict[str, Tensor]]) -> dict[str, Tensor]:
    return {name: torch.stack([part[name] for part in parts]).sum(0) for name in parts[0]}
