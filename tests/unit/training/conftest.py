"""Tiny denoisers, discriminators and autoencoders, each made anew from the same seeds."""

from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import rivals
import torch
import vqgans
from attempts import (
    PowerCut,
    cut_power,
    flat,
    run,
    run_interrupted,
    same,
    stopping_at,
    terminate,
)
from diffusers import UNet2DModel

from sparring.artefacts.layouts import LayoutRow, Layouts, writing_layouts
from sparring.compute import Compute
from sparring.interrupts import InterruptedRun
from sparring.models.autoencoder import Codec, build_autoencoder
from sparring.models.denoiser import build_scheduler, forward_process
from sparring.models.discriminator import LatentDiscriminator
from sparring.randomness import seeded_initialisation
from sparring.settings.autoencoder import AutoencoderSettings
from sparring.settings.objective import AdversarialLoss
from sparring.settings.parts import (
    DiscriminatorSettings,
    FinetuneSettings,
    NoiseScheduleSettings,
    PretrainSettings,
)
from sparring.training.autoencoder import AutoencoderTraining
from sparring.training.denoiser import DenoiserTraining
from sparring.training.discriminator import DiscriminatorTraining, split_rows
from sparring.training.finetuning import Finetuning
from sparring.training.latents import Latents
from sparring.training.opponents import Critic

CPU = Compute(torch.device("cpu"), bf16=False)
SELECTED = {"selection_samples": 8, "selection_steps": 2}


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True)
def _few_validation_draws(monkeypatch):
    """Hundreds of draws make validation precise; here they would only take time."""
    monkeypatch.setattr("sparring.training.denoiser._MIN_VALIDATION_DRAWS", 24)


def latents(count, seed):
    return torch.randn(count, 4, 8, 8, generator=torch.Generator().manual_seed(seed))


def unet():
    with seeded_initialisation(0, "denoiser"):
        return UNet2DModel(
            sample_size=8,
            in_channels=4,
            out_channels=4,
            layers_per_block=1,
            block_out_channels=(8, 8),
            down_block_types=("DownBlock2D",) * 2,
            up_block_types=("UpBlock2D",) * 2,
            norm_num_groups=4,
            attention_head_dim=4,
        )


def discriminator():
    with seeded_initialisation(0, "discriminator"):
        return LatentDiscriminator(4, 8, 2)


def schedule(**keys):
    return build_scheduler(NoiseScheduleSettings(**keys))


def pretraining(kind=DenoiserTraining, picture=None, train=10, key=("pretrain",), **keys):
    """10 latents in batches of 4: three steps per epoch, the last one smaller."""
    small = {"epochs": 2, "batch_size": 4, "eval_interval": 1, "sample_interval": 0}
    small["learning_rate"] = 1e-3
    return kind(
        unet(), schedule(), Latents(latents(train, 1), latents(6, 2)),
        PretrainSettings(**small | keys), CPU, 0, key, picture,
    )  # fmt: skip


def finetuning(kind=Finetuning, adversarial=None, critic=None, moments=None, noise_schedule=None,
               control=False, key=("finetune", 0), teacher=None, rival=None, **keys):  # fmt: skip
    """The adversarial arm, or with `control` the one without a discriminator.

    `rival` makes another opponent than that of x0_bce.
    """
    small = {"epochs": 2, "batch_size": 4, "eval_interval": 1, "sample_interval": 0}
    small |= {"learning_rate": 1e-3, "lr_schedule": "constant", "selection_samples": 0}
    settings = FinetuneSettings(**small | keys)
    return kind(
        unet(), noise_schedule or schedule(), Latents(latents(10, 1), latents(6, 2)),
        settings, CPU, 0, key,
        opponent=None if control else rival() if rival else Critic(
            critic or discriminator(), adversarial or AdversarialLoss(objective="x0_bce")
        ),
        teacher=teacher, optimizer_state=moments, keep_moments=settings.carry_optimizer,
    )  # fmt: skip


def itself(**keys):
    """Makes the opponent of ddo."""
    return lambda: rivals.itself(unet(), **keys)


def discriminating(reals=None, fakes=None, model=None, noised=False, **keys):
    small = {"epochs": 3, "batch_size": 8, "val_fraction": 0.25, "plateau_patience": 0}
    settings = DiscriminatorSettings(**small | keys)
    reals = latents(24, 3) if reals is None else reals
    fakes = latents(20, 4) + 0.2 if fakes is None else fakes
    halves = [
        split_rows(np.arange(len(rows)), settings.val_fraction, 0, label)
        for rows, label in ((reals, "real"), (fakes, "fake"))
    ]
    return DiscriminatorTraining(
        model or discriminator(), reals, fakes, *halves, settings, CPU, 0,
        ("train_discriminator", 0), process=forward_process(schedule()) if noised else None,
    )  # fmt: skip


def discriminating_noised(model=None, spectral=False, **keys):
    """Noised latents, and all that regularises a discriminator."""
    cures = {"r1": 0.1, "r2": 0.1, "relativistic": True, "weight_decay": 0.01}
    model = model or rivals.noised_discriminator(spectral=spectral)
    return discriminating(model=model, noised=True, **cures | keys)


