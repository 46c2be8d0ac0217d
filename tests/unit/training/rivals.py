"""Tiny opponents of every objective, each made anew, and discriminators of noised latents."""

import torch

from sparring.models.backbone import from_denoiser
from sparring.models.discriminator import LatentDiscriminator
from sparring.randomness import seeded_initialisation
from sparring.settings.objective import AdversarialLoss
from sparring.settings.parts import DiscriminatorSettings
from sparring.training.opponents import Critic, Itself


def fakes(*shape, seed=5):
    """Unlike the reals in their mean."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)) + 0.5


def itself(model, shape=(4, 8, 8), labels=None, count=10, **keys):
    """The opponent of ddo alone: `model` is what enters, of ten fakes two validate."""
    loss = AdversarialLoss(objective="ddo", **{"noise_weight": 0.0, "beta": 0.05} | keys)
    return Itself(model, fakes(count, *shape), loss, labels)


def noised_discriminator(channels=4, spectral=False, conditions=0, dims=2):
    """That of noised latents, which knows one noise level from another."""
    with seeded_initialisation(0, "discriminator"):
        model = LatentDiscriminator(
            channels, 8, 2 if dims == 2 else 1, conditions, dims, noised=True, spectral=spectral
        )
        for p in model.parameters():
            if not p.any():
                torch.nn.init.normal_(p, std=0.1)
    return model


def backbone(denoiser):
    """One that begins as the denoiser's encoder, with a head that says something."""
    with seeded_initialisation(0, "backbone"):
        model = from_denoiser(denoiser, 0, 2, noised=True)
        torch.nn.init.normal_(model.head.weight, std=0.1)
    return model


def critic(discriminator=None, settings=None, **keys):
    """The opponent of noised; `settings` are the discriminator's."""
    loss = AdversarialLoss(objective="noised", **keys)
    return Critic(
        discriminator or noised_discriminator(), loss, DiscriminatorSettings(**settings or {})
    )


def online(relativistic=True, **keys):
    """A discriminator that learns meanwhile, with all that regularises it."""
    settings = {"online": True, "r1": 0.1, "r2": 0.1, "weight_decay": 0.01}
    settings["relativistic"] = relativistic
    return critic(noised_discriminator(spectral=True), settings, **keys)
