"""A mixture in the plane whose density is known, and the exact density of a sampler's samples.

DDIM without noise is a chain of maps x_{k-1} = F_k(x_k) from x_T ~ N(0, I), so its samples have

    log q(x_0) = log N(x_T; 0, I) - sum_k log |det F_k'(x_k)|

with Jacobians 2 x 2. Forwards this gives log q of samples, hence KL(q | p); backwards, each map
inverted by Newton's method, log q of any point, hence KL(p | q). No network estimates anything,
and it is the sampler's own density: its steps are part of it, and guidance too.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from math import log, pi

import torch
from torch import Tensor
from torch.func import jvp, vmap

from sparring.diffusion.process import ForwardProcess, predict_x0, predict_x0_from_v, velocity

Field = Callable[[Tensor, Tensor], Tensor]
"""A denoiser: x_t `[B,2]` and timesteps `[B]` to eps or v `[B,2]`."""

NEWTON = 3
"""Iterations per inverted step; `invert` says how far the last one still moved."""


@dataclass(frozen=True)
class Mixture:
    """sum_k weights_k N(means_k, std^2 I).   means [K,2], weights [K]."""

    means: Tensor
    weights: Tensor
    std: float

    @staticmethod
    def grid(side: int = 3, std: float = 0.12) -> "Mixture":
        """`side` x `side` modes of unit variance together; every other weighs twice as much."""
        row = torch.arange(side) - (side - 1) / 2
        means = torch.cartesian_prod(row, row)
        weights = 1.0 + torch.arange(side * side) % 2
        return Mixture(means / row.std(correction=0), weights / weights.sum(), std)

    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """`[count,2]`."""
        modes = torch.multinomial(self.weights, count, replacement=True, generator=generator)
        return self.means[modes] + self.std * torch.randn(count, 2, generator=generator)

    def log_prob(self, x: Tensor) -> Tensor:
        """`[B,2]` -> `[B]`."""
        squares = torch.cdist(x, self.means).square()
        logits = self.weights.log() - squares / (2 * self.std**2)
        return logits.logsumexp(1) - log(2 * pi * self.std**2)

    def bin_masses(self, edges: Tensor) -> Tensor:
        """The probability of every cell between `edges` `[E]`: `[E-1,E-1]`."""
        scaled = (edges[:, None] - self.means.T[:, None, :]) / self.std
        parts = torch.special.ndtr(scaled).diff(dim=1)
        return torch.einsum("xk,yk,k->xy", parts[0], parts[1], self.weights)

    def denoiser(self, process: ForwardProcess) -> Field:
        """The perfect denoiser, E[eps | x_t] or E[v | x_t]."""

        def field(x_t: Tensor, timesteps: Tensor) -> Tensor:
            ab = process.alpha_bar[timesteps][:, None]
            variance = ab * self.std**2 + 1 - ab
            away = x_t[:, None] - ab.sqrt()[..., None] * self.means
            logits = self.weights.log() - away.square().sum(-1) / (2 * variance)
            shrunk = self.means + (ab.sqrt() * self.std**2 / variance)[..., None] * away
            x0 = (logits.softmax(1)[..., None] * shrunk).sum(1)
            eps = (x_t - ab.sqrt() * x0) / (1 - ab).sqrt()
            return velocity(x0, eps, ab[:, 0]) if process.target == "v_prediction" else eps

        return field


@dataclass(frozen=True)
class Ddim:
    """Deterministic DDIM (Song et al. 2021, eq. 12, eta 0) over fewer timesteps than trained."""

    process: ForwardProcess
    num_steps: int = 40

    def timesteps(self) -> list[int]:
        """From T - 1 to 0, closer at low noise, and -1 for clean samples."""
        roots = torch.linspace((self.process.num_timesteps - 1) ** 0.5, 0, self.num_steps)
        return [*roots.square().round().long().tolist(), -1]

    def step(self, field: Field, x: Tensor, t: int, following: int) -> Tensor:
        """sqrt(ab') x0_pred + sqrt(1 - ab') eps_pred."""
        timesteps = torch.full((len(x),), t)
        ab = self.process.alpha_bar[timesteps]
        output = field(x, timesteps)
        if self.process.target == "v_prediction":
            x0 = predict_x0_from_v(x, output, ab)
            eps = ab.sqrt()[:, None] * output + (1 - ab).sqrt()[:, None] * x
        else:
            x0, eps = predict_x0(x, output, ab), output
        after = self.process.alpha_bar[following] if following >= 0 else torch.ones(())
        return after.sqrt() * x0 + (1 - after).sqrt() * eps

    @torch.no_grad()
    def sample(self, field: Field, noise: Tensor) -> Tensor:
        """`[B,2]` -> `[B,2]`."""
        x = noise
        for t, following in pairwise(self.timesteps()):
            x = self.step(field, x, t, following)
        return x

    @torch.no_grad()
    def sample_with_density(self, field: Field, noise: Tensor) -> tuple[Tensor, Tensor]:
        """Samples `[B,2]` and log q of them `[B]`."""
        x, log_q = noise, _log_normal(noise)
        for t, following in pairwise(self.timesteps()):
            x, jacobian = self._linearised(field, x, t, following)
            log_q = log_q - jacobian.det().abs().log()
        return x, log_q

    @torch.no_grad()
    def invert(self, field: Field, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """log q of points `[B,2]`, their noise, and how far Newton's last iteration moved."""
        log_det, moved = torch.zeros(len(x)), torch.zeros(len(x))
        for following, t in pairwise(reversed(self.timesteps())):
            target = x
            for _ in range(NEWTON):
                reached, jacobian = self._linearised(field, x, t, following)
                change = torch.linalg.solve(jacobian, reached - target)
                x = x - change
            log_det = log_det + jacobian.det().abs().log()
            moved = torch.maximum(moved, change.norm(dim=1))
        return _log_normal(x) - log_det, x, moved

    def _linearised(self, field: Field, x: Tensor, t: int, following: int) -> tuple[Tensor, Tensor]:
        """F_k(x) `[B,2]` and its Jacobian `[B,2,2]`."""
        units = torch.eye(2).unsqueeze(1).expand(2, len(x), 2)
        value, columns = vmap(
            lambda unit: jvp(lambda y: self.step(field, y, t, following), (x,), (unit,)),
            out_dims=(None, 2),
        )(units)
        return value, columns