def descending(model):
    """Plain descent with momentum: a step is as large as its gradient.

    Pairs are told by differences of logits, with which a common shift has no gradient but rounding,
    and of that Adam would make steps of full size.
    """
    return torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)


def discriminating_pairs(**keys):
    stage = discriminating_noised(**keys)
    stage.optimizer = stage.plateau.optimizer = descending(stage.model)
    return stage


def finetuning_against_pairs(**keys):
    """The denoiser and a discriminator that learns meanwhile."""
    stage = finetuning(rival=partial(rivals.online, timesteps=(0.0, 0.4)), **keys)
    stage._opponent._optimizer = descending(stage._opponent.discriminator)
    return stage


def write_layouts(path):
    """20 layouts of 16 x 16 in four classes: 10 train, 5 validate, 5 test."""
    classes = [{"id": n, "name": str(n), "rgb": [60 * n, 0, 255]} for n in range(4)]
    ids = np.random.default_rng(0).integers(4, size=(20, 4, 4), dtype=np.uint8)
    with writing_layouts(path, classes) as writer:
        for n, layout in enumerate(np.kron(ids, np.ones((1, 4, 4), np.uint8))):
            split = "train" if n < 10 else ("val" if n < 15 else "test")
            writer.append(layout, LayoutRow(str(n), str(n), str(n), split, False))
    return Layouts(path)


@pytest.fixture(scope="session")
def layouts(tmp_path_factory):
    return write_layouts(tmp_path_factory.mktemp("dataset") / "layouts.h5")


def autoencoder_training(layouts, **keys):
    small = {"block_out_channels": (8, 8), "norm_num_groups": 4, "latent_channels": 2,
             "epochs": 2, "batch_size": 4, "eval_interval": 1, "input": "classes"}  # fmt: skip
    settings = AutoencoderSettings(dataset="plans", **small | keys)
    with seeded_initialisation(0, "autoencoder"):
        model = build_autoencoder(settings, layouts.num_classes, layouts.side)
    return AutoencoderTraining(Codec(model, layouts.palette, CPU), layouts, settings)


@pytest.fixture
def autoencoding(layouts):
    """Makes an AutoencoderTraining."""
    return partial(autoencoder_training, layouts)


def vqgan(adversarial=True, **keys):
    """Against both discriminators; codes begin in the second of four steps and are restarted."""
    restarts = {"codebook": {"restart_interval": 1, "restart_below": 0.5}}
    critic = vqgans.adversary(CPU) if adversarial else None
    return vqgans.stage(critic, start=2, count=6, compute=CPU, **restarts | keys)


def uneven(layouts, **keys):
    """Makers of stages that are not easily shared out: a last batch of one row, weights by
    timestep, a schedule that hangs on validation, several terms."""
    grid = {"num_samples": 2, "sampler": "ddpm", "num_steps": 1}  # it draws random numbers
    pictures = {"sample_interval": 1, "sample_grid": grid}
    wide = AdversarialLoss(objective="x0_bce", timesteps=(0.0, 0.6))
    plain = {"spectral": True, "relativistic": False}  # of pairs see `descending`
    pushing = itself(alpha=1.5, max_rise=0.02)  # the second of five epochs is too much
    fast = {"epochs": 5, "learning_rate": 1e-2, "ema_decay": 0.5}
    learning = partial(rivals.online, relativistic=False, timesteps=(0.0, 0.4))
    return {
        "pretraining": partial(pretraining, train=9, lr_schedule="cosine", **pictures, **keys),
        "finetuning": partial(finetuning, adversarial=wide, **SELECTED | keys),
        "ddo": partial(finetuning, rival=itself(noise_weight=0.1), **keys),
        "overdone": partial(finetuning, rival=pushing, **fast | keys),
        "online": partial(finetuning, rival=learning, **keys),
        "discriminating": partial(discriminating, **{"batch_size": 6} | keys),
        "noised": partial(discriminating_noised, **plain | {"batch_size": 6} | keys),
        "pairs": partial(discriminating_pairs, **{"batch_size": 6} | keys),
        "online pairs": partial(finetuning_against_pairs, **keys),
        "autoencoding": partial(autoencoder_training, layouts, **keys),
        "vqgan": partial(vqgan, **{"batch_size": 3} | keys),
    }


@pytest.fixture(scope="session")
def tiny():
    """Everything above that makes or runs a tiny training."""
    return SimpleNamespace(
        CPU=CPU,
        SELECTED=SELECTED,
        latents=latents,
        unet=unet,
        discriminator=discriminator,
        schedule=schedule,
        pretraining=pretraining,
        finetuning=finetuning,
        itself=itself,
        discriminating=discriminating,
        discriminating_noised=discriminating_noised,
        vqgan=vqgan,
        uneven=uneven,
        run=run,
        stopping_at=stopping_at,
        terminate=terminate,
        cut_power=cut_power,
        InterruptedRun=InterruptedRun,
        PowerCut=PowerCut,
        run_interrupted=run_interrupted,
        flat=flat,
        same=same,
    )
