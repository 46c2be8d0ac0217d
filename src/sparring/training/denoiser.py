"""Training a denoiser by noise prediction: what stage 1 and fine-tuning share."""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from torch import Tensor

from ..ahead import Ahead
from ..artefacts.histories import Row
from ..compute import Compute, Pass
from ..diffusion.process import ForwardProcess, Prediction
from ..losses.noise import noise_loss
from ..models.denoiser import Denoiser, forward_process, num_conditions, predict, unconditional
from ..randomness import Key, chances, normals, permutation, timesteps
from ..sampling.sampler import Sampler
from ..settings.parts import DiffusionTraining
from .latents import Latents, Rows
from .loop import Mean, Weights
from .optimisation import WeightAverage, add_up, lr_factor, restore_optimizer, set_learning_rate

_MIN_VALIDATION_DRAWS = 512  # few held-out latents are each noised several times
_DRAWN_NUMBERS, _FEWEST_DRAWS = 2**23, 64  # the noise of volumes is large, and each says more


class Draw(NamedTuple):
    """What one step draws: on the CPU, ready to be sent."""

    rows: Tensor
    """Of the train split, `[B]`: this process's share of the step's."""
    part: float
    """That share."""
    eps: Tensor
    """`[B,C,...]`."""
    timesteps: Tensor
    """`[B]`."""
    withheld: Tensor
    """Whose conditions are withheld, bool `[B]`."""


class Term(NamedTuple):
    """One term of the loss on some samples."""

    weight: float
    """In the loss; a weight of 0 only reports the term."""
    mean: Tensor
    """Over the samples, each as it counts; a scalar."""
    counted: float | Tensor
    """By how much the samples count together, next to others of the same batch."""