def _log_normal(x: Tensor) -> Tensor:
    return -x.square().sum(1) / 2 - log(2 * pi)


@dataclass(frozen=True)
class Ruler:
    """What every model is measured with: the same noise and the same points of p."""

    mixture: Mixture
    ddim: Ddim
    noise: Tensor
    points: Tensor
    edges: Tensor
    floor: float
    """log p that one in a thousand samples of p falls below."""

    @staticmethod
    def make(mixture: Mixture, ddim: Ddim, samples: int = 20_000, points: int = 1_000) -> "Ruler":
        """With a seed of its own."""
        generator = torch.Generator().manual_seed(7)
        noise = torch.randn(samples, 2, generator=generator)
        drawn = mixture.log_prob(mixture.sample(200_000, generator))
        edges = torch.linspace(-2, 2, 61)
        shown = mixture.sample(points, generator)
        return Ruler(mixture, ddim, noise, shown, edges, drawn.quantile(0.001).item())

    def counted(self, x: Tensor) -> dict[str, float]:
        """Figures of samples alone; those of exact samples are their null."""
        counts = torch.histogramdd(x, [self.edges, self.edges]).hist
        distances, nearest = torch.cdist(x, self.mixture.means).min(1)
        inside = distances[distances < 3 * self.mixture.std]
        masses = nearest.bincount(minlength=len(self.mixture.means)) / len(x)
        return {
            "js": jensen_shannon(counts / len(x), self.mixture.bin_masses(self.edges)),
            "outside": (self.mixture.log_prob(x) < self.floor).float().mean().item(),
            "masses": (masses - self.mixture.weights).abs().sum().item() / 2,
            "width": inside.square().mean().div(2).sqrt().item() / self.mixture.std,
        }

    def quick(self, field: Field) -> dict[str, float]:
        """Figures of all samples."""
        return self.counted(self.ddim.sample(field, self.noise))

    def exact(self, field: Field) -> dict[str, float]:
        """Both divergences, and their standard errors over points and samples."""
        log_q, _, _ = self.ddim.invert(field, self.points)
        forward = self.mixture.log_prob(self.points) - log_q
        x, log_q = self.ddim.sample_with_density(field, self.noise[: len(self.points)])
        reverse = log_q - self.mixture.log_prob(x)
        error = len(self.points) ** -0.5
        return {
            "kl_pq": forward.mean().item(),
            "kl_pq_error": forward.std().item() * error,
            "kl_qp": reverse.mean().item(),
            "kl_qp_error": reverse.std().item() * error,
        }


def jensen_shannon(p: Tensor, q: Tensor) -> float:
    """(KL(p | m) + KL(q | m)) / 2, m = (p + q) / 2, in nats; what lies outside is one more cell."""
    p, q = (torch.cat([part.flatten(), (1 - part.sum()).clamp_min(0)[None]]) for part in (p, q))
    middle = (p + q) / 2
    return sum((torch.xlogy(part, part / middle).nansum() / 2).item() for part in (p, q))
