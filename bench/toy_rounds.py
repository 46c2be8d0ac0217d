"""Rounds of every objective on the toy: small networks, the package's formulas, one screen each."""

import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise

import torch
from torch import Tensor, nn
from toy_density import Ddim, Field

from sparring.diffusion.process import ForwardProcess, Prediction
from sparring.losses.discrimination import discriminator_loss
from sparring.losses.noise import noise_loss
from sparring.objectives import ddo, guidance, noised, x0_bce
from sparring.settings.objective import AdversarialLoss

BATCH = 256
DISCRIMINATOR_WIDTH = 48
WAVES, TIMES = torch.tensor([1.5, 3.0]), torch.pi * 2.0 ** torch.arange(-1, 3)
"""Frequencies of the networks' inputs: of x and of t / T."""


@dataclass(frozen=True)
class Setting:
    """One arm: an objective, or `none` for a control, and its keys."""

    objective: str = "none"
    weight: float = 0.0
    """Of the adversarial loss; of the gradient in guided sampling."""
    timesteps: tuple[float, float] = (0.0, 1.0)
    """Where the objective acts, as shares of T."""
    above: bool = True
    """noised: the discriminator sees predictions at levels above t only."""
    alpha: float = 1.0
    beta: float = 1.0
    noise_weight: float = 1.0
    rounds: int = 3
    updates: int = 400
    """Per round, of the denoiser and of the discriminator each."""
    judged: int = 1
    """Updates of the discriminator per update of the denoiser."""
    fakes: int = 4096
    """Samples per round."""
    rate: float = 2e-4
    """Of fine-tuning."""


@dataclass(frozen=True)
class Regime:
    """A start: how large its network is, and how many reals it has."""

    name: str
    width: int
    reals: int
    updates: int


class TimedMlp(nn.Module):
    """A multilayer perceptron of x and the timestep; without `num_timesteps` of x alone."""

    def __init__(self, width: int, outputs: int, num_timesteps: int = 0) -> None:
        super().__init__()
        self.num_timesteps = num_timesteps
        inputs = 2 + 2 * 2 * len(WAVES) + (2 * len(TIMES) if num_timesteps else 0)
        sizes = [inputs, width, width, width]
        layers = [nn.Sequential(nn.Linear(a, b), nn.SiLU()) for a, b in pairwise(sizes)]
        self.layers = nn.Sequential(*layers, nn.Linear(width, outputs))

    @property
    def macs(self) -> int:
        """Multiplications of one forward pass of one sample."""
        return sum(p.numel() for p in self.parameters() if p.ndim == 2)

    def forward(self, x: Tensor, timesteps: Tensor | None = None) -> Tensor:
        """`[B,2]`, `[B]` -> `[B,outputs]`."""
        angles = (x[:, :, None] * WAVES).flatten(1)
        if self.num_timesteps:
            shares = timesteps[:, None] / self.num_timesteps
            angles = torch.cat([angles, shares * TIMES], 1)
        return self.layers(torch.cat([x, angles.sin(), angles.cos()], 1))


@dataclass
class Model:
    """A denoiser and the discriminators that its sampling follows."""

    denoiser: TimedMlp
    process: ForwardProcess
    guides: list[TimedMlp] = field(default_factory=list)
    setting: Setting = field(default_factory=Setting)

    def field(self) -> Field:
        """What the sampler asks: the output, guided where there are guides."""
        return self._guided if self.guides else self.denoiser

    def _guided(self, x_t: Tensor, timesteps: Tensor) -> Tensor:
        gradient = torch.func.grad(lambda x: sum(g(x, timesteps).sum() for g in self.guides))(x_t)
        low, high = (bound * self.process.num_timesteps for bound in self.setting.timesteps)
        inside = ((timesteps >= low) & (timesteps < high))[:, None]
        return guidance.guided_output(
            self.denoiser(x_t, timesteps),
            gradient * inside,
            self.process.alpha_bar[timesteps],
            self.process.target,
            self.setting.weight,
        )