class DenoiserTraining:
    """One denoiser, its average and its optimiser. A `Stage` of the loop."""

    criterion = "val_noise_loss"

    def __init__(
        self,
        model: Denoiser,
        schedule: DDIMScheduler,
        latents: Latents,
        settings: DiffusionTraining,
        compute: Compute,
        seed: int,
        key: tuple[Key, ...],
        picture: Callable[[int, Tensor], None] | None = None,
    ) -> None:
        """`picture(epoch, samples)` is called every `sample_interval` epochs."""
        self.model = compute.place(model).train()
        self.schedule = schedule
        self.process: ForwardProcess = forward_process(schedule).to(compute.device)
        self.latents = latents
        self.settings = settings
        self.compute = compute
        self.group = compute.group
        self.average = WeightAverage(self.model, settings.ema_decay)
        self.optimizer = torch.optim.AdamW(
            self.model.parameters(),
            settings.learning_rate,
            weight_decay=settings.weight_decay,
            fused=True,
        )
        self.epochs = settings.epochs
        self.eval_interval = settings.eval_interval
        self.steps_per_epoch = -(-len(latents.train) // settings.batch_size)
        self._seed, self._key, self._picture = seed, key, picture
        self._order: tuple[int, Tensor] | None = None
        steps = self.epochs * self.steps_per_epoch
        self._draws = Ahead(self._draw, steps, compute.threads_ahead)
        self._passes = {id(m): _pass(m, compute) for m in (self.model, self.average.model)}
        self._validation = self._fixed_validation()

    def losses(self, model: Denoiser, prediction: Prediction, rows: Rows) -> dict[str, Term]:
        """Loss terms of the latents in `rows`, which `model` has predicted, by name."""
        losses = noise_loss(prediction)
        return {"noise_loss": Term(1.0, losses.mean(), len(losses))}

    def step(self, epoch: int, step: int) -> dict[str, Mean]:
        """One update on the step's share of the epoch's permutation."""
        draw = self._draws(epoch * self.steps_per_epoch + step)
        send = self.compute.send
        chosen, eps, t = send(draw.rows), send(draw.eps), send(draw.timesteps)
        told = self._told(self.latents.labels(Rows("train", chosen)), draw)
        rows = Rows("train", draw.rows, told, (*self._key, epoch), draw.rows.tolist())
        prediction = self._predict(self.model, self.latents.train[chosen], eps, t, told)
        terms = self.losses(self.model, prediction, rows)
        means, counted = self._means(terms, draw.part)
        loss = self._total({name: term.weight for name, term in terms.items()}, means)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        values = add_up(self.group, self.model, means)
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.settings.max_grad_norm)
        set_learning_rate(self.optimizer, self._rate(epoch * self.steps_per_epoch + step))
        self.optimizer.step()
        self.average.update(self.model)
        found = {name: Mean(value, counted[name]) for name, value in values.items()}
        return found | self.after_update(prediction, rows, draw.part)

    def after_update(self, prediction: Prediction, rows: Rows, part: float) -> dict[str, Mean]:
        """What else learns from a batch, with further figures for the history; `rows` are `part` of
        it, 0 where they are another process's."""
        return {}

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """Every loss term of the averaged weights on fixed timesteps and noise."""
        sums: dict[str, Tensor] = {}
        counts: dict[str, Tensor] = {}
        first, model = 0, self.average.model
        for held_out, t, eps in self._validation:
            numbers = range(first, first + len(held_out))
            labels = self.latents.labels(Rows("val", held_out))
            rows = Rows("val", held_out, labels, ("validation",), numbers)
            prediction = self._predict(model, self.latents.val[held_out], eps, t, labels)
            for name, term in self.losses(model, prediction, rows).items():
                count = _scalar(term.counted, term.mean.device).double()
                sums[name] = sums.get(name, torch.zeros_like(count)) + term.mean.double() * count
                counts[name] = counts.get(name, torch.zeros_like(count)) + count
            first += len(held_out)
        return {name: float(total / counts[name].clamp_min(1e-12)) for name, total in sums.items()}

    def end_epoch(self, epoch: int, row: Row) -> None:
        """Draw the sample grid when its time has come."""
        interval = self.settings.sample_interval
        due = interval and epoch % interval == 0 and self.group.is_main
        if self._picture and due:
            self._picture(epoch, self._samples())

    def overdone(self, row: Row, start: Row) -> str | None:
        """Never."""
        return None

    def learning_rate(self) -> float:
        """The rate of the last step."""
        return self.optimizer.param_groups[0]["lr"]

    def weights(self) -> Weights:
        """The averaged weights."""
        return self.average.weights()

    def extra(self) -> Weights:
        """Nothing by default."""
        return {}

    def state(self) -> dict[str, Any]:
        """Model, average and optimiser."""
        return {
            "model": self.model.state_dict(),
            "average": self.average.model.state_dict(),
            "updates": self.average.updates,
            "optimizer": self.optimizer.state_dict(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take up what `state` gave."""
        self.model.load_state_dict(state["model"])
        self.average.model.load_state_dict(state["average"])
        self.average.updates = state["updates"]
        restore_optimizer(self.optimizer, state["optimizer"])

    def _total(self, weights: dict[str, float], means: dict[str, Tensor]) -> Tensor:
        """The weighted sum that is minimised."""
        return sum((w * means[name] for name, w in weights.items() if w), torch.zeros(()))

    def _means(
        self, terms: dict[str, Term], part: float
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Means over the batch, and by how much its samples count.

        Of several processes each has its share of a mean, to be added up.
        """
        means = {name: term.mean for name, term in terms.items()}
        counts = torch.stack([_scalar(t.counted, t.mean.device) for t in terms.values()])
        if self.group.count == 1:
            return means, dict(zip(terms, counts, strict=True))
        counts *= part > 0
        totals = counts.clone()
        self.group.sum_([totals])
        shares = counts / totals.clamp_min(torch.finfo(totals.dtype).tiny)
        parts = {name: share * means[name] for name, share in zip(terms, shares, strict=True)}
        return parts, dict(zip(terms, totals, strict=True))

    def _predict(
        self, model: Denoiser, x0: Tensor, eps: Tensor, t: Tensor, labels: Tensor | None
    ) -> Prediction:
        given = () if labels is None else (labels,)
        output = self._passes[id(model)](self.process.noised(x0, eps, t), t, *given)
        return self.process.prediction(x0, eps, t, output)

    def predict_beside(
        self, model: Denoiser, x0: Tensor, eps: Tensor, t: Tensor, labels: Tensor | None
    ) -> Prediction:
        """Another prediction of the same step, perhaps by another denoiser, and never compiled.

        A compiled pass is fast on a GPU only where no earlier one still waits for its backward.
        """
        with self.compute.autocast():
            output = predict(model, self.process.noised(x0, eps, t), t, labels)
        return self.process.prediction(x0, eps, t, output)

    def _told(self, labels: Tensor | None, draw: Draw) -> Tensor | None:
        """Conditions as the denoiser is told them: some are withheld."""
        if labels is None:
            return None
        withheld = self.compute.send(draw.withheld)
        return torch.where(withheld, unconditional(self.model, labels), labels)

    def _draw(self, number: int) -> Draw:
        """All that a step draws, keyed by epoch and row, so that it is the same in every arm."""
        epoch, step = divmod(number, self.steps_per_epoch)
        key = (*self._key, epoch)
        rows, part = self.group.share(self._rows(epoch, step))
        samples, host = rows.tolist(), torch.device("cpu")
        shape, num_timesteps = self.latents.train.shape[1:], self.process.num_timesteps
        eps = normals(shape, samples, self._seed, *key, "noise", device=host)
        t = timesteps(num_timesteps, samples, self._seed, *key, "timestep", device=host)
        share = self.settings.condition_dropout if self.latents.train_labels is not None else 0.0
        withheld = chances(share, samples, self._seed, *key, "condition")
        pinned = self.compute.pinned
        return Draw(pinned(rows), part, pinned(eps), pinned(t), pinned(withheld))

    def _rows(self, epoch: int, step: int) -> Tensor:
        order = self._order
        if order is None or order[0] != epoch:  # threads that draw ahead may both make it: alike
            latents = len(self.latents.train)
            order = epoch, permutation(latents, self._seed, *self._key, epoch, "order")
            self._order = order
        size = self.settings.batch_size
        return order[1][step * size : (step + 1) * size]

    def _rate(self, step: int) -> float:
        s = self.settings
        total = self.epochs * self.steps_per_epoch
        return s.learning_rate * lr_factor(step, total, s.lr_warmup_steps, s.lr_schedule)

    def _fixed_validation(self) -> list[tuple[Tensor, Tensor, Tensor]]:
        """Batches of (row, timestep, noise), the same in every epoch, iteration and arm.

        Timesteps are spread evenly over [0, T) and dealt to the rows in a fixed order.
        """
        val, device = self.latents.val, self.compute.device
        draws = len(val) * -(-least_draws(val) // len(val))
        rows = torch.arange(draws) % len(val)
        even = (torch.arange(draws) + 0.5) / draws * self.process.num_timesteps
        t = even.long()[permutation(draws, self._seed, "validation", "timestep")]
        eps = normals(val.shape[1:], range(draws), self._seed, "validation", "noise", device=device)
        size = max(64, self.settings.batch_size)
        cuts = [slice(start, start + size) for start in range(0, draws, size)]
        return [(rows[c].to(device), t[c].to(device), eps[c]) for c in cuts]

    def _samples(self) -> Tensor:
        grid = self.settings.sample_grid
        sampler = Sampler(self.average.model, self.schedule, grid, self.compute)
        labels = None
        if count := num_conditions(self.model):  # in turn, so that every row of the grid has all
            labels = torch.arange(grid.num_samples, device=self.compute.device) % count
        key = (self._seed, "sample_grid")
        batches = sampler.batches(grid.num_samples, 64, *key, labels=labels)
        return torch.cat(list(batches))


def _pass(model: Denoiser, compute: Compute) -> Pass:
    return Pass(lambda *inputs: predict(model, *inputs), model, compute)


def _scalar(value: float | Tensor, device: torch.device) -> Tensor:
    """A float32 scalar on the device, which is not waited for."""
    if isinstance(value, Tensor):
        return value.to(device, torch.float32)
    return torch.full((), value, dtype=torch.float32, device=device)


def least_draws(val: Tensor) -> int:
    """How often latents are noised to validate: of large ones of volumes less, for the noise of all
    draws is kept."""
    if val.ndim < 5:
        return _MIN_VALIDATION_DRAWS
    return min(_MIN_VALIDATION_DRAWS, max(_FEWEST_DRAWS, _DRAWN_NUMBERS // val[0].numel()))
