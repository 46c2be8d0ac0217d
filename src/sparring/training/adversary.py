"""The discriminators that a VQ-GAN is trained against."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from ..compute import Compute
from ..distributed import Group
from ..losses.patches import (
    discriminator_loss,
    feature_matching_loss,
    generator_loss,
    told_right,
)
from ..models.patch_discriminator import PatchDiscriminator, slices
from ..randomness import seeded_initialisation
from ..settings.vqgan import VqganAdversarial
from .optimisation import restore_optimizer

_BETAS = (0.5, 0.9)


@dataclass
class Judge:
    """One discriminator, what it weighs, and what it looks at."""

    name: str
    model: PatchDiscriminator
    weight: float

    def view(self, patches: Tensor, places: Tensor) -> Tensor:
        """Slices for the image discriminator, the patches themselves for the other."""
        return slices(patches, places) if self.name == "image" else patches


@dataclass
class Pull:
    """What the discriminators say to the generator, scalars."""

    adversarial: Tensor
    """Weighted and summed; what the ramp and the adaptive weight scale."""
    matching: Tensor
    """Likewise, of features."""
    terms: dict[str, Tensor] = field(default_factory=dict)
    """For the history, unweighted."""


class Adversary:
    """An image and a volume discriminator with one optimiser; of weight 0 there is none."""

    def __init__(self, settings: VqganAdversarial, compute: Compute, seed: int) -> None:
        self.settings, self.compute = settings, compute
        weights = {"image": settings.image_weight, "volume": settings.volume_weight}
        self.judges = [
            Judge(name, _build(name, settings, seed).to(compute.device).train(), weight)
            for name, weight in weights.items()
            if weight > 0
        ]
        self.parameters = [p for judge in self.judges for p in judge.model.parameters()]
        self.optimizer = torch.optim.Adam(
            self.parameters, settings.learning_rate, betas=_BETAS, fused=True
        )

    @property
    def term_names(self) -> list[str]:
        """The columns that `pull` and `backward` give."""
        own = [f"{judge.name}_{what}" for judge in self.judges for what in ("gen", "disc", "right")]
        scale = ["adaptive_weight"] if self.settings.adaptive else []
        return ["gen_loss", "disc_loss", "feature_matching", *own, *scale]

    def pull(self, real: Tensor, fake: Tensor, places: Tensor) -> Pull:
        """Losses of the generator on reconstructions `[B,1,p,p,p]`; the discriminators get no
        gradient."""
        found = Pull(fake.new_zeros(()), fake.new_zeros(()))
        matching = fake.new_zeros(())
        with self._frozen():
            for judge in self.judges:
                with self.compute.autocast():
                    of_fake = judge.model(judge.view(fake, places))
                    with torch.no_grad():
                        of_real = judge.model(judge.view(real, places))
                loss = _mean(generator_loss(f[-1], self.settings.loss) for f in of_fake)
                features = _mean(
                    feature_matching_loss(r[:-1], f[:-1])
                    for r, f in zip(of_real, of_fake, strict=True)
                )
                found.terms[f"{judge.name}_gen"] = loss
                found.adversarial = found.adversarial + judge.weight * loss
                matching = matching + judge.weight * features
        found.matching = self.settings.feature_matching * matching
        found.terms |= {"gen_loss": found.adversarial, "feature_matching": matching}
        return found

    def backward(
        self, real: Tensor, fake: Tensor, places: Tensor, part: float
    ) -> dict[str, Tensor]:
        """Gradients of the discriminators, added to what there is; their losses."""
        terms = {}
        total = real.new_zeros(())
        for judge in self.judges:
            with self.compute.autocast():
                found = [judge.model(judge.view(x.detach(), places)) for x in (real, fake)]
            logits = [(r[-1], f[-1]) for r, f in zip(*found, strict=True)]
            loss = _mean(discriminator_loss(r, f, self.settings.loss) for r, f in logits)
            (part * loss).backward()
            terms[f"{judge.name}_disc"] = loss
            terms[f"{judge.name}_right"] = _mean(told_right(r, f) for r, f in logits)
            total = total + loss.detach()
        return terms | {"disc_loss": total}

    def update(self, group: Group) -> None:
        """One step, on the gradients that the processes of a group have together."""
        if group.count > 1:
            group.sum_([p.grad for p in self.parameters if p.grad is not None])
        self.optimizer.step()

    def state(self) -> dict[str, Any]:
        """Discriminators and optimiser."""
        models = {judge.name: judge.model.state_dict() for judge in self.judges}
        return {"models": models, "optimizer": self.optimizer.state_dict()}

    def restore(self, state: dict[str, Any]) -> None:
        """Take up what `state` gave."""
        for judge in self.judges:
            judge.model.load_state_dict(state["models"][judge.name])
        restore_optimizer(self.optimizer, state["optimizer"])

    @contextmanager
    def _frozen(self) -> Iterator[None]:
        for p in self.parameters:
            p.requires_grad_(False)
        try:
            yield
        finally:
            for p in self.parameters:
                p.requires_grad_(True)


def _build(name: str, settings: VqganAdversarial, seed: int) -> PatchDiscriminator:
    with seeded_initialisation(seed, "discriminator", name):
        return PatchDiscriminator(
            spatial_dims=2 if name == "image" else 3,
            base_channels=settings.base_channels,
            num_layers=settings.num_layers,
            norm=settings.norm,
            scales=settings.scales,
        )


def _mean(by_scale: Iterable[Tensor]) -> Tensor:
    """Over scales and samples `[B]`."""
    return torch.stack([one.mean() for one in by_scale]).mean()