Loss = Callable[[TimedMlp, torch.Generator], Tensor]


def minimise(
    model: TimedMlp, loss: Loss, updates: int, rate: float, seed: int, decay: float = 0.99
) -> TimedMlp:
    """AdamW at a constant rate; the average of the weights, which validates and samples better."""
    model, average = copy.deepcopy(model), copy.deepcopy(model)
    optimiser = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=0.0, fused=True)
    generator = torch.Generator().manual_seed(seed)
    for step in range(updates):
        value = loss(model, generator)
        optimiser.zero_grad()
        value.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0, foreach=True)
        optimiser.step()
        share = 1 - min(decay, (1 + step) / (10 + step))
        with torch.no_grad():
            torch._foreach_lerp_(list(average.parameters()), list(model.parameters()), share)
    return average


@dataclass(frozen=True)
class Rounds:
    """Everything that training on one set of reals shares."""

    process: ForwardProcess
    ddim: Ddim
    reals: Tensor
    seed: int

    def pretrained(self, regime: Regime) -> Model:
        """A start, trained by the noise loss to where further updates change little."""
        torch.manual_seed(self.seed)
        denoiser = TimedMlp(regime.width, 2, self.process.num_timesteps)
        for share, rate in ((0.5, 2e-3), (0.3, 7e-4), (0.2, 2e-4)):
            updates = int(share * regime.updates)
            denoiser = minimise(denoiser, self.noise, updates, rate, self.seed, decay=0.998)
        return Model(denoiser, self.process)

    def run(self, start: Model, setting: Setting) -> Model:
        """The model after all rounds of a setting."""
        model = Model(start.denoiser, self.process, [], setting)
        for number in range(setting.rounds):
            seed = 1000 * self.seed + number
            fakes = self.fakes(model, setting.fakes, seed) if setting.objective != "none" else None
            if setting.objective == "guidance":
                guide = self.discriminator(fakes, setting, seed)
                model = Model(model.denoiser, self.process, [*model.guides, guide], setting)
            else:
                loss = self.loss(model.denoiser, fakes, setting, seed)
                denoiser = minimise(model.denoiser, loss, setting.updates, setting.rate, seed)
                model = Model(denoiser, self.process, [], setting)
        return model

    def loss(self, reference: TimedMlp, fakes: Tensor, setting: Setting, seed: int) -> Loss:
        """What fine-tuning of one round minimises."""
        if setting.objective == "none":
            return self.noise
        if setting.objective == "ddo":
            return self.ddo(copy.deepcopy(reference), fakes, setting, seed)
        return self.adversarial(self.discriminator(fakes, setting, seed), setting, seed)

    def fakes(self, model: Model, count: int, seed: int) -> Tensor:
        """Samples of the model that enters a round."""
        generator = torch.Generator().manual_seed(seed)
        return self.ddim.sample(model.field(), torch.randn(count, 2, generator=generator))

    def discriminator(self, fakes: Tensor, setting: Setting, seed: int) -> TimedMlp:
        """Reals against fakes, clean for x0_bce, else noised to all levels; then frozen."""
        total = self.process.num_timesteps
        clean = setting.objective == "x0_bce"
        torch.manual_seed(seed)
        model = TimedMlp(DISCRIMINATOR_WIDTH, 1, 0 if clean else total)
        is_real = torch.arange(BATCH) < BATCH // 2

        def loss(model: TimedMlp, generator: torch.Generator) -> Tensor:
            halves = [drawn(rows, BATCH // 2, generator) for rows in (self.reals, fakes)]
            x, levels = torch.cat(halves), torch.randint(total, (BATCH,), generator=generator)
            if not clean:
                x = self.process.noised(x, torch.randn(x.shape, generator=generator), levels)
            return discriminator_loss(model(x, levels)[:, 0], is_real).mean()

        updates = setting.judged * setting.updates
        return minimise(model, loss, updates, 2e-3, seed).requires_grad_(False)

    def noise(self, model: TimedMlp, generator: torch.Generator) -> Tensor:
        """The noise loss of one batch."""
        return noise_loss(self.predicted(model, generator)).mean()

    def predicted(
        self, model: TimedMlp, generator: torch.Generator, low: float = 0.0, high: float = 1.0
    ) -> Prediction:
        """One batch of reals, noised to timesteps within a range."""
        total = self.process.num_timesteps
        x0 = drawn(self.reals, BATCH, generator)
        timesteps = torch.randint(
            int(low * total), int(high * total), (BATCH,), generator=generator
        )
        eps = torch.randn(x0.shape, generator=generator)
        output = model(self.process.noised(x0, eps, timesteps), timesteps)
        return self.process.prediction(x0, eps, timesteps, output)

    def adversarial(self, opponent: TimedMlp, setting: Setting, seed: int) -> Loss:
        """noise loss + weight x0_bce or noised."""
        total = self.process.num_timesteps
        beside = _beside(seed)
        settings = AdversarialLoss(objective="x0_bce", timesteps=setting.timesteps)

        def loss(model: TimedMlp, generator: torch.Generator) -> Tensor:
            batch = self.predicted(model, generator)
            x, levels = batch.x0_pred, batch.timesteps
            if setting.objective == "noised":
                uniform = torch.rand(BATCH, generator=beside)
                levels = noised.levels(batch.timesteps, total, uniform, setting.above)
                x = self.process.noised(x, torch.randn(x.shape, generator=beside), levels)
            values = x0_bce.adversarial_loss(opponent(x, levels)[:, 0])
            weights = x0_bce.timestep_weights(batch, total, settings)
            pull = x0_bce.weighted_mean(values, weights)
            return setting.noise_weight * noise_loss(batch).mean() + setting.weight * pull

        return loss

    def ddo(self, reference: TimedMlp, fakes: Tensor, setting: Setting, seed: int) -> Loss:
        """ddo on reals and fakes at the same timesteps with the same noise, + noise loss."""
        beside = _beside(seed)

        def loss(model: TimedMlp, generator: torch.Generator) -> Tensor:
            real = self.predicted(model, generator, *setting.timesteps)
            x0, t = drawn(fakes, BATCH, beside), real.timesteps
            x_t = self.process.noised(x0, real.eps, t)
            fake = self.process.prediction(x0, real.eps, t, model(x_t, t))
            with torch.no_grad():
                known = [reference(batch.x_t, t) for batch in (real, fake)]
            terms = ddo.real_loss(ddo.log_ratio(real, known[0]), setting.beta)
            terms = terms + setting.alpha * ddo.fake_loss(
                ddo.log_ratio(fake, known[1]), setting.beta
            )
            value = ddo.scale(setting.beta, 2) * terms.mean()
            return value + setting.noise_weight * noise_loss(real).mean()

        return loss


def _beside(seed: int) -> torch.Generator:
    """What an objective draws besides: reals and their noise stay those of the control."""
    return torch.Generator().manual_seed(seed + 500)


def drawn(rows: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """A batch with replacement."""
    return rows[torch.randint(len(rows), (count,), generator=generator)]


def arithmetic(denoiser: TimedMlp, setting: Setting) -> float:
    """Multiplications per update of a setting over those of the noise loss.

    A backward pass counts twice a forward pass, or once where only inputs have gradients. Sampling
    fakes is not counted.
    """
    mine = denoiser.macs
    other = TimedMlp(DISCRIMINATOR_WIDTH, 1, denoiser.num_timesteps).macs
    each = {
        "none": 3 * mine,
        "ddo": 8 * mine,
        "guidance": 3 * setting.judged * other,
        "x0_bce": 3 * mine + (2 + 3 * setting.judged) * other,
        "noised": 3 * mine + (2 + 3 * setting.judged) * other,
    }
    return each[setting.objective] / (3 * mine)
